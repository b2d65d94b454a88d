# What a fresh clone needs: `make demo` or `make test`. Everything is installed into .venv.
VENV ?= .venv
BIN := $(VENV)/bin
# One stamp for each set of packages; development has all of the others.
CORE := $(VENV)/.installed-core
SERVE := $(VENV)/.installed-serve
DEV := $(VENV)/.installed-dev
DEMO ?= demo.mp4

.PHONY: help setup demo serve test test-tools test-virtualcam lint format bench clean

help:
	@echo "make setup   virtual environment in $(VENV), with everything for development"
	@echo "make demo    a filtered demo clip in $(DEMO); needs no camera"
	@echo "make serve   the control panel in your browser: your own camera, filtered"
	@echo "make test    all tests"
	@echo "make test-tools  installs the browsers and clients that some tests drive (Debian, Ubuntu)"
	@echo "make test-virtualcam   the virtual camera with a real driver in an emulated guest; Debian, 3 minutes"
	@echo "make lint    ruff and mypy --strict"
	@echo "make bench   latency and start-up of this machine, into bench/results; a few minutes"

# Done again only when the dependencies or the way of installing them change.
$(CORE) $(SERVE) $(DEV): pyproject.toml scripts/setup.sh
	bash scripts/setup.sh $(VENV) $(filter-out core,$(patsubst .installed-%,%,$(notdir $@)))
	@touch $@ $(CORE) $(if $(filter $(DEV),$@),$(SERVE))

setup: $(DEV)

demo: $(CORE)
	$(BIN)/rtfilter demo --output $(DEMO) --force
	@echo "Look at $(abspath $(DEMO)): left the original, right the filtered picture."

serve: $(SERVE)
	$(BIN)/rtfilter serve --open

test-tools:
	bash scripts/test_tools.sh

test: $(DEV)
	$(BIN)/python -m pytest $(PYTEST_ARGS)

# The virtual camera against the real driver, in an emulated guest.
test-virtualcam: $(DEV)
	bash tests/vm/run.sh $(BIN)/python

lint: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(DEV)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(DEV)
	$(BIN)/python -m bench.latency
	$(BIN)/python -m bench.startup

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
