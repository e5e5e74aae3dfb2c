# The rules of spec/fuzz, included by the Makefile.

# A target of spec/fuzz: with main.c, or, built by `make fuzz`, with libFuzzer and libraries
# that are instrumented, too.
$(BUILD)/spec/fuzz/%: $(BUILD)/spec/fuzz/%.o $(BUILD)/spec/fuzz/wire.a $(BUILD)/host.a \
    $(if $(findstring fuzzer,$(SANITIZE)),,$(BUILD)/spec/fuzz/main.o)
	$(call link,$(if $(findstring fuzzer,$(SANITIZE)),-fsanitize=fuzzer $(wildcard $(BUILD)/lib/*.a)) $(ARCHIVES))
$(BUILD)/spec/fuzz/wire.a: $(BUILD)/spec/fuzz/wire.o
