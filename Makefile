# raincheck: the two commands of the README, and what they stand on.
#
#   make run     set up, then the demo: a camera, rain, a page          (first time 2 min of set-up, the story 2 min)
#   make test    set up, start the real services, run every test       (CI allows 25 min)
#   make test-long    the simulated months that are too long for every run                   (15 min)
#   make test-faults  every fault of tests/README.md, also those that take minutes            (25 min)
#   make test-image   the image built and run, without a registry of images: podman and its like by apt       (10 min)
#   make fuzz         bytes that nobody thought of, from record to pane (FUZZ_S=600)               (10 min)
#   make check   formatting, lints, types, import contracts             (1 min)

VENV   := .venv
PYTHON ?= python3
BIN    := $(VENV)/bin
SUDO   := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
EXTRAS := dev,grafana,dashboards
FUZZ_S ?= 600

.DEFAULT_GOAL := help
.PHONY: help setup services run test test-long test-faults test-image fuzz check format clean

help:
	@sed -n '3,9s/^#   //p' Makefile

# `python3 -m venv` needs a Debian package of its own, one per version of Python; everything else comes from PyPI
$(VENV)/.stamp: pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v < (3, 14) else "raincheck needs Python 3.11 to 3.13, this is %d.%d" % v)'
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { $(SUDO) apt-get update -qq && { \
		$(SUDO) apt-get install -y -qq "$$($(PYTHON) -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')" || \
		$(SUDO) apt-get install -y -qq python3-venv; }; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[$(EXTRAS)]'
	@touch $@

setup: $(VENV)/.stamp

services: setup
	tests/services/setup.sh

run: setup
	$(BIN)/raincheck demo

test: services
	$(BIN)/python -m pytest

test-long: setup
	$(BIN)/python -m pytest -m long --timeout 900 tests

fuzz: setup
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[fuzz]'
	PYTHONPATH=. $(BIN)/python tests/faults/fuzz_decode.py .cache/fuzz -max_total_time=$(FUZZ_S) -max_len=20000 -timeout=20

test-faults: services
	$(BIN)/python -m pytest -m "fault or not fault" --timeout 1800 tests/faults tests/kafka tests/paging

test-image: services
	tests/deploy/image.sh

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
