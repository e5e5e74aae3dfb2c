# The programs of make bench; included by the Makefile. These have the libraries as they are.
LONG =

$(addprefix $(BUILD)/bench/,floor floor_tls plain): private LDFLAGS := $(filter-out %_inner %_init,$(LDFLAGS))
$(BUILD)/bench/%: $(BUILD)/spec/bench/%.o $(BUILD)/host.a
	$(call link,$(ARCHIVES))
