# The programs of make bench; included by the Makefile.

$(BUILD)/bench/%: $(BUILD)/spec/bench/%.o $(BUILD)/host.a
	$(call link,$(ARCHIVES))
