# syncd's build. `make help` lists the targets, `make -n` shows what they do.
# SPDX-License-Identifier: MIT
VERSION := 0.1.0
PREFIX ?= /usr/local
DESTDIR ?=
CC ?= cc
PYTHON ?= python3
PKGS := libuv libssl libcrypto lmdb libgsasl libconfuse jansson zlib
VARIANT ?= release
B := build/$(VARIANT)

WARN := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla
SAN := -O1 -g -fno-sanitize-recover=all -fno-omit-frame-pointer
OPT_release := -O2 -g -D_FORTIFY_SOURCE=2 -fstack-protector-strong
OPT_debug := -O0 -g3
OPT_asan := $(SAN) -fsanitize=address,undefined,float-cast-overflow
OPT_fuzz := $(SAN) -fsanitize=fuzzer-no-link,address,undefined,float-cast-overflow
LINK_release := -Wl,-z,relro,-z,now
PKG_CFLAGS = $(eval PKG_CFLAGS := $$(shell pkg-config --cflags $(PKGS)))$(PKG_CFLAGS)
PKG_LIBS = $(eval PKG_LIBS := $$(shell pkg-config --libs $(PKGS)))$(PKG_LIBS)
ALL_CFLAGS = -std=c11 -D_POSIX_C_SOURCE=200809L -DSYNCD_VERSION='"$(VERSION)"' $(WARN) $(WERROR) \
	$(OPT_$(VARIANT)) $(CFLAGS) -Iinclude $(PKG_CFLAGS)
# Short lines; V=1 shows the commands in full.
Q := $(if $(V),,@)
note = $(if $(V),,@echo "  $(1) $(patsubst $B/%,%,$@)")
LINK = $(Q)$(CC) $(ALL_CFLAGS) $(LINK_$(VARIANT)) $(LDFLAGS) $(filter %.o,$^) $(filter %.a,$^)
LIBS = $(PKG_LIBS) -lpthread

