# make demo     set up a virtual environment and watch a denoiser learn (about three minutes)
# make test     set it up for tests too, and run them on all cores
# make check    lint, format and types
# make clean    remove the virtual environment
#
# PYTHON=python3.12   the interpreter to build the environment with
# PIP_ARGS=...        more arguments for pip, such as an index that has CPU-only builds of torch
# ARGS=...            more arguments for the program: make demo ARGS="--minutes 1"

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DECLARED := setup.cfg pyproject.toml constraints.txt
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt $(PIP_ARGS)

.PHONY: demo test check clean

demo: $(VENV)/app.stamp
	$(BIN)/blockwright demo --overwrite $(ARGS)

test: $(VENV)/test.stamp
	$(BIN)/python -m pytest --numprocesses=auto --dist=worksteal $(ARGS)

check: $(VENV)/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV)

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/app.stamp: $(DECLARED) | $(BIN)/python
	@echo "Installing the application into $(VENV) (once)"
	$(INSTALL) -e '.[app]'
	@touch $@

$(VENV)/test.stamp: $(DECLARED) | $(BIN)/python
	@echo "Installing the application and what the tests need into $(VENV) (once)"
	$(INSTALL) -e '.[app,test]'
	@touch $@ $(VENV)/app.stamp
