# The two commands of the README are `make demo` and `make test`; each sets itself up.

ARGS ?=
BIN := .venv/bin
CHECKED := $(wildcard src tests examples scripts)

.DEFAULT_GOAL := help
.NOTPARALLEL:  # two set-ups of one folder would meet in it
.PHONY: help setup setup-tests setup-demo demo test lint types format clean bench soak mutants fuzz mutmut

help:  ## show this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

setup:  ## install everything into this folder (the other targets do it themselves)
	@scripts/bootstrap

setup-tests:  # also the frameworks whose tools are adapted: tests and types need them
	@scripts/bootstrap frameworks

setup-demo:  # only what the demo needs, a quarter of the download
	@scripts/bootstrap demo

demo: setup-demo  ## a spoken conversation with two interruptions; options in ARGS="--out DIR ..."
	@$(BIN)/bargein demo $(ARGS)

test: setup-tests lint types  ## every check there is: style, types, architecture, tests
	$(BIN)/python -m pytest -n 2 $(ARGS)

lint: setup  ## style and architecture
	$(BIN)/ruff check $(CHECKED)
	$(BIN)/ruff format --check $(CHECKED)
	$(BIN)/lint-imports

types: setup-tests  ## strict types
	$(BIN)/mypy --strict $(filter-out scripts,$(CHECKED))

format: setup  ## put the code into its one form
	$(BIN)/ruff check --fix $(CHECKED)
	$(BIN)/ruff format $(CHECKED)

clean:  ## remove what was built and what was installed
	rm -rf .venv .tools dist build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache \
		.hypothesis .coverage bargein-demo mutants
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

bench: setup  ## speed and memory against their targets, with evidence; options in ARGS="--quick"
	@$(BIN)/bargein bench --out docs/evidence $(ARGS)

soak: setup  ## a million simulated conversations, with evidence; ARGS="--episodes 20000"
	@$(BIN)/bargein soak --out docs/evidence $(ARGS)

mutants: setup  ## is every rule of the client noticed when it is taken out? ARGS="--jobs 2"
	@$(BIN)/bargein sim mutants $(ARGS)

fuzz: setup  ## a fuzzer led by coverage on the server; TARGET=machine ARGS="--seconds 600"
	@$(BIN)/python scripts/fuzz.py $(or $(TARGET),machine) $(ARGS)

mutmut: setup  ## mutmut over the client's machine, an hour and more; ARGS="--max-children 2"
	@.tools/uv/bin/uv run -q --with mutmut==3.8.1 mutmut run $(ARGS)
