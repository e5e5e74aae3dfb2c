# make mutants, included by the Makefile.

.PHONY: mutants
FILE   =
SAMPLE = 60
mutants:
	@lua5.4 spec/mutants/main.lua "$(FILE)" "$(SAMPLE)" "$(or $(SEED),1)"
