# make train and make test need only Python 3.11 or newer, make and git.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Where torch comes from, if not from PyPI, whose wheels bring 3.2 GB of CUDA along: remembered with the environment.
TORCH_INDEX ?= $(shell cat $(VENV)/.torch-index 2>/dev/null)
PINS := $(VENV)/.made-from-$(shell { cat pyproject.toml constraints.txt; echo '$(TORCH_INDEX)'; } | cksum | cut -d' ' -f1)

.PHONY: help env train test test-system test-gpu test-cluster mutants lint format check-cluster-files bench docs clean

help:  ## show what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

env: $(PINS)  ## make the environment in .venv, or reuse it while the pins are the same (TORCH_INDEX=URL for torch)

$(PINS): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python %d.%d is too old: dcgan-dist needs 3.11 or newer; name one with make PYTHON=..." % sys.version_info[:2])'
	@# Wheels of another index have the same versions: pip would leave those that are there.
	@[ ! -d $(VENV) ] || [ "$$(cat $(VENV)/.torch-index 2>/dev/null)" = '$(TORCH_INDEX)' ] || rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
	@echo '$(TORCH_INDEX)' >$(VENV)/.torch-index
ifneq ($(TORCH_INDEX),)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --constraint constraints.txt --index-url '$(TORCH_INDEX)' torch torchvision
endif
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --constraint constraints.txt --editable '.[test,lint]'
	@# pip would do it on one core; a few files are of other versions of Python.
	@$(BIN)/python -m compileall -qq -j 0 $(VENV)/lib || true
	@rm -f $(VENV)/.made-from-*
	@touch $@

train: env  ## train with the default preset (ARGS="--data.scenes faces" for more)
	$(BIN)/python -m dcgan_dist.train $(ARGS)

# Tests that start Ray run two files at a time, each on a Ray of its own: a run starts one process after another, which
# leaves a core free for most of the time. Those that kill machines run one after the other: they need their cores.
IN_PAIRS := --numprocesses auto --maxprocesses 2 --dist loadfile
# Only files with such tests are read: to read all of them takes each process 20 s.
files_with = $(sort $(shell grep -rl 'pytest.mark.$(1)' --include='test_*.py' tests))

test: env  ## run the tests (ARGS="tests/data" for some of them)
ifeq ($(ARGS),)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not ray and not system and not cluster" --numprocesses auto
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "ray and not system and not cluster" $(IN_PAIRS) $(call files_with,ray)
else
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(ARGS)
endif

test-system: env  ## run the tests that kill processes, need several machines, or run whole commands
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "system and not cluster" --durations=15 $(or $(ARGS),$(call files_with,system))

lint: env  ## check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: env  ## format the code
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

test-gpu: env  ## run the tests that need a GPU
	$(BIN)/python -m pytest --gpu -m gpu

test-cluster: env  ## run a cluster on hosts made of namespaces, and break them (takes root)
	OMP_NUM_THREADS=1 CI=true $(BIN)/python -m pytest tests/cluster_files
	$(BIN)/python -m benchmarks.host_faults --json benchmarks/results/host_faults.json
	$(BIN)/python -m benchmarks.render

mutants: env  ## put small faults into the pure modules, and see whether their tests notice (half an hour of two cores)
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.mutants --json benchmarks/results/mutants.json
	$(BIN)/python -m benchmarks.render

check-cluster-files: env  ## check the files that make clusters, without any cloud (ARGS=--strict: KubeRay must be there)
	$(BIN)/python cluster/check.py $(ARGS)

docs: env  ## render the tables of README and docs from benchmarks/results
	$(BIN)/python -m benchmarks.render

bench: env  ## measure again: DATA=FOLDER holds shards of 64-pixel JPEGs as train-*.tar
	$(BIN)/python -m pip install --quiet --disable-pip-version-check litdata
	$(BIN)/python -m benchmarks.ingest --data $(DATA) --json benchmarks/results/ingest.json
	$(BIN)/python -m benchmarks.step --data $(DATA) --json benchmarks/results/step.json
	$(BIN)/python -m benchmarks.learning --json benchmarks/results/learning.json
	$(BIN)/python -m benchmarks.first_run --json benchmarks/results/first_run.json
	$(BIN)/python -m benchmarks.render

clean:  ## remove the environment and what tools left, but no runs
	rm -rf $(VENV) .pytest_cache .ruff_cache .mypy_cache mutants *.egg-info
