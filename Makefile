# Pigeon. Each of these is enough on a bare Debian 12: what is missing is installed first.
#
#   make help         this list
#   make build        the program, build/bootstrap, and the tools for developing it
#   make run          sends sample events through it and shows what RabbitMQ received
#   make test         runs all specs
#   make test-rules   those of the rules alone: no broker, two seconds
#   make package      build/pigeon.zip, ready for Lambda; RULES=path: another rules script;
#                     SHADOW=path: a second one beside it, to try in shadow
#                     ARCH=arm64, with build, test and package: for Lambda's arm64
#   make testshell    a shell with a RabbitMQ running and PIGEON_* set
#   make bench        what events, start and memory take, beside the least possible
#   make soak         random events and faults; SECONDS=60, SEED=7: the same ones again
#   make simulation   SEEDS=2000 lives of the whole program in virtual time; SEED=7: that one
#   make simulation-power  small wrong changes of host/: does it find them?
#   make check        format, lint, all specs, new seeds, a soak; host, system and simulation
#                     again with sanitizers; host again for arm64
#   make clean        stops the private RabbitMQ and removes build/
#
# After a security update of Debian: make clean build.
# Q= shows every command as it is run.

VERSION = 0.1.0
RULES   = rules/rules.lua
SHADOW  =
comma   := ,
SECONDS = 60
SEEDS   = 2000
SEED    =
BUILD   = build
CURL    = $(if $(SYSROOT),$(BUILD),build)/curl
CONFIGURE =
Q       = @

# As Lambda calls processors. Another one than this machine's is built by Debian's cross
# compiler in build/ARCH; of the tools there, the specs take this machine's.
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
# The same bytes wherever this folder is (gcc believes PWD, which may be a link to it).
export PWD := $(CURDIR)

# build/asan is the same once more with sanitizers, by a make of its own (asan, below).
SANITIZE =
VARIANT  = $(if $(SANITIZE),-O1 -fno-omit-frame-pointer -fsanitize=$(SANITIZE) \
           -fno-sanitize-recover=all,-O2 -D_FORTIFY_SOURCE=2)
CPPFLAGS = -D_GNU_SOURCE -DCURL_STATICLIB -DPIGEON_VERSION='"$(VERSION)"' \
           -Ihost -isystem $(CURL)/include -isystem $(SYSROOT)/usr/include/lua5.4
CFLAGS   = -std=c11 -g -ffile-prefix-map='$(CURDIR)=.' $(VARIANT) \
           -fPIE -fstack-protector-strong -ffunction-sections -fdata-sections \
           -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Werror
# What is wrapped: host/amqp/connection.c, host/aws/https.c.
LDFLAGS  = -pie -Wl,-z,relro,-z,now -Wl,--gc-sections -Wl,--as-needed \
           -Wl,--wrap=amqp_open_socket_inner -Wl,--wrap=Curl_ssl_init
# What a start needs first: its pages lie together then.
ARCHIVES = $(addprefix $(LIBDIR)/,librabbitmq.a liblua5.4-cjson.a liblua5.4.a \
           libhttp_parser.a libjansson.a libyajl_s.a) $(CURL)/libcurl.a \
           $(addprefix $(LIBDIR)/,libssl.a libcrypto.a)

