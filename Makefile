# Two commands for a newcomer, and what they stand on.
.PHONY: demo test lint types check docs audit lock clean

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
OUT ?= out

demo: $(VENV)/installed
	$(BIN)/newsdedup run --input 'examples/articles/*' --output $(OUT) --overwrite
	$(BIN)/newsdedup show $(OUT) --story largest

test: $(VENV)/installed
	$(BIN)/pytest -n 2 --dist loadscope

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

# Known weaknesses of the pinned versions. It asks a database, so it is no part of check;
# strict, for what a server does not know would pass as sound.
audit:
	@test -x $(BIN)/pip-audit || { echo "pip-audit is missing: $(BIN)/pip install '.[audit]'"; exit 1; }
	@told=$$($(BIN)/pip-audit --strict --requirement requirements.txt --no-deps --disable-pip \
	--progress-spinner off 2>&1); status=$$?; case "$$told" in \
	*"not be audited"*|*"not found on PyPI"*|*onnection*|*esolve*|*imed\ out*) \
	echo "the database of known weaknesses cannot be reached: nothing was audited";; \
	*) echo "$$told";; esac; exit $$status

# Every version that a fresh install of pyproject.toml resolves to today, and the hash of each
# file that the image is made of.
lock:
	rm -rf build/lock && $(PYTHON) -m venv build/lock
	build/lock/bin/pip install --quiet torch==2.13.0
	build/lock/bin/pip install --quiet setuptools --editable '.[dev]'
	build/lock/bin/pip freeze --all --exclude-editable --exclude pip | sed 's/+cpu$$//' > requirements.txt
	build/lock/bin/python deploy/make_lock.py

clean:
	rm -rf $(VENV) $(OUT) build *.egg-info
