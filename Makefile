# Compiles what is here with the compiler and the libraries that build.sh prepared.
# SPDX-License-Identifier: Apache-2.0
#
#   make [APPLETS="spec run"] [CC=...] [CFLAGS=...] [V=1]    build/shimbox
#   make debug tests                  with sanitizers and glibc; the test programs
#   make small                        build/small/shimbox: init alone, as small as can be
#   make initramfs [FILES="FILE[:PLACE]..."]   build/initramfs, which boots
#   make install uninstall PREFIX=/usr/local DESTDIR=        man completions lint bench fuzz dist clean

VERSION := 0.1.0

comma := ,
MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:
Q := $(if $(filter 1,$(V)),,@)

NATIVE := $(shell uname -m)
ARCH ?= $(NATIVE)
OUT := build$(if $(filter-out $(NATIVE),$(ARCH)),/$(ARCH))
DEPS := build/deps/$(ARCH)
PREFIX ?= /usr/local

.PHONY: all
all:

# Targets that need no toolchain.
PLAIN := clean dist lint lint-cheap fuzz debug
COMPILES := $(filter-out $(PLAIN),$(or $(MAKECMDGOALS),all))
ifneq ($(COMPILES),)
ifeq ($(wildcard $(DEPS)/toolchain.mk),)
$(error the toolchain and static libraries for $(ARCH) are not there yet: run ./build.sh$(if \
    $(filter-out $(NATIVE),$(ARCH)), --arch $(ARCH)))
endif
endif
-include $(DEPS)/toolchain.mk
ifeq ($(origin CC),default)
CC := $(or $(TOOLCHAIN_CC),gcc)
endif

# ---- sources ----

