# make mutants, included by the Makefile.

.PHONY: mutants
FILE   =
SAMPLE = 60
mutants:
	@lua5.4 spec/mutants/main.lua "$(FILE)" "$(SAMPLE)" "$(or $(SEED),1)"
# Before anything is built.
$(if $(filter mutants,$(MAKECMDGOALS)),$(if $(wildcard $(FILE)),,$(error FILE=$(FILE): make mutants needs FILE=, \
    a .c file of host/ or a .lua file of lua/)))
