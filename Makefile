# sluice: `make help` lists the targets. Needs what scripts/bootstrap installs.
#
# Kbuild-like: each folder's Kbuild lists obj-y (and obj-$(CONFIG_X)); nothing is listed here
# but the folders. One archive holds the objects of all layers; programs and tests link with it,
# so that each takes only the objects that it needs.

VERSION := 0.1.0
O ?= build
PREFIX ?= /usr/local
DESTDIR ?=
UNITDIR ?= $(PREFIX)/lib/systemd/system
LIBDIR ?= $(PREFIX)/lib
SAN ?=
T ?=
V ?= 0
JOBS ?= $(shell nproc)
FUZZ_SECONDS ?= 600
CLANG ?= clang
CLANG_FORMAT ?= clang-format
# Debian keeps bpftool where only root's PATH looks.
BPFTOOL ?= $(shell PATH="$$PATH:/usr/sbin:/sbin" command -v bpftool)

MAKEFLAGS += --no-builtin-rules --no-builtin-variables
.SUFFIXES:
.SECONDEXPANSION:
.SECONDARY:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

# ---- configuration -----------------------------------------------------------------------
# CONFIG_ names come from the architecture and from an optional config.mk.
ARCH := $(shell uname -m)
CONFIG_X86_64 := $(if $(filter x86_64,$(ARCH)),y)
CONFIG_AARCH64 := $(if $(filter aarch64,$(ARCH)),y)
# The programs that run in the kernel: y where the tools that make them are there.
CONFIG_BPF := $(if $(shell command -v $(CLANG)),$(if $(BPFTOOL),$(shell pkg-config \
	--exists libbpf 2>/dev/null && echo y)))
-include config.mk

ifneq ($(filter default undefined,$(origin CC)),)
CC := cc
endif
ifneq ($(filter default undefined,$(origin AR)),)
AR := ar
endif
ifneq ($(filter default undefined,$(origin LD)),)
LD := ld
endif
OBJCOPY ?= objcopy
ifneq ($(filter-out address undefined thread,$(SAN)),)
$(error SAN is address, undefined or thread, not '$(SAN)')
endif

# B is where this build's objects go: each sanitizer and the fuzzers have their own.
B := $(O)$(if $(SAN),/san-$(SAN))$(if $(FUZZING),/fuzz)

# ---- flags -------------------------------------------------------------------------------
packages := liburing libisal libxxhash libzstd liblz4 snappy zlib libllhttp libnghttp2 yyjson inih \
	libcap libsystemd ncurses numa libcares libssl libcrypto \
	$(if $(filter y,$(CONFIG_BPF)),libbpf)

WARN := -Wall -Wextra -Werror -Wshadow -Wvla -Wmissing-prototypes -Wstrict-prototypes \
	-Wno-unused-parameter -Wno-missing-field-initializers
CFLAGS ?= -O2 -g
arch-flags := $(if $(CONFIG_X86_64),-march=x86-64-v2)
, := ,
san-flags := $(strip $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all) \
	$(if $(FUZZING),-fsanitize=fuzzer-no-link$(,)address$(,)undefined \
	-fno-sanitize-recover=all))

cpp-flags := -D_GNU_SOURCE $(if $(SAN)$(FUZZING),-DSL_DEBUG) -DSL_VERSION='"$(VERSION)"' \
	-Iinclude -iquote .
c-flags := -std=gnu11 $(arch-flags) -fno-omit-frame-pointer -fno-strict-aliasing -pthread \
	-fno-common $(CFLAGS) $(WARN) $(san-flags)
ld-flags := -pthread $(san-flags) $(LDFLAGS)

ifeq ($(filter help clean format,$(MAKECMDGOALS)),)
pkg-flags := $(shell pkg-config --cflags $(packages) 2>/dev/null || echo missing)
ifeq ($(pkg-flags),missing)
$(error a library is missing: run scripts/bootstrap build ($(shell \
	for p in $(packages); do pkg-config --exists $$p || printf '%s ' $$p; done)))
