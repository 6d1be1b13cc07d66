# install, demo, test, check, bench, docs: every verb makes what it needs, and can be run twice in a row.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

.PHONY: help install demo test check bench docs
help:
	@echo "make install   the virtual environment $(VENV) with classicvid in it"
	@echo "make demo      compare five methods on the two sample sets: do they need motion?"
	@echo "make test      the default tests (make test PYTEST='-m slow' runs the long ones)"
	@echo "make check     ruff, mypy, import-linter, codespell and the architecture tests"
	@echo "make bench     our speed beside OpenCV's, measured in one run"
	@echo "make docs      the documentation, in docs/_build"

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "classicvid needs Python 3.11 or newer, $(PYTHON) is $$($(PYTHON) -V): make PYTHON=python3.11 install"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { rm -rf $(VENV); echo "The venv module is missing: sudo apt-get install -y python3-venv"; exit 1; }

# A stamp a set of extras: made again only when the dependencies change.
$(VENV)/.runtime: setup.cfg pyproject.toml | $(VENV)/bin/python
	@echo "Installing classicvid and its dependencies into $(VENV) (a few minutes the first time)"
	@$(PIP) --editable .
	@$(BIN)/python tools/check_system.py
	@touch $@
$(VENV)/.%: setup.cfg $(VENV)/.runtime
	@echo "Installing the extra '$*' into $(VENV)"
	@$(PIP) --editable '.[$*]'
	@touch $@

install: $(VENV)/.runtime
demo: $(VENV)/.runtime
	@$(BIN)/classicvid demo
test: $(VENV)/.test
	@$(BIN)/python -m pytest $(PYTEST)
check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell
	$(BIN)/python -m pytest -q tests/architecture
bench: $(VENV)/.runtime
	@$(BIN)/python benchmarks/bench_flow.py
	@$(BIN)/python benchmarks/bench_keypoints.py
	@$(BIN)/python benchmarks/bench_trajectories.py
	@$(BIN)/python benchmarks/bench_flow_quality.py
	@$(BIN)/python benchmarks/bench_networks.py
docs: $(VENV)/.docs
	$(BIN)/sphinx-build -W -b html docs docs/_build