# What exists is built: a new file in one of these places needs no line here.
bins = $(patsubst %.c,$B/%,$(wildcard $(1)))
objs = $(patsubst %.c,$B/%.o,$(wildcard $(1)))
one = $(if $(wildcard tests/$(1)/*.c),$B/tests/$(1)/$(1))
PROGRAMS := $(call bins,syncd/*.c)
UNIT := $(call bins,tests/unit/test_*.c)
FUZZ := $(call bins,tests/fuzz/fuzz_*.c)
BENCH := $(call bins,tests/bench/*.c)
CRASH := $(patsubst %.c,$B/%.so,$(wildcard tests/crash/*.c))
SCRIPTS := $(wildcard tests/tools/test_*.py tests/real/test_harness.py) \
	$(if $(PROGRAMS),$(wildcard tests/real/test_sync*.py tests/real/test_pull*.py tests/crash/test_*.py))
# The tests of synchronisation run on each of the servers (docs/servers.md), Dovecot by default: a
# sample in the suite, all of them in soak.
on = $(foreach s,cyrus courier,$(patsubst %,'env SERVER=$s $(PYTHON) tests/real/test_sync_%.py',$(1)))
SAMPLE := changes identity interrupted keywords policies verify
SYNCING := $(SAMPLE) bulk guards kills mailboxes moves namespaces odd push refusals subscribed upload
TESTS := $(UNIT) $(FUZZ) $(CRASH) $(call one,sim) $(call one,port) $(call one,script)

all: $B/libsyncd.a $(PROGRAMS)
debug asan:
	@$(MAKE) --no-print-directory VARIANT=$@ all

$B/libsyncd.a: $(call objs,src/*/*.c)
$B/libsupport.a: $(filter-out %/fake_net.o,$(call objs,tests/support/*.c))
# These run over memory streams: they get a network of their own in place of src/net.
$(addprefix $B/tests/,unit/test_imap_session unit/test_pop3_session unit/test_remote_password \
	unit/test_maildrop script/script \
	fuzz/fuzz_imap_session fuzz/fuzz_pop3): $B/tests/support/fake_net.o
$B/lib%.a:
	@rm -f $@
	$(call note,AR)
	$(Q)ar rcs $@ $^

$B/tests/%.o: ALL_CFLAGS += -Itests
$B/%.o: %.c
	@mkdir -p $(@D)
	$(call note,CC)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c $< -o $@

$B/syncd/%: $B/syncd/%.o $B/libsyncd.a
	$(call note,LINK)
	$(LINK) -o $@ $(LIBS)
$B/tests/unit/%: $B/tests/unit/%.o $B/libsupport.a $B/libsyncd.a
	$(call note,LINK)
	$(LINK) -o $@ $(LIBS) -lcmocka
$B/tests/bench/%: $B/tests/bench/%.o $B/libsupport.a $B/libsyncd.a
	$(call note,LINK)
	$(LINK) -o $@ $(LIBS)
# One program from all .c files of its directory.
.SECONDEXPANSION:
$B/tests/sim/sim $B/tests/port/port $B/tests/script/script: \
		$$(call objs,$$(patsubst $B/%,%,$$(@D))/*.c) $B/libsupport.a $B/libsyncd.a
	$(call note,LINK)
	$(LINK) -o $@ $(LIBS) -lcmocka
$B/tests/fuzz/fuzz_%: $B/tests/fuzz/fuzz_%.o $(if $(filter fuzz,$(VARIANT)),,$B/tests/fuzz/replay.o) \
		$B/libsupport.a $B/libsyncd.a
	$(call note,LINK)
	$(LINK) $(if $(filter fuzz,$(VARIANT)),-fsanitize=fuzzer) -o $@ $(LIBS)
$B/tests/crash/%.so: tests/crash/%.c
	@mkdir -p $(@D)
	$(call note,LINK)
	$(Q)$(CC) -std=c11 $(WARN) -O1 -g -fPIC -shared $< -o $@ -ldl

unit: $(UNIT)
	@tests/run $^

# The suite of this VARIANT, with nothing installed first; the slowest go first.
SEEDS ?= 2000
suite: all $(TESTS)
	@SYNCD_BUILD=$B tests/run --logs $B/log --summary build/summary $(SCRIPTS:%='$(PYTHON) %') \
		$(if $(PROGRAMS),$(call on,$(SAMPLE))) $(patsubst %,'% --seeds $(SEEDS)',$(filter %/sim,$(TESTS))) $(filter %/port,$(TESTS)) \
		$(patsubst %,'% $(wildcard tests/script/*.script)',$(filter %/script,$(TESTS))) \
		$(foreach f,$(FUZZ),'$f tests/fuzz/corpus/$(patsubst fuzz_%,%,$(notdir $f))') $(UNIT) \
		'contrib/layers $B'

JOBS = $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell getconf _NPROCESSORS_ONLN))
SUB = +@$(MAKE) --no-print-directory $(JOBS)

bootstrap:
	@contrib/bootstrap build test

check: bootstrap
	$(SUB) all
	$(SUB) VARIANT=asan suite

VALGRIND = valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite
soak: SEEDS = 200000
soak: bootstrap
	@contrib/bootstrap soak
	$(SUB) all $(CRASH) $(BENCH)
	@SYNCD_BUILD=build/release SYNCD_WRAPPER='$(VALGRIND)' tests/run --timeout 0 '$(PYTHON) tests/real/test_sync_changes.py'
	@SYNCD_BUILD=build/release CRASH_POINTS=0 EIO_POINTS=0 tests/run --timeout 0 '$(PYTHON) tests/crash/test_crash.py' \
		'$(PYTHON) tests/crash/test_eio.py'
	$(SUB) VARIANT=asan all $(patsubst $B/%,build/asan/%,$(call one,sim))
	@SYNCD_BUILD=build/asan KILLS=100 tests/run --timeout 0 $(call on,$(SYNCING))
	@SYNCD_BUILD=build/asan KILLS=2000 PULL_KILLS=200 CRASH_POINTS=0 tests/run --timeout 0 \
		'$(PYTHON) tests/real/test_sync_kills.py' '$(PYTHON) tests/real/test_pull_kills.py' \
		'$(PYTHON) tests/real/test_sync_hostile_cuts.py' '$(PYTHON) tests/real/test_pull_hostile_cuts.py' \
		$(patsubst $B/%,'build/asan/% --seeds $(SEEDS)',$(call one,sim))
	@SYNCD_BUILD=build/release tests/bench/bench.py million

TIME ?= 60
fuzz:
	@contrib/bootstrap build lint
	$(SUB) VARIANT=fuzz CC=clang fuzzers
	@for f in $(notdir $(FUZZ)); do n=$${f#fuzz_}; mkdir -p build/fuzz/corpus/$$n tests/fuzz/corpus/$$n; \
		build/fuzz/tests/fuzz/$$f -max_total_time=$(TIME) -artifact_prefix=build/fuzz/$$n- \
		build/fuzz/corpus/$$n tests/fuzz/corpus/$$n || exit 1; done
fuzzers: $(FUZZ)

bench:
	@contrib/bootstrap build test bench
	$(SUB) -s VARIANT=release all $(patsubst $B/%,build/release/%,$(BENCH))
	@SYNCD_BUILD=build/release $(PYTHON) tests/bench/bench.py $(SCENARIOS)

demo:
	@contrib/bootstrap build test
	$(SUB) -s all
	@SYNCD_BUILD=build/release $(PYTHON) contrib/demo

layers: $(call objs,src/sync/*.c src/proto/*.c)
	@contrib/layers $B

C_FILES = $(wildcard src/*/*.c syncd/*.c include/syncd/*.h)
# cppcheck does not know that must() never returns, hence the two suppressions.
lint: $(patsubst %,build/lint/%.ok,$(filter %.c,$(C_FILES)))
	cppcheck --quiet --error-exitcode=1 --std=c11 --enable=warning,performance,portability \
		--inline-suppr --suppress=missingIncludeSystem --suppress=arrayIndexOutOfBoundsCond \
		--suppress=nullPointerRedundantCheck -Iinclude src syncd
build/lint/%.ok: % .clang-tidy
	@mkdir -p $(@D)
	$(call note,TIDY)
	$(Q)clang-tidy --quiet $< -- $(filter-out $(OPT_$(VARIANT)),$(ALL_CFLAGS)) && touch $@
format-check:
	clang-format --dry-run --Werror $(C_FILES) $(wildcard tests/*/*.c)

D = $(DESTDIR)$(PREFIX)
put = $(if $(wildcard $(1)),install -d $(D)/$(2) && install -m $(3) $(wildcard $(1)) $(D)/$(2)/)
install: all
	$(if $(PROGRAMS),install -d $(D)/bin && install -m 755 $(PROGRAMS) $(D)/bin/)
	$(call put,syncd/*.1,share/man/man1,644)
	$(call put,syncd/*.5,share/man/man5,644)
	$(call put,contrib/completion/bash/*,share/bash-completion/completions,644)
	$(call put,contrib/completion/zsh/*,share/zsh/site-functions,644)
	$(call put,contrib/completion/fish/*,share/fish/vendor_completions.d,644)
	install -d $(D)/lib/systemd/user
	sed 's,/usr/local/bin,$(PREFIX)/bin,' contrib/syncd.service >$(D)/lib/systemd/user/syncd.service

clean:
	rm -rf build

help:
	@sed -n 's/^#: //p' Makefile
#: make                build build/release/syncd/syncd and syncctl
#: make debug, asan    the same without optimisation, or under sanitizers
#: make check          install what is missing, build, run every test under sanitizers
#: make suite          the tests alone, of this VARIANT=release|debug|asan
#: make unit           unit tests alone
#: make soak SEEDS=n   a crash and a broken disk at every call, a cut at every byte, 2,000 kills, valgrind,
#:                     the tests on Cyrus and Courier, the simulator for n seeds, a mailbox of a million
#: make fuzz TIME=s    each fuzzer for s seconds
#: make bench          speed and memory beside others, into docs/ (SCENARIOS=name: only that one)
#: make lint           clang-tidy and cppcheck (format-check: clang-format)
#: make layers         check which module includes which
#: make demo           sync a sample account with a throw-away server on loopback
#: make install        into DESTDIR, PREFIX=/usr/local

-include $(shell find build -name '*.d' 2>/dev/null)
.PHONY: all debug asan unit suite bootstrap check soak fuzz fuzzers bench demo layers lint format-check \
	install clean help
.SECONDARY:
