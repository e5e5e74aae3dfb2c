# Pigeon. Each works on a bare Debian 12; build, run, test-rules and specs on 13, too. Each installs
# what it needs.
#
#   make help         this list
#   make build        builds the program, build/bootstrap, and the tools for developing it
#   make run          sends sample events through it and shows what RabbitMQ received
#   make test-rules   runs the specs of the rules, and lists the decisions that none reaches
#   make package      builds build/pigeon.zip, ready for Lambda; RULES=path: another rules
#                     script; SHADOW=path: a second, to try in shadow; QUEUES=a,15:b, else
#                     PIGEON_QUEUE: warnings count; FROM=OLD.zip: its program, none compiled
#   make test         runs all specs
#   make testshell    starts a shell with a RabbitMQ running and PIGEON_* set
#   make bench        measures events, start and memory, beside the least possible; LONG=1:
#                     and under Lambda's CPU, on other brokers, beside other languages
#   make soak         sends random events with faults; SECONDS=60, SEED=7: the same again
#   make fuzz         searches for input that breaks what reads from outside, SECONDS=60 for
#                     each target of spec/fuzz
#   make check        format, lint, all specs, those of the broker on RabbitMQ 4, Debian 13, a
#                     simulation, a soak; host and system with sanitizers; host for arm64
#   make simulation   SEEDS=2000 lives in virtual time; SEED=7: one
#   make coverage     which lines and branches of host/ and lua/ the specs reach
#   make mutants      FILE=host/x.c: changes it at SAMPLE=60 places, one at a time, and shows
#                     the changes that no spec sees
#   make clean        stops the private RabbitMQ and removes build/
#   make setup specs targets asan arm64 native simulation-power      parts of the others
#
# ARCH=arm64, with build, test and package: for Lambda's arm64. Q= shows each command.
# After a security update of Debian: make clean build.

VERSION = 0.2.0
RULES   = rules/rules.lua
SHADOW  =
QUEUES  =
FROM    =
SECONDS = 60
SEED    =
BUILD   = build
CURL    = $(if $(SYSROOT),$(BUILD),build)/curl
CONFIGURE =
Q       = @

# What bin/setup installs packages for: the least that the goals need.
PURPOSE  = $(or $(filter coverage fuzz,$G),$(if $(filter-out help clean package test-rules build run testshell \
           specs targets build/%,$G),check),$(if $(filter specs targets build/%,$G),specs),$(if $(filter build run testshell,$G)$(and \
           $(filter test-rules,$G),$(filter package,$G)),run),$(if $(filter test-rules,$G),rules),package)
G       := $(MAKECMDGOALS)

# The processor, under Lambda's name. Debian's cross compiler builds for another one than
# this machine's, in build/ARCH; the specs use this machine's tools with it.
NATIVE  := $(subst aarch64,arm64,$(shell uname -m))
ARCH     = $(NATIVE)
MACHINE  = $(subst arm64,aarch64,$(ARCH))-linux-gnu
ifneq ($(ARCH),$(NATIVE))
BUILD    = build/$(ARCH)
SYSROOT  = $(BUILD)/sysroot
CC       = $(MACHINE)-gcc --sysroot=$(CURDIR)/$(SYSROOT)
unexport CC
CONFIGURE = --host=$(MACHINE)
endif
LIBDIR   = $(SYSROOT)/usr/lib/$(MACHINE)
# The same bytes wherever this folder is (gcc uses PWD, which may be a link to it).
export PWD := $(CURDIR)

# build/asan has all once more with sanitizers, built by a second make (asan, below).
SANITIZE =
VARIANT  = $(if $(SANITIZE),-O1 -fno-omit-frame-pointer -fsanitize=$(SANITIZE) \
           -fno-sanitize-recover=all -fstack-protector-strong,$(if $(COVERAGE),-O0 --coverage,-O2 $(HARDENING)))
HARDENING = -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection \
           -ftrivial-auto-var-init=zero -frecord-gcc-switches
CPPFLAGS = -D_GNU_SOURCE -DCURL_STATICLIB -DPIGEON_VERSION='"$(VERSION)"' \
           -Ihost -isystem $(CURL)/include -isystem $(SYSROOT)/usr/include/lua5.4
