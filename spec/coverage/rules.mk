# make coverage, included by the Makefile: all is built once more, in build/coverage.

.PHONY: coverage
coverage:
	@COVERAGE=yes $(MAKE) BUILD=build/coverage build specs build/coverage/simulation
	@bin/coverage
