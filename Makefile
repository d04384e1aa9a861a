# Five words: demo, test, bench, check, docs. Each first makes the environment it needs, in .venv, once.
.DEFAULT_GOAL := help
.PHONY: help demo test bench check docs clean
SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

help:
	@echo "make demo   train a plain and an ACAI autoencoder on real digits, side by side (ARGS='--data lines')"
	@echo "make test   run the tests"
	@echo "make bench  run the benchmarks"
	@echo "make check  run the linter and the type checker"
	@echo "make docs   build the documentation into docs/_build/html"

demo: $(VENV)/.ready-demo
	@$(BIN)/python -m interpreg demo $(ARGS)

test: $(VENV)/.ready-test
	@$(BIN)/python -m pytest $(ARGS)

bench: $(VENV)/.ready-test
	@$(BIN)/python -m pytest benchmarks --benchmark-columns=min,median,iqr,rounds $(ARGS)
	@$(BIN)/python benchmarks/mmd_grid.py
	@$(BIN)/python benchmarks/mmd_report.py

check: $(VENV)/.ready-dev
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

docs: $(VENV)/.ready-dev
	@$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html
	@echo "open docs/_build/html/index.html"

clean:
	rm -rf $(VENV) docs/_build demo-out

# The first Python of 3.11 or newer, preferring the one that `python3` means here.
$(BIN)/python:
	@found=; \
	for p in $(PYTHON) python3 python python3.14 python3.13 python3.12 python3.11; do \
	  if $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then found=$$p; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "error: interpreg needs Python 3.11 or newer; python3 here is: $$(python3 --version 2>/dev/null || echo missing)" >&2; exit 1; \
	fi; \
	$$found -m venv $(VENV) >/dev/null 2>&1 || { rm -rf $(VENV); \
	  echo "error: $$found could not create $(VENV); its venv module may be missing (Debian: apt install python3-venv)" >&2; exit 1; }

# A stamp for every set of extras: written only after the whole installation went through.
$(VENV)/.ready-%: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing interpreg[$(EXTRAS_$*)] into $(VENV) (a few minutes the first time) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --retries 2 \
	  -c constraints.txt -e '.[$(EXTRAS_$*)]' > $(VENV)/install.log 2>&1 || { \
	  echo "error: the packages could not be installed; is the network away? The whole story: $(VENV)/install.log" >&2; exit 1; }
	@touch $@

EXTRAS_demo := demo
EXTRAS_test := demo,test
EXTRAS_dev := dev
