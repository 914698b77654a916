# Two commands for a newcomer, and what they stand on.
.PHONY: demo test lint types check docs lock clean

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
OUT ?= out

demo: $(VENV)/installed
	$(BIN)/newsdedup run --input 'examples/articles/*' --output $(OUT) --overwrite
	$(BIN)/newsdedup show $(OUT) --story largest

test: $(VENV)/installed
	$(BIN)/pytest

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/installed
	$(BIN)/mypy

check: test lint types

# The pages as a site, in build/site; a link that leads nowhere fails.
docs: $(VENV)/installed
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet --config-file docs/site/mkdocs.yml

# torch first and pinned: left to choose, pip takes a build with gigabytes of CUDA.
$(VENV)/installed: requirements.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet "$$(grep '^torch==' requirements.txt)"
	$(BIN)/pip install --quiet --requirement requirements.txt
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

# Every version that a fresh install of pyproject.toml resolves to today.
lock:
	rm -rf build/lock && $(PYTHON) -m venv build/lock
	build/lock/bin/pip install --quiet torch==2.13.0
	build/lock/bin/pip install --quiet setuptools --editable '.[dev]'
	build/lock/bin/pip freeze --all --exclude-editable --exclude pip | sed 's/+cpu$$//' > requirements.txt

clean:
	rm -rf $(VENV) $(OUT) build *.egg-info