endif
pkg-libs := $(shell pkg-config --libs $(packages))
endif
# A program is linked only to the libraries that it calls. CRoaring comes without a .pc file.
libs := -Wl,--as-needed $(pkg-libs) -lroaring -lm

# Freestanding, so that no header of the C library is looked at; the kernel's own ones of Debian
# are below the architecture's name.
bpf-flags := -target bpf -mcpu=v3 -g -O2 -ffreestanding -Wall -Wextra -Werror \
	-Wno-unused-parameter -Iinclude -iquote . -idirafter /usr/include/$(ARCH)-linux-gnu

# ---- the folders and what their Kbuild lists -----------------------------------------------
dirs := uring bpf dataplane segments vectors stores/static stores/topics stores/cache \
	stores/objects proto/kafka proto/http lib apis/static apis/cache apis/proxy apis/qdrant \
	apis/weaviate tools
# Tests run in this order: those that take longest begin first.
test-dirs := tests $(addprefix tests/,faults include uring bpf dataplane segments vectors \
	stores/static stores/topics stores/cache stores/objects proto/kafka proto/http lib \
	apis apis/static apis/cache apis/proxy apis/qdrant apis/weaviate tools tools/bench \
	tools/sluice tools/sluiced clients kernels)

# A Kbuild sets, relative to its folder:
#   obj-y      objects of the layer
#   bpf-y      programs for the kernel: x.bpf.o becomes the x.skel.h that x.c includes (bpf/ only)
#   prog-y     programs; NAME-main is the object with main() (tools/ only)
#   bench-y    the same for programs of benchmarks, which are not installed
#   test-y     test programs, each of one source (tests/ only)
#   helper-y   objects that test programs may use (tests/ only)
#   tool-y     programs that tests in shell use, each of one source (tests/ only)
define load-kbuild
obj-y :=
bpf-y :=
prog-y :=
bench-y :=
test-y :=
helper-y :=
tool-y :=
include $(1)/Kbuild
objs += $$(addprefix $(1)/,$$(obj-y))
bpfs += $$(addprefix $(1)/,$$(bpf-y))
progs += $$(prog-y)
benches += $$(bench-y)
$$(foreach p,$$(prog-y) $$(bench-y),$$(eval main-$$(p) := $(1)/$$($$(p)-main)))
tests += $$(addprefix $(1)/,$$(test-y))
helpers += $$(addprefix $(1)/,$$(helper-y))
test-tools += $$(addprefix $(1)/,$$(tool-y))
endef
objs :=
bpfs :=
progs :=
benches :=
tests :=
helpers :=
test-tools :=
kbuilds := $(addsuffix /Kbuild,$(dirs) $(test-dirs))
$(foreach d,$(dirs) $(test-dirs),$(if $(wildcard $(d)/Kbuild),$(eval $(call load-kbuild,$(d)))))