CORE := $(sort $(wildcard core/*/*.c))
ALL_APPLETS := $(patsubst applets/%.c,%,$(sort $(wildcard applets/*.c)))
APPLETS ?= $(ALL_APPLETS)
UNKNOWN := $(filter-out $(ALL_APPLETS),$(APPLETS))
ifneq ($(UNKNOWN),)
$(error no such applet: $(UNKNOWN); there are: $(ALL_APPLETS))
endif
APPLET_SOURCES := $(patsubst %,applets/%.c,$(sort $(APPLETS)))
SOURCES := $(CORE) $(APPLET_SOURCES)

# An applet of these, asked for alone, gets a binary as small as can be: without the options that
# stand before an applet's name, without --trace, and with small/ in place of larger parts of libc.
# They use neither JSON nor names of capabilities: no library but libc is linked. Nor containers.
SMALL := $(if $(filter 1,$(words $(sort $(APPLETS)))),$(filter init,$(APPLETS)))
ifneq ($(SMALL),)
SOURCES := $(filter-out core/base/front.c core/base/trace.c,$(filter core/base/% core/linux/%,$(CORE))) \
    $(sort $(wildcard small/*.c)) $(APPLET_SOURCES)
endif
CHAIN := $(sort $(wildcard tests/chain/*.c))

# ---- flags ----

LANGUAGE := -std=gnu11 -D_GNU_SOURCE -I. -DSHIMBOX_VERSION='"$(VERSION)"'
WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Werror
# No unwind tables: nothing throws, and they are a tenth of the file.
HARDENING := -fPIE -fstack-protector-strong -fno-asynchronous-unwind-tables -fno-unwind-tables
SECTIONS := -ffunction-sections -fdata-sections -ffile-prefix-map=$(CURDIR)=.
# gcc would align tables to 32 bytes on x86-64; clang has no such option.
ALIGNMENT := $(if $(and $(filter x86_64,$(ARCH)),$(findstring gcc,$(CC))),-malign-data=abi)
# Small rather than fast: start-up counts, and that is pages touched.
CFLAGS ?= -Os
RELEASE := $(LANGUAGE) $(WARNINGS) $(HARDENING) $(SECTIONS) $(ALIGNMENT) $(CFLAGS) $(TOOLCHAIN_CPPFLAGS) $(CPPFLAGS)

# No relro: in a static program nobody would protect those pages, and it takes a page more.
# Code in pages of its own, so that constants cannot be executed. On x86-64 this costs 4 KiB; where
# pages may be 64 KiB (aarch64) it would cost that much, so there the linker's default stays.
# Objects, not an archive: an archive would leave applets out. No -flto: it wins nothing here.
SEPARATE := $(if $(filter x86_64,$(ARCH)),-Wl$(comma)-z$(comma)separate-code)
JSON := -ljson-c -lcap-ng -lseccomp
# What every start and every container needs together, in few pages. For another linker: LAYOUT=.
LAYOUT := -Wl,-T,layout.ld
# The heap's first pages are core/linux/pages.c's.
HEAP := -Wl,--wrap=__mmap,--wrap=munmap
# A child that shares memory has a heap of its own, where it can be: core/base/annex.h.
ANNEX := $(if $(filter x86_64 aarch64,$(ARCH)),-Wl$(comma)--wrap=malloc$(comma)--wrap=calloc$(comma)--wrap=realloc$(comma)--wrap=free)
ifneq ($(SMALL),)
# Two segments, not four: up to two pages less of file and of memory. Ten kilobytes of text and
# tables can be executed then, beside three times as much code that offers all they could.
SEPARATE := $(if $(filter x86_64,$(ARCH)),-Wl$(comma)-z$(comma)noseparate-code)
RELEASE += -DSHIMBOX_NO_TRACE -DSHIMBOX_NO_ANNEX
ANNEX :=
JSON :=
LAYOUT :=
endif
LINK := $(TOOLCHAIN_START) -Wl,--gc-sections -Wl,-z,norelro,-z,now,-z,noexecstack $(SEPARATE) \
    -Wl,--build-id=none -Wl,--hash-style=gnu -Wl,-O1 -s
LIBRARIES := $(JSON) $(TOOLCHAIN_END)

DEBUG_CC ?= gcc
# A sanitizer's report has lines; for a debugger, with variables (DEBUG_INFO=-g), it compiles a tenth longer.
DEBUG_INFO ?= -g1
DEBUG := $(LANGUAGE) $(WARNINGS) -O1 $(DEBUG_INFO) -fno-omit-frame-pointer -fstack-protector-strong \
    -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-pie
# The tests start it ten thousands of times: without libraries to relocate that takes half as long.
DEBUG_LIBRARIES := -no-pie -static-libasan -static-libubsan -l:libjson-c.a -l:libcap-ng.a -l:libseccomp.a

# $(call record,FILE,TEXT): FILE holds TEXT, and is newer than whatever was made with another one.
same = $(and $(findstring <$1>,<$2>),$(findstring <$2>,<$1>))
record = $(if $(call same,$(strip $(file <$1)),$(strip $2)),,$(shell mkdir -p $(dir $1))$(file >$1,$(strip $2)))

# ---- the binary ----

OBJECTS := $(SOURCES:%.c=$(OUT)/obj/%.o)
ifneq ($(SMALL),)
# core as an archive: what nothing asks for brings none of libc with it either.
CORE_OBJECTS := $(filter $(OUT)/obj/core/%,$(OBJECTS))
OBJECTS := $(filter-out $(CORE_OBJECTS),$(OBJECTS)) $(OUT)/obj/core.a
$(OUT)/obj/core.a: $(CORE_OBJECTS)
	@rm -f $@
	$(Q)ar rcs $@ $^
endif
SANITIZER := build/debug/obj/tests/debug/sanitizer.o
# The sanitizers have a malloc() of their own.
DEBUG_OBJECTS := $(patsubst %.c,build/debug/obj/%.o,$(CORE) $(APPLET_SOURCES)) $(SANITIZER)

.PHONY: debug tests
all: $(OUT)/shimbox
debug: build/debug/shimbox

ifneq ($(COMPILES),)
$(call record,$(OUT)/obj/compile,$(CC) $(RELEASE))
$(call record,$(OUT)/obj/link,$(CC) $(CFLAGS) $(LDFLAGS) $(LINK) $(HEAP) $(ANNEX) $(LAYOUT) $(LIBRARIES) $(SOURCES))
endif
ifneq ($(filter debug tests,$(MAKECMDGOALS)),)
$(call record,build/debug/obj/compile,$(DEBUG_CC) $(DEBUG))
$(call record,build/debug/obj/link,$(DEBUG_LIBRARIES) $(SOURCES))
endif

$(OUT)/obj/%.o: %.c $(OUT)/obj/compile $(wildcard $(DEPS)/key)
	@mkdir -p $(@D)
	$(Q)$(CC) $(RELEASE) -MMD -MP -c $< -o $@

# What defines malloc() and the like must not be compiled as if it called them.
$(OUT)/obj/small/%.o: private RELEASE += -fno-builtin

build/debug/obj/%.o: %.c build/debug/obj/compile
	@mkdir -p $(@D)
	$(Q)$(DEBUG_CC) $(DEBUG) -MMD -MP -c $< -o $@

$(OUT)/shimbox: $(OBJECTS) $(OUT)/obj/link $(if $(LAYOUT),layout.ld)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $(LINK) $(HEAP) $(ANNEX) $(LAYOUT) -o $@ $(OBJECTS) $(LIBRARIES)

build/debug/shimbox: $(DEBUG_OBJECTS) build/debug/obj/link
	$(Q)$(DEBUG_CC) $(DEBUG) -o $@ $(DEBUG_OBJECTS) $(DEBUG_LIBRARIES)

# The order of sections in the binary, anew: as root, after the code has changed much. Two minutes.
.PHONY: layout
layout: $(OBJECTS)
	@mkdir -p $(OUT)/layout
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $(LINK) $(HEAP) $(ANNEX) -Wl,-Map=$(OUT)/layout/map -o $(OUT)/layout/shimbox $(OBJECTS) $(LIBRARIES)
	$(Q)$(DEBUG_CC) -O2 -Wall -Wextra -o $(OUT)/layout/visited tests/layout/visited.c
	unshare --mount --propagation private tests/layout/layout.py $(OUT)/layout/shimbox $(OUT)/layout/map \
	    $(OUT)/layout/visited layout.ld

# The smallest one, of init alone, beside the whole one: for tests and bench.
.PHONY: small
small:
	$(Q)$(MAKE) --no-print-directory OUT=$(OUT)/small APPLETS=init $(OUT)/small/shimbox

# ---- what the tests need ----

CORE_TESTS := $(patsubst %.c,build/debug/%,$(sort $(wildcard tests/core/*.c)))
tests: small build/tests/probe build/tests/deny build/tests/stepper $(CORE_TESTS) $(if $(CHAIN),$(OUT)/test-shimbox build/debug/test-shimbox)

# An archive here, so that a test may replace a function of core.
build/debug/core.a: $(CORE:%.c=build/debug/obj/%.o)
	@rm -f $@
	$(Q)ar rcs $@ $^

build/debug/tests/core/%: tests/core/%.c build/debug/core.a build/debug/obj/compile
	@mkdir -p $(@D)
	$(Q)$(DEBUG_CC) $(DEBUG) -MMD -MP -o $@ $< $(LINKED) build/debug/core.a -lcmocka $(DEBUG_LIBRARIES)

# The targets of tests/fuzz, all in one, with the inputs that they start from (tests/core/fuzz.c).
REPLAYED := $(sort $(wildcard tests/fuzz/*.c))
build/debug/replay/%.o: tests/fuzz/%.c build/debug/obj/compile
	@mkdir -p $(@D)
	$(Q)$(DEBUG_CC) $(DEBUG) -DLLVMFuzzerTestOneInput=fuzz_$* -MMD -MP -c $< -o $@
build/debug/tests/core/fuzz: $(REPLAYED:tests/fuzz/%.c=build/debug/replay/%.o)
build/debug/tests/core/fuzz: private DEBUG += -DTARGETS='$(foreach name,$(REPLAYED:tests/fuzz/%.c=%),TARGET($(name)))'
build/debug/tests/core/fuzz: private LINKED = $(REPLAYED:tests/fuzz/%.c=build/debug/replay/%.o)

# Facts from inside a container, told by a program that shares nothing with core.
build/tests/probe: $(sort $(wildcard tests/probe/*.[ch])) $(OUT)/obj/compile
	@mkdir -p $(@D)
	$(Q)$(CC) $(RELEASE) $(LINK) -o $@ $(filter %.c,$^) $(TOOLCHAIN_END)

# A kernel that lacks one system call.
build/tests/deny: tests/faults/deny.c $(OUT)/obj/compile
	@mkdir -p $(@D)
	$(Q)$(CC) $(RELEASE) $(LINK) -o $@ $< $(TOOLCHAIN_END)

# Counts system calls step by step, and disturbs one of them.
build/tests/syscalls.h: $(OUT)/obj/compile
	@mkdir -p $(@D)
	$(Q)echo '#include <sys/syscall.h>' | $(CC) $(RELEASE) -dM -E - | \
	    sed -n 's/^#define __NR_\([a-z0-9_]*\) .*/{__NR_\1, "\1"},/p' >$@
build/tests/stepper: tests/faults/stepper.c build/tests/syscalls.h $(OUT)/obj/compile
	@mkdir -p $(@D)
	$(Q)$(CC) $(RELEASE) -Ibuild/tests $(LINK) -o $@ $< $(TOOLCHAIN_END)

# core with the links of tests/chain in place of the applets.
TEST_SOURCES := $(CORE) $(CHAIN)
$(OUT)/test-shimbox: $(TEST_SOURCES:%.c=$(OUT)/obj/%.o) $(OUT)/obj/link
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $(LINK) $(HEAP) $(ANNEX) -o $@ $(filter %.o,$^) $(LIBRARIES)
build/debug/test-shimbox: $(TEST_SOURCES:%.c=build/debug/obj/%.o) $(SANITIZER) build/debug/obj/link
	$(Q)$(DEBUG_CC) $(DEBUG) -o $@ $(filter %.o,$^) $(DEBUG_LIBRARIES)

# ---- manual and completions: told by the binary itself ----

RUN := $(if $(filter-out $(NATIVE),$(ARCH)),qemu-$(ARCH)-static) $(OUT)/shimbox
# A small binary cannot tell: its applet's page and completions are the whole one's.
ifeq ($(SMALL),)
PAGES := $(OUT)/man/shimbox.1 $(patsubst %,$(OUT)/man/shimbox-%.1,$(sort $(APPLETS)))
COMPLETIONS := $(OUT)/completions/shimbox.bash $(OUT)/completions/shimbox.zsh \
    $(OUT)/completions/shimbox.fish
endif

.PHONY: man completions install uninstall
man: $(PAGES)
completions: $(COMPLETIONS)

$(OUT)/man/shimbox.1: $(OUT)/shimbox
	@mkdir -p $(@D)
	$(Q)$(RUN) --man >$@
$(OUT)/man/shimbox-%.1: $(OUT)/shimbox
	@mkdir -p $(@D)
	$(Q)$(RUN) --man $* >$@
$(OUT)/completions/shimbox.%: $(OUT)/shimbox
	@mkdir -p $(@D)
	$(Q)$(RUN) --completions $* >$@

BINARY := $(DESTDIR)$(PREFIX)/bin/shimbox
MAN := $(DESTDIR)$(PREFIX)/share/man/man1
BASH_COMPLETION := $(DESTDIR)$(PREFIX)/share/bash-completion/completions/shimbox
ZSH_COMPLETION := $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_shimbox
FISH_COMPLETION := $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/shimbox.fish

install: all man completions
	$(Q)install -D -m 755 $(OUT)/shimbox '$(BINARY)'
ifeq ($(SMALL),)
	$(Q)install -d '$(MAN)'
	$(Q)install -m 644 $(PAGES) '$(MAN)'
	$(Q)install -D -m 644 $(OUT)/completions/shimbox.bash '$(BASH_COMPLETION)'
	$(Q)install -D -m 644 $(OUT)/completions/shimbox.zsh '$(ZSH_COMPLETION)'
	$(Q)install -D -m 644 $(OUT)/completions/shimbox.fish '$(FISH_COMPLETION)'
endif

uninstall:
	$(Q)rm -f '$(BINARY)' '$(BASH_COMPLETION)' '$(ZSH_COMPLETION)' '$(FISH_COMPLETION)' \
	    $(patsubst $(OUT)/man/%,'$(MAN)/%',$(PAGES))

# ---- a machine: the binary as /init, and FILES ----

.PHONY: initramfs
initramfs: $(OUT)/shimbox
	$(Q)./initramfs.sh $< $(OUT)/initramfs $(FILES)
	@echo $(OUT)/initramfs

# ---- checks ----

.PHONY: lint lint-cheap bench trace-picture fuzz dist clean
lint-cheap:
	$(Q)tests/lint/all.sh cheap
lint:
	$(Q)tests/lint/all.sh

bench: all small
	$(Q)$(MAKE) --no-print-directory OUT=$(OUT)/bench/no-trace \
	    CPPFLAGS="$(CPPFLAGS) -DSHIMBOX_NO_TRACE" $(OUT)/bench/no-trace/shimbox
	$(Q)SHIMBOX=$(OUT)/shimbox tests/bench/run.sh

trace-picture: all
	@mkdir -p docs
	$(Q)SHIMBOX=$(OUT)/shimbox tests/bench/trace_picture.sh >$(OUT)/trace.svg
	$(Q)mv $(OUT)/trace.svg docs/trace.svg

FUZZ_CC ?= clang
FUZZ_SECONDS ?= 30
FUZZ := $(LANGUAGE) -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined
FUZZERS := $(patsubst %.c,build/%,$(sort $(wildcard tests/fuzz/*.c)))

# Each runs for FUZZ_SECONDS; what it finds stays in build/tests/fuzz/NAME.corpus.
fuzz: $(FUZZERS)
	$(Q)$(if $(FUZZERS),,echo "no fuzz targets (tests/fuzz/*.c)")
	$(Q)set -e; for fuzzer in $(FUZZERS); do \
	    mkdir -p $$fuzzer.corpus; seeds=tests/fuzz/$${fuzzer##*/}.seeds; \
	    $$fuzzer -max_total_time=$(FUZZ_SECONDS) -artifact_prefix=$$fuzzer. $$fuzzer.corpus \
	        $$([ ! -d $$seeds ] || echo $$seeds); \
	done

build/fuzz/obj/%.o: %.c
	@mkdir -p $(@D)
	$(Q)$(FUZZ_CC) $(FUZZ) -fsanitize=fuzzer-no-link -MMD -MP -c $< -o $@
# An archive: core's main() would be a second one.
build/fuzz/core.a: $(CORE:%.c=build/fuzz/obj/%.o)
	@rm -f $@
	$(Q)ar rcs $@ $^
build/tests/fuzz/%: tests/fuzz/%.c build/fuzz/core.a
	@mkdir -p $(@D)
	$(Q)$(FUZZ_CC) $(FUZZ) -fsanitize=fuzzer -o $@ $< build/fuzz/core.a -ljson-c -lcap-ng -lseccomp

# The same commit gives the same bytes; outside git, the same files do.
TARBALL := build/shimbox-$(VERSION).tar.gz
dist:
	@mkdir -p build
	$(Q)if [ -e .git ]; then git archive --format=tar --prefix=shimbox-$(VERSION)/ HEAD; else \
	    tar -c --exclude=./build --sort=name --format=ustar --numeric-owner --owner=0 --group=0 \
	        --mode=u+rw,go+r-w --mtime=@0 --transform='s,^\.,shimbox-$(VERSION),' .; fi \
	    | gzip -9n >$(TARBALL)
	@echo $(TARBALL)

clean:
	$(Q)rm -rf $(OUT)/obj $(OUT)/shimbox $(OUT)/test-shimbox $(OUT)/initramfs $(OUT)/man $(OUT)/completions \
	    $(OUT)/small build/debug build/tests build/fuzz build/shimbox-*.tar.gz

-include $(shell find $(OUT)/obj build/debug build/fuzz/obj -type f -name '*.d' 2>/dev/null)