# Sorted by make, whatever the locale.
LUA   := $(sort $(shell find lua/pigeon))
HOST  := $(patsubst %.c,$(BUILD)/%.o,$(sort $(wildcard host/*.c host/[a-s]*/*.c)))
TOOLS := $(patsubst host/tools/%.c,$(BUILD)/tools/%,$(if $(SYSROOT),,$(wildcard host/tools/*.c)))
SPECS := $(patsubst %.c,$(BUILD)/%,$(sort $(shell find spec -name '*_spec.c')))

.PHONY: help build run test test-rules package testshell soak bench check clean
.PHONY: setup specs asan native arm64 simulation simulation-power
.DELETE_ON_ERROR:
.SECONDARY:
MAKEFLAGS += --no-print-directory
# In parallel, but `make clean build` is one after the other.
ifeq ($(MAKELEVEL)$(filter clean,$(MAKECMDGOALS)),0)
MAKEFLAGS += -j$(shell nproc)
endif

help:
	@sed -n '/^#/!q; s/^# \?//p' Makefile

build: $(BUILD)/bootstrap $(TOOLS)
specs: $(SPECS) $(if $(SYSROOT),,build/lua/pigeon/decode.so $(BUILD)/simulation)
run testshell: build
	@bin/$@
test: build specs $(if $(SYSROOT),native)
	@bin/test $(if $(SYSROOT),$(ARCH))
test-rules: build
	@bin/pigeon test spec/rules
package: build
	@BUILD=$(BUILD) SHADOW="$(SHADOW)" bin/build/package "$(RULES)"
soak: build
	@env -u SECONDS lua5.4 spec/system/soak.lua "$(SECONDS)" "$(SEED)"
bench: build $(addprefix $(BUILD)/bench/,driver floor decide)
	@bin/bench
# Not on an arm64 machine, where it is the same once more.
EMULATED = $(filter-out $(NATIVE),arm64)
check: build specs asan $(EMULATED)
	@bin/test lint lua rules deploy host system simulation new-seeds soak asan $(EMULATED)
clean:
	@if [ -e build/rabbitmq ]; then bin/rabbitmq stop; fi
	@rm -rf build
setup:
	@bin/setup $(ARCH)
	$(if $(SYSROOT),@bin/build/sysroot $(SYSROOT) $(ARCH))
asan: build
	@echo "The same once more with sanitizers, in build/asan"
	@$(MAKE) BUILD=build/asan SANITIZE=address,undefined build specs
arm64: build
	@$(MAKE) ARCH=arm64 package specs
native:
	@$(MAKE) ARCH=$(NATIVE) build

$(CURL)/libcurl.a: bin/build/curl | setup
	@CC="$(CC)" CONFIGURE="$(CONFIGURE)" bin/build/curl $(CURL)

$(BUILD)/modules.c: bin/build/embed $(CURL)/libcurl.a $(LUA)
	@mkdir -p $(@D)
	@echo "LUA  $@"
	$(Q)bin/build/embed $@ $(CURL) $(SYSROOT)/ $(filter %.lua,$^)

define compile
@mkdir -p $(@D)
@echo "CC   $<"
$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@
endef

$(BUILD)/spec/%.o: CPPFLAGS += -Ispec/support
$(BUILD)/modules.o: $(BUILD)/modules.c Makefile | $(CURL)/libcurl.a
	$(compile)
$(BUILD)/%.o: %.c Makefile | $(CURL)/libcurl.a
	$(compile)

# Everything but main: what is linked with a spec or a tool yields to their own functions.
# The folder is named too, so that a file that went away is noticed.
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
	$(Q)$(if $(SANITIZE),,bin/build/check-binary $@ $(BUILD)/host.a $(CURL)/libcurl.a)

# A tool is host/tools/NAME.c, and the parts in host/tools/NAME where it has some.
.SECONDEXPANSION:
$(BUILD)/tools/%: $(BUILD)/host/tools/%.o $(BUILD)/host.a \
    $$(addprefix $(BUILD)/,$$(subst .c,.o,$$(wildcard host/tools/$$*/*.c)))
	$(call link,-lmicrohttpd -lrabbitmq -ljansson -lcrypto)

$(BUILD)/%_spec: $(BUILD)/%_spec.o $(BUILD)/support.a $(BUILD)/host.a
	$(call link,$(ARCHIVES) -lcmocka)

# The whole program in virtual time: these calls lead to spec/simulation. What else libc gives
# to it is on a list, so that a new call cannot slip past.
WRAPPED = socket connect poll __poll_chk recv __recv_chk send sendmsg setsockopt getsockopt \
          shutdown close fcntl signalfd clock_gettime time nanosleep timer_create \
          timer_settime sigaction getaddrinfo getaddrinfo_a gai_error gai_suspend write _exit \
          watchdog_watch service_open service_call service_hang_up tls_open tls_start \
          amqp_ssl_socket_new amqp_ssl_socket_get_context amqp_ssl_socket_set_verify_hostname \
          amqp_socket_open_noblock
SIMULATED = $(patsubst %.c,$(BUILD)/%.o,$(wildcard spec/simulation/*.c))
$(BUILD)/simulation: private LDFLAGS += $(addprefix -Wl$(comma)--wrap=,$(WRAPPED))
$(BUILD)/simulation: $(SIMULATED) $(BUILD)/simulated_main.o $(BUILD)/host.a $(BUILD)/bootstrap \
    spec/simulation/calls.txt
	$(if $(SANITIZE),,$(Q)bin/build/check-calls $(BUILD)/bootstrap spec/simulation/calls.txt \
	    $(BUILD)/host/main.o $(BUILD)/host.a $(LIBDIR)/librabbitmq.a)
	$(call link,$(ARCHIVES))
$(BUILD)/simulated_main.o: $(BUILD)/host/main.o
	$(Q)objcopy --redefine-sym main=pigeon_main $< $@
# What each change is built with: a changed file of host/ in front of host.a.
simulation-power: export COMPILE = $(CC) $(CPPFLAGS) $(CFLAGS) -w -c
simulation-power: export LINK = $(CC) $(CFLAGS) $(LDFLAGS) $(addprefix -Wl$(comma)--wrap=,$(WRAPPED)) \
    $(SIMULATED) $(BUILD)/simulated_main.o CHANGED $(BUILD)/host.a $(ARCHIVES) -lm
simulation-power: $(BUILD)/simulation
	@lua5.4 spec/simulation/power/power.lua $(CHANGES)
simulation: $(BUILD)/simulation
	@$< $(if $(SEED),--seed $(SEED) --trace,--seeds $(SEEDS))

# For busted, whose Lua is not ours.
build/lua/pigeon/decode.so: host/lua/decode.c host/lua/decode.h Makefile | $(CURL)/libcurl.a
	@mkdir -p $(@D)
	@echo "LD   $@"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -fPIC -shared $< -lyajl -o $@

# What make bench measures, and measures by.
$(BUILD)/bench/%: $(BUILD)/spec/bench/%.o $(BUILD)/host.a
	$(call link,$(ARCHIVES))

-include $(shell find build -type f -name '*.d' 2>/dev/null)
