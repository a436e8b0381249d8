# Completion of syncd for fish. SPDX-License-Identifier: MIT
complete -c syncd -f
complete -c syncd -s c -l config -r -F -d 'configuration'
complete -c syncd -s s -l socket -r -F -d 'control socket'
complete -c syncd -s v -d 'more log'
complete -c syncd -s q -d 'less log'
complete -c syncd -l once -d 'one pass, then exit'
complete -c syncd -l dry-run -d 'say what would be done'
complete -c syncd -l check -d 'check the configuration'
complete -c syncd -l version
complete -c syncd -l help
