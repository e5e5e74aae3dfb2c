# The rules of spec/simulation, included by the Makefile:
#
#   make simulation         SEEDS=2000 lives of the whole program in virtual time; SEED=7: one
#   make simulation-power   small wrong changes of host/, which it should find

.PHONY: simulation simulation-power
comma := ,
SEEDS  = 2000

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
	$(if $(SANITIZE)$(COVERAGE),,$(Q)spec/simulation/check-calls $(BUILD)/bootstrap spec/simulation/calls.txt \
	    $(BUILD)/host/main.o $(BUILD)/host.a $(LIBDIR)/librabbitmq.a)
	$(call link,$(ARCHIVES))
$(BUILD)/simulated_main.o: $(BUILD)/host/main.o
	$(Q)objcopy --redefine-sym main=pigeon_main $< $@
# What each change is built with: a changed file of host/ in front of host.a.
simulation-power: export COMPILE = $(CC) $(CPPFLAGS) $(CFLAGS) -w -c
simulation-power: export LINK = $(CC) $(CFLAGS) $(LDFLAGS) $(addprefix -Wl$(comma)--wrap=,$(WRAPPED)) \
    $(SIMULATED) $(BUILD)/simulated_main.o CHANGED $(BUILD)/host.a $(ARCHIVES) -lm
simulation-power:
	@lua5.4 spec/simulation/power/power.lua $(CHANGES)
simulation:
	@$(BUILD)/simulation $(if $(SEED),--seed $(SEED) --trace,--seeds $(SEEDS))
