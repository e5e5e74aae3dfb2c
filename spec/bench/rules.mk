# The programs of make bench; included by the Makefile. These two have the libraries as they are.
LONG =

$(BUILD)/bench/floor $(BUILD)/bench/plain: private LDFLAGS := $(filter-out %_inner %_init,$(LDFLAGS))
$(BUILD)/bench/%: $(BUILD)/spec/bench/%.o $(BUILD)/host.a
	$(call link,$(ARCHIVES))