CFLAGS   = -std=c11 -g -ffile-prefix-map='$(CURDIR)=.' $(VARIANT) \
           -fPIE -ffunction-sections -fdata-sections \
           -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Werror -Wno-cpp
# cpp: rabbitmq-c 0.15 warns of its headers' old place. Wrapped by host/amqp/connection.c and host/aws/https.c.
LDFLAGS  = -pie -Wl,-z,relro,-z,now -Wl,--gc-sections -Wl,--as-needed \
           -Wl,--wrap=amqp_open_socket_inner -Wl,--wrap=Curl_ssl_init
ARCHIVES = $(addprefix $(LIBDIR)/,librabbitmq.a liblua5.4-cjson.a liblua5.4.a \
           libhttp_parser.a libjansson.a) $(CURL)/libcurl.a \
           $(addprefix $(LIBDIR)/,libssl.a libcrypto.a libz.a libzstd.a)

# Sorted by make, whatever the locale.
LUA   := $(sort $(shell find lua/pigeon))
HOST  := $(patsubst %.c,$(BUILD)/%.o,$(sort $(wildcard host/*.c) $(filter-out host/tools/%,$(wildcard host/*/*.c))))
TOOLS := $(patsubst host/tools/%.c,$(BUILD)/tools/%,$(if $(SYSROOT),,$(wildcard host/tools/*.c)))
SPECS := $(patsubst %.c,$(BUILD)/%,$(sort $(if $(wildcard spec),$(shell find spec -name '*_spec.c'))))
FUZZ  := $(patsubst %.c,$(BUILD)/%,$(filter-out %/main.c %/wire.c,$(wildcard spec/fuzz/*.c)))

# So that a typo is an error. SEEDS, LONG, CHANGES, FILE and SAMPLE are those of spec/*/rules.mk.
KNOWN  = ARCH BUILD CC CHANGES FILE FROM LONG Q QUEUES RULES SAMPLE SANITIZE SECONDS SEED SEEDS SHADOW
$(foreach name,$(filter-out $(KNOWN),$(.VARIABLES)),$(if $(filter command,$(origin $(name))),\
    $(error $(name) is not a variable of this Makefile; there are $(KNOWN))))

.PHONY: help build run test-rules package test testshell bench soak fuzz check clean setup specs targets asan arm64 native
.DELETE_ON_ERROR .SECONDARY:
MAKEFLAGS += --no-print-directory
# In parallel, but `make clean build` is one after the other.
ifeq ($(MAKELEVEL)$(filter clean,$(MAKECMDGOALS)),0)
MAKEFLAGS += -j$(shell nproc)
endif

help:
	@sed -n '/^#/!q; s/^# \?//p' Makefile

build: $(BUILD)/bootstrap $(TOOLS)
specs: $(SPECS)
run testshell: build
	@bin/$@
test-rules: setup
	@LUA_PATH='lua/?.lua;lua/?/init.lua;;' lua5.4 lua/pigeon/desk/busted.lua '' --coverage spec/rules
package: $(if $(FROM),,$(BUILD)/bootstrap)
	@BUILD=$(BUILD) SHADOW="$(SHADOW)" FROM="$(FROM)" $(if $(filter command,$(origin QUEUES)),QUEUES="$(QUEUES)") bin/build/package "$(RULES)"
test: build specs $(if $(SYSROOT),,build/simulation) $(if $(SYSROOT),native)
	@bin/test $(if $(SYSROOT),$(ARCH))
fuzz: setup
	@BUILD=$(BUILD)/fuzz bin/fuzz "$(SECONDS)"
targets: $(FUZZ)
simulation simulation-power: $(BUILD)/simulation
coverage: setup
mutants: build specs build/simulation
soak: build
	@env -u SECONDS lua5.4 spec/system/soak.lua "$(SECONDS)" "$(SEED)"
bench: build $(addprefix $(BUILD)/bench/,driver floor floor_tls decide plain)
	@bin/bench $(if $(LONG),--long)
# Not on an arm64 machine, where it would be the same once more.
EMULATED = $(filter-out $(NATIVE),arm64)
check: build specs build/simulation asan $(EMULATED)
	@bin/test lint lua rules deploy host system rabbitmq-4.0 rabbitmq-newest debian13 simulation new-seeds soak fuzz asan $(EMULATED)
clean:
	@set -e; for release in '' 4.0 newest; do RABBITMQ=$$release bin/rabbitmq stop; done; rm -rf build
setup:
	@bin/setup -q $(PURPOSE) $(ARCH)
	$(if $(SYSROOT),@bin/build/sysroot $(SYSROOT) $(ARCH))
asan: build
	@echo "Building once more with sanitizers, in build/asan"
	@$(MAKE) BUILD=build/asan SANITIZE=address,undefined build specs targets build/asan/simulation
arm64: build
	@$(MAKE) ARCH=arm64 package specs
native:
	@$(MAKE) ARCH=$(NATIVE) build

$(CURL)/libcurl.a: bin/build/curl | setup
	@CC="$(CC)" CONFIGURE="$(CONFIGURE)" HARDENING="$(HARDENING)" bin/build/curl $(CURL)

$(BUILD)/modules.c: bin/build/embed bin/build/sbom $(CURL)/libcurl.a $(LUA) LICENSE Makefile
	@mkdir -p $(@D)
	@echo "LUA  $@"
	$(Q)CC="$(CC)" bin/build/sbom $(@D) $(VERSION) $(SYSROOT)/ $(ARCHIVES)
	$(Q)bin/build/embed $@ $(filter %.lua,$^)

define compile
@mkdir -p $(@D)
@echo "CC   $<"
$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@
endef

$(BUILD)/spec/%.o: CPPFLAGS += -Ispec/support
$(BUILD)/modules.o: $(BUILD)/modules.c
	$(compile)
$(BUILD)/%.o: %.c Makefile | $(CURL)/libcurl.a
	$(compile)

# Everything but main. As an archive: a function that a spec or a tool defines replaces ours.
# The folders are prerequisites too, so that a deleted file is noticed.
$(BUILD)/host.a: $(filter-out %/main.o,$(HOST)) $(BUILD)/modules.o host $(wildcard host/*/)
$(BUILD)/support.a: $(patsubst %.c,$(BUILD)/%.o,$(wildcard spec/support/*.c host/tools/proxy/*.c)) spec/support
$(BUILD)/%.a:
	$(Q)rm -f $@ && ar rcs $@ $(filter %.o,$^)

define link
@mkdir -p $(@D)
@echo "LD   $@"
$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $(filter %.o,$^) $(filter %.a,$^) $1 -lm -o $@
endef

$(BUILD)/bootstrap: $(BUILD)/host/main.o $(BUILD)/host.a host/bootstrap.ld bin/build/check-binary
	$(call link,$(ARCHIVES) -T host/bootstrap.ld)
	$(Q)$(if $(SANITIZE)$(COVERAGE),,bin/build/check-binary --built $@ $(BUILD)/host.a $(CURL)/libcurl.a)

# A tool is host/tools/NAME.c, with host/tools/NAME/*.c where that folder exists.
.SECONDEXPANSION:
$(BUILD)/tools/%: $(BUILD)/host/tools/%.o $(BUILD)/host.a \
    $$(addprefix $(BUILD)/,$$(subst .c,.o,$$(wildcard host/tools/$$*/*.c)))
	$(call link,-lmicrohttpd -lrabbitmq -ljansson -lcrypto)

# The fakes that it includes replace functions of libc or of the host in this spec alone.
$(BUILD)/%_spec: $(BUILD)/%_spec.o $(BUILD)/spec/support/test_filter.o $$(addprefix \
    $(BUILD)/spec/support/,$$(shell sed -n 's|.*"\(fake/.*\)\.h".*|\1.o|p' $$*_spec.c)) \
    $(BUILD)/support.a $(BUILD)/host.a
	$(call link,$(ARCHIVES) -lcmocka)

-include $(wildcard spec/*/rules.mk) $(shell find build \( -path build/brokers -o -path build/debian13 -o -name '*.work' \) -prune -o -type f -name '*.d' -print 2>/dev/null)
