# Everything from a clone with nothing but python3 and make. `make` alone lists what there is.
# pip's own settings (index, proxy, certificates, find-links) are honoured: nothing here overrides
# them. A CPU-only torch, for example:
#   PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu make setup

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.medistill-installed
WORKERS ?= 2

# Test processes share the cores; one thread each keeps them from fighting over those.
TEST_ENV := OMP_NUM_THREADS=1
# What the tests of a module share, as a whole run, is made by one worker.
QUICK := -n $(WORKERS) --dist loadfile -m "not slow and not real"

.DEFAULT_GOAL := help
.PHONY: help setup demo test check format verify bench bench-envs wheel clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP)  ## the virtual environment that the other targets use

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "medistill needs Python 3.11 or newer; name one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) \
		|| { echo "$(PYTHON) cannot make virtual environments; on Debian: apt-get install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[train,teachers,dicom,nifti,seg,serve,openvino,parquet,dev]'
	@touch $@

demo: $(STAMP)  ## phantom CT, teacher, student, report, bundle, prediction
	$(BIN)/medistill demo

test: $(STAMP)  ## unit, laws, parity, recipes, docs and architecture tests: under 12 minutes on 2 cores
	$(TEST_ENV) $(BIN)/python -m pytest $(QUICK)

check: $(STAMP)  ## format, lint, types, import contracts, licences
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tools.licences

format: $(STAMP)  ## mend format and what lint can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

verify: $(STAMP)  ## what takes long: simulations, soak, and real images if MEDISTILL_DATA names them
	$(TEST_ENV) $(BIN)/python -m pytest -m slow -s tests/unit/serve/test_soak.py
	$(TEST_ENV) $(BIN)/python -m pytest -n $(WORKERS) -m "slow or real" --timeout 3600 --ignore tests/unit/serve/test_soak.py
	tools/try_wheel.sh $(BIN)/python tools/lowest.txt

bench: $(STAMP) bench-envs  ## medistill against timm's distillation and torchdistill, in one run
	$(BIN)/python -m benchmarks.against_peers

bench-envs: .venv-timm/.installed .venv-torchdistill/.installed  ## the peers, each in its own environment

.venv-%/.installed: benchmarks/environments/%.txt
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --requirement $<
	@touch $@

wheel: $(STAMP)  ## build the wheel and try it in a clean environment with the base install only
	tools/try_wheel.sh $(BIN)/python constraints.txt

clean:  ## remove caches and builds, not the environments
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find src tests tools benchmarks -name __pycache__ -prune -exec rm -rf {} +
