# Completion of syncctl for fish. SPDX-License-Identifier: MIT
set -l commands status sync watch pause resume plan accept restore fetch forget check sendmail outbox reload stop
complete -c syncctl -f
complete -c syncctl -s s -r -F -d 'control socket'
complete -c syncctl -l json -d 'print JSON'
complete -c syncctl -n "not __fish_seen_subcommand_from $commands" -a "$commands"
complete -c syncctl -n '__fish_seen_subcommand_from outbox' -a 'list show retry hold release drop'