lib := $(B)/sluice.a
testlib := $(B)/tests/tests.a
lib-objs := $(addprefix $(B)/,$(objs))
bpf-objs := $(addprefix $(B)/,$(bpfs))
bpf-loaders := $(bpf-objs:.bpf.o=.o)
pic-loaders := $(bpf-loaders:$(B)/%=$(B)/pic/%)
testlib-objs := $(addprefix $(B)/,$(helpers))
prog-bins := $(addprefix $(B)/,$(progs))
bench-bins := $(addprefix $(B)/,$(benches))
prog-mains := $(foreach p,$(progs) $(benches),$(B)/$(main-$(p)))
test-bins := $(addprefix $(B)/,$(tests))
tool-bins := $(addprefix $(B)/,$(test-tools))
fuzz-names := $(basename $(notdir $(wildcard tests/fuzz/$(T)*_fuzz.c)))
fuzz-bins := $(addprefix $(B)/tests/fuzz/,$(fuzz-names))
client-tests := $(sort $(wildcard $(addprefix tests/clients/*_test,.py .sh) tests/clients/*_test))
script-tests := $(if $(SAN),,scripts/check-layers scripts/tidy \
	$(sort $(wildcard tests/scripts/*_test.sh)))
all-objs := $(lib-objs) $(testlib-objs) $(prog-mains) $(addsuffix .o,$(test-bins) $(tool-bins)) \
	$(if $(FUZZING),$(addsuffix .o,$(fuzz-bins)))
# libsluice: position-independent objects of its own: lib/ and vectors/, and of the others those
# that they call.
so-name := libsluice.so.0
so-file := $(B)/libsluice.so.$(VERSION)
pic-objs := $(addprefix $(B)/pic/,$(filter-out stores/static/% stores/topics/% proto/% \
	apis/% tools/%,$(objs)))
pic-lib := $(filter $(B)/pic/lib/% $(B)/pic/vectors/%,$(pic-objs))
lib-packages := liburing libisal libxxhash yyjson inih numa libssl libcrypto \
	$(if $(filter y,$(CONFIG_BPF)),libbpf)
lib-files := $(if $(SAN)$(FUZZING),,$(so-file) $(B)/libsluice.so $(B)/libsluice.a \
	$(B)/libsluice.pc)
man-pages := $(patsubst docs/man/%.in,$(B)/man/%,$(wildcard docs/man/*.in)) \
	$(B)/man/sluice.conf.5

# ---- rules -------------------------------------------------------------------------------
ifeq ($(V),0)
Q := @
say = @$(if $(findstring s,$(firstword -$(MAKEFLAGS))),,printf '  %-7s %s\n' '$(1)' '$(2)';)
else
Q :=
say =
endif
short = $(patsubst $(B)/%,%,$(1))

# Objects are rebuilt when the flags change; the stamp is rewritten only then.
flags-now := $(CC) $(cpp-flags) $(pkg-flags) $(c-flags) $(ld-flags) $(libs) $(bpf-flags)
ifeq ($(filter help clean format,$(MAKECMDGOALS)),)
ifneq ($(strip $(file <$(B)/.flags)),$(strip $(flags-now)))
$(shell mkdir -p $(B))
$(file >$(B)/.flags,$(flags-now))
endif
# The same for the list of objects, so that a removed one leaves the archive.
ifneq ($(strip $(file <$(B)/.objects)),$(or $(strip $(lib-objs)),none))
$(file >$(B)/.objects,$(or $(lib-objs),none))
endif
endif

## all: build the programs and libsluice (the default)
all: $(prog-bins) $(bench-bins) $(lib-files)

programs: $(prog-bins) $(bench-bins)
## tests: build every test program
tests: $(test-bins) $(tool-bins) $(B)/tests/runner

$(B)/tests/%.o: cpp-flags += -Itests

$(B)/%.o: %.c $(B)/.flags | $$(@D)/.dir
	$(call say,CC,$(call short,$@)) $(CC) $(cpp-flags) $(pkg-flags) $(c-flags) -MMD -MP \
		-c -o $@ $<

# Loops over vectors, and nothing else: the thread sanitizer would look at each of their loads, of
# memory that is their callers', who are looked at.
ifeq ($(SAN),thread)
$(addprefix $(B)/,$(filter vectors/distance_% vectors/scan_%,$(objs))): c-flags += \
	-fno-sanitize=thread
endif

$(B)/%.o: %.S $(B)/.flags | $$(@D)/.dir
	$(call say,AS,$(call short,$@)) $(CC) $(cpp-flags) $(c-flags) -MMD -MP \
		-c -o $@ $<

# The compiler does not tell of what .incbin takes in.
$(B)/proto/http/status_files.o: $(wildcard proto/http/status/*)

# -isystem: what bpftool writes is not held to our warnings.
$(bpf-loaders) $(pic-loaders): cpp-flags += -isystem $(B)/bpf
$(bpf-loaders): $(B)/%.o: $(B)/%.skel.h
$(pic-loaders): $(B)/pic/%.o: $(B)/%.skel.h

$(B)/%.bpf.o: %.bpf.c $(B)/.flags | $$(@D)/.dir
	$(call say,BPF,$(call short,$@)) $(CLANG) $(bpf-flags) -MMD -MP -c -o $@ $<

$(B)/%.skel.h: $(B)/%.bpf.o
	$(call say,SKEL,$(call short,$@)) $(BPFTOOL) gen skeleton $< >$@

%/.dir:
	@mkdir -p $(@D) && : >$@

# Thin archives, members by their full path: two folders may have a file of the same name.
$(lib): $(lib-objs) $(B)/.objects
	$(call say,AR,$(call short,$@)) rm -f $@ && $(AR) qcsTP $@ $(lib-objs)

$(testlib): $(testlib-objs) | $$(@D)/.dir
	$(call say,AR,$(call short,$@)) rm -f $@ && $(AR) qcsTP $@ $(testlib-objs)

$(B)/pic/%.o: %.c $(B)/.flags | $$(@D)/.dir
	$(call say,PIC,$(call short,$@)) $(CC) $(cpp-flags) $(pkg-flags) $(c-flags) -fPIC -MMD -MP \
		-c -o $@ $<

$(B)/pic/%.o: %.S $(B)/.flags | $$(@D)/.dir
	$(call say,PIC,$(call short,$@)) $(CC) $(cpp-flags) $(c-flags) -fPIC -MMD -MP -c -o $@ $<

$(B)/pic/others.a: $(filter-out $(pic-lib),$(pic-objs)) $(B)/.objects
	$(call say,AR,$(call short,$@)) rm -f $@ && $(AR) qcsTP $@ $(filter %.o,$^)

$(so-file): $(pic-lib) $(B)/pic/others.a lib/libsluice.map
	$(call say,LD,$(call short,$@)) $(CC) $(ld-flags) -shared -Wl,-soname,$(so-name) \
		-Wl,--version-script=lib/libsluice.map -Wl,-z,defs -Wl,--gc-sections -o $@ \
		$(pic-lib) $(B)/pic/others.a $(libs)

$(B)/$(so-name) $(B)/libsluice.so: $(so-file)
	$(Q)ln -sf $(notdir $(so-file)) $(B)/$(so-name)
	$(Q)ln -sf $(so-name) $(B)/libsluice.so

# One object, in which nothing is visible but what the map names.
$(B)/libsluice.a: $(pic-lib) $(B)/pic/others.a lib/libsluice.map
	$(call say,AR,$(call short,$@)) $(LD) -r -o $(B)/pic/libsluice.o $(pic-lib) \
		$(B)/pic/others.a && sed -n 's/;/\n/gp' lib/libsluice.map | \
		sed -n 's/^[[:space:]]*\(sl_[a-z_]*\)$$/\1/p' >$(B)/pic/symbols && \
		$(OBJCOPY) --keep-global-symbols=$(B)/pic/symbols $(B)/pic/libsluice.o && \
		rm -f $@ && $(AR) qcs $@ $(B)/pic/libsluice.o

# Those of the libraries that the shared one needs.
$(B)/libsluice.pc: lib/libsluice.pc.in $(so-file) $(B)/.flags
	$(Q)sed 's|@VERSION@|$(VERSION)|g; s|@REQUIRES@|$(lib-packages)|g' $< >$@

define program-rule
$(B)/$(1): $(B)/$(main-$(1)) $(lib)
endef
$(foreach p,$(progs) $(benches),$(eval $(call program-rule,$(p))))
$(prog-bins) $(bench-bins):
	$(call say,LD,$(call short,$@)) $(CC) $(ld-flags) -o $@ $< $(lib) $(libs)

$(test-bins) $(tool-bins): %: %.o $(testlib) $(lib)
	$(call say,LD,$(call short,$@)) $(CC) $(ld-flags) -o $@ $< $(testlib) $(lib) $(libs)

$(B)/tests/runner: $(B)/tests/runner.o
	$(call say,LD,$(call short,$@)) $(CC) $(ld-flags) -o $@ $<

$(fuzz-bins): %: %.o $(testlib) $(lib)
	$(call say,LD,$(call short,$@)) $(CC) $(ld-flags) -fsanitize=fuzzer -o $@ $< $(testlib) \
		$(lib) $(libs)

-include $(patsubst %.o,%.d,$(all-objs) $(pic-objs) $(bpf-objs) $(B)/tests/runner.o \
	$(B)/docs/man/conf_man.o)

# ---- tests -------------------------------------------------------------------------------
# T picks tests by a prefix of their path below tests/ (or of scripts/..., clients/...).
canary := $(filter tests/canary_test,$(tests))
pick = $(if $(T),$(filter $(addsuffix %,$(T) $(addprefix tests/,$(T))),$(1)),$(1))
picked := $(call pick,$(filter-out tests/canary_test,$(tests)))
picked-bins := $(addprefix $(B)/,$(picked))
picked-scripts := $(call pick,$(script-tests)) $(call pick,$(client-tests))
runner-flags = -j $(JOBS) -d $(B) $(if $(filter-out 0,$(V)),-v) $(if $(canary),-c $(B)/$(canary)) \
	$(if $(SAN),-x 4 -r) $(if $(filter thread,$(SAN)),-w $(WORK_PART)) \
	$(if $(SUMMARY),-s $(SUMMARY))
san-env := $(if $(SAN),ASAN_OPTIONS=detect_stack_use_after_return=0:detect_leaks=1 \
	UBSAN_OPTIONS=print_stacktrace=1 TSAN_OPTIONS=second_deadlock_stack=1)

# The thread sanitizer finds nothing where one thread does everything: it is given one in so many of
# the cases of such tests. The other sanitizers and the plain run do them all.
WORK_PART ?= 8

# One layer's tests do without the programs; those of the whole daemon need them.
layer-only := $(if $(filter-out $(addsuffix %,include uring bpf dataplane segments vectors \
	stores proto lib apis harness),$(T:tests/%=%)),,$(T))

# What the short form of check-kernels takes along.
vm-bins := $(if $(filter %/vm_test.sh,$(picked-scripts)),$(filter $(B)/tests/uring/% \
	$(B)/tests/dataplane/%,$(test-bins)))

# What installing would build, so that its test does not spend its time on it.
install-files := $(if $(filter %/install_test.sh,$(picked-scripts)),$(lib-files) $(man-pages))

check-built: $(if $(layer-only),,$(prog-bins) $(bench-bins)) $(picked-bins) $(vm-bins) \
	$(install-files) \
	$(if $(canary),$(B)/$(canary)) $(B)/tests/runner

## check: run the tests; T=segments/log picks by path prefix, V=1 shows all
check: check-built
	$(Q)SLUICE_BUILD=$(abspath $(B)) $(san-env) $(B)/tests/runner $(runner-flags) \
		$(picked-scripts) $(picked-bins)

## check-units: run the C tests only (what scripts/check does under each sanitizer)
check-units: check-built
	$(Q)SLUICE_BUILD=$(abspath $(B)) $(san-env) $(B)/tests/runner $(runner-flags) $(picked-bins)

# What depends on the kernel: of each of KERNELS (scripts/vm says which there are).
KERNELS ?= 6.1 6.12 newest
kernel-tests := $(call pick,$(filter $(addprefix tests/,uring/% dataplane/% segments/% bpf/%),\
	$(tests)) $(sort $(wildcard tests/kernels/*_test.sh)))

## check-kernels: run what depends on the kernel on Debian's kernels, in QEMU
check-kernels: $(prog-bins) $(tool-bins) $(B)/tests/runner \
	$(addprefix $(B)/,$(filter-out %.sh,$(kernel-tests)) $(canary))
	$(Q)SLUICE_BUILD=$(abspath $(B)) KERNELS='$(KERNELS)' scripts/check-kernels $(kernel-tests)

## check-power: cut the power of a daemon on a real kernel, in QEMU
check-power: $(prog-bins) $(tool-bins) $(B)/tests/runner
	$(Q)SLUICE_BUILD=$(abspath $(B)) $(B)/tests/runner $(if $(filter-out 0,$(V)),-v) \
		tests/kernels/power.sh

fuzz-bins: $(fuzz-bins) $(B)/tests/runner

# The fuzzers are built by a make of their own: another compiler, other objects. One that does
# not build is reported by scripts/fuzz and does not keep the others from running.
fuzz-build:
	-$(Q)$(MAKE) --no-print-directory -k FUZZING=y CC='$(CLANG)' O=$(O) SAN= SUMMARY= fuzz-bins
fuzz-run = FUZZ_DIR=$(O)/fuzz/tests/fuzz FUZZ_SECONDS=$(FUZZ_SECONDS) JOBS=$(JOBS)

## fuzz: run every fuzzer for FUZZ_SECONDS (600) each; T picks by name
fuzz: fuzz-build
	$(Q)$(fuzz-run) scripts/fuzz $(T)

fuzz-short: FUZZ_SECONDS = 5
## fuzz-short: run every fuzzer for 5 s each and count them as tests
fuzz-short: fuzz-build
	$(Q)$(fuzz-run) $(O)/fuzz/tests/runner -d $(O)/fuzz $(if $(SUMMARY),-s $(SUMMARY)) \
		scripts/fuzz

## bench: measure; writes docs/benchmarks.md
bench: all
	$(Q)SLUICE_BUILD=$(abspath $(B)) scripts/bench

## bench-delivery: measure static files beside nginx; writes docs/benchmarks.md
bench-delivery: all
	$(Q)SLUICE_BUILD=$(abspath $(B)) scripts/bench-delivery

## bench-cache: measure caching beside nginx and others; writes docs/benchmarks.md
bench-cache: all
	$(Q)SLUICE_BUILD=$(abspath $(B)) scripts/bench-cache

## bench-cache-lookups: measure look-ups in one process; writes docs/benchmarks.md
bench-cache-lookups: all
	$(Q)SLUICE_BUILD=$(abspath $(B)) scripts/bench-cache-lookups

## bench-vectors: vector indexes beside libraries; MNIST=, PYTHON=; writes docs/benchmarks.md
bench-vectors: PYTHON ?= python3
bench-vectors: all
	$(Q)SLUICE_BUILD=$(abspath $(B)) $(PYTHON) scripts/bench-vectors \
		$(if $(MNIST),--mnist $(MNIST))

## bench-objects: measure the store of objects through Qdrant's API, by HTTP; MNIST=FOLDER
bench-objects: all
	$(Q)SLUICE_BUILD=$(abspath $(B)) scripts/bench-objects --mnist '$(MNIST)'

## bench-objects-restart: from kill -9 to the first right answer; MNIST=FOLDER
## bench-objects-filters: searches under filters; MNIST=, PYTHON= with numpy
## bench-objects-churn: recall when all was replaced; MNIST=, PYTHON= with numpy
objects-benches := bench-objects-restart bench-objects-filters bench-objects-churn
$(objects-benches): PYTHON ?= python3
$(objects-benches): all
	$(Q)SLUICE_BUILD=$(abspath $(B)) $(PYTHON) scripts/$@ --mnist '$(MNIST)'

## bench-objects-tenants: the memory of a thousand tenants that rest
bench-objects-tenants: all
	$(Q)SLUICE_BUILD=$(abspath $(B)) scripts/bench-objects-tenants

## bench-objects-memory: searches of more than fits into its memory (root); MNIST=FOLDER
bench-objects-memory: all
	$(Q)SLUICE_BUILD=$(abspath $(B)) scripts/bench-objects-memory --mnist '$(MNIST)'

## soak: run the long tests (an hour unless SOAK_SECONDS says otherwise)
soak: all tests
	$(Q)SLUICE_BUILD=$(abspath $(B)) scripts/soak

# ---- documents, installation, housekeeping --------------------------------------------------
$(B)/man/%: docs/man/%.in | $$(@D)/.dir
	$(call say,MAN,$(call short,$@)) sed 's|@VERSION@|$(VERSION)|g' $< >$@

$(B)/docs/man/conf_man: %: %.o $(lib)
	$(call say,LD,$(call short,$@)) $(CC) $(ld-flags) -o $@ $< $(lib) $(libs)

$(B)/man/sluice.conf.5: $(B)/docs/man/conf_man | $$(@D)/.dir
	$(call say,MAN,$(call short,$@)) $< '$(VERSION)' >$@

## man: generate the manual pages into $(O)/man
man: $(man-pages)
doc: man

root = $(DESTDIR)$(PREFIX)

## install: install under DESTDIR, PREFIX (/usr/local)
install: all man
	$(Q)install -d $(root)/bin $(root)/include/sluice $(DESTDIR)$(UNITDIR)
	$(Q)install -m 755 $(prog-bins) $(root)/bin
	$(Q)install -d $(DESTDIR)$(LIBDIR)/pkgconfig
	$(Q)install -m 644 $(so-file) $(B)/libsluice.a $(DESTDIR)$(LIBDIR)
	$(Q)ln -sf $(notdir $(so-file)) $(DESTDIR)$(LIBDIR)/$(so-name)
	$(Q)ln -sf $(so-name) $(DESTDIR)$(LIBDIR)/libsluice.so
	$(Q)sed 's|@PREFIX@|$(PREFIX)|g; s|@LIBDIR@|$(LIBDIR)|g' $(B)/libsluice.pc \
		>$(DESTDIR)$(LIBDIR)/pkgconfig/libsluice.pc
	$(Q)install -m 644 $(wildcard include/sluice/*.[hd]*) $(root)/include/sluice
	$(Q)install -d $(root)/share/sluice/bpftrace
	$(Q)install -m 644 $(wildcard tools/bpftrace/*.bt) $(root)/share/sluice/bpftrace
	$(Q)install -d $(root)/share/sluice/examples
	$(Q)install -m 644 $(wildcard docs/examples/*.c) $(root)/share/sluice/examples
	$(Q)sed 's|@PREFIX@|$(PREFIX)|g' packaging/sluiced.service \
		>$(DESTDIR)$(UNITDIR)/sluiced.service
	$(Q)test -e $(DESTDIR)/etc/sluice/sluice.conf || \
		install -D -m 644 packaging/sluice.conf $(DESTDIR)/etc/sluice/sluice.conf
	$(Q)install -D -m 644 -t $(root)/share/sluice packaging/prometheus-rules.yml \
		packaging/grafana-dashboard.json
	$(Q)for page in $(man-pages); do \
		dir=$(root)/share/man/man$${page##*.}; \
		install -d $$dir && install -m 644 $$page $$dir || exit 1; done

## compile_commands.json: write the compilation database for editors
compile_commands.json: compile = $(CC) -Itests $(cpp-flags) $(pkg-flags) $(c-flags)
compile_commands.json: $(kbuilds) Makefile
	$(Q)printf '%s\n' $(patsubst $(B)/%.o,%.c,$(filter %.o,$(all-objs))) | \
		scripts/compile-commands '$(subst ','\'',$(compile))' >$@

## format: run clang-format over the sources (apt: clang-format)
format:
	$(Q)git ls-files '*.c' '*.h' | xargs -r $(CLANG_FORMAT) -i

## clean: remove what was built
clean:
	$(Q)rm -rf $(O)

## help: list the targets
help:
	@echo 'usage: make [TARGET] [V=1] [O=DIR] [SAN=address|undefined|thread] [T=PREFIX]'
	@sed -n 's/^## \([a-z_.-]*\): /\1|/p' Makefile | \
		while IFS='|' read -r name text; do printf '  %-22s %s\n' "$$name" "$$text"; done

.PHONY: all programs tests check check-built check-units check-kernels check-power fuzz \
	fuzz-build fuzz-bins fuzz-short bench bench-delivery bench-cache bench-cache-lookups \
	bench-vectors bench-objects $(objects-benches) bench-objects-tenants bench-objects-memory \
	soak man doc install format clean help
