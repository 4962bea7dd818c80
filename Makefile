# `make demo` to see it work, `make test` to check everything, `make web` for the browser player.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test web clean

demo: .venv/base
	$(BIN)/python examples/demo.py demo

test: .venv/dev
	scripts/web_tools
	scripts/check

# The browser player, into the package: needs node and npm, and ziglang from PyPI.
web: .venv/bin/python constraints.txt
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt ziglang
	$(BIN)/python scripts/build_web.py

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "upreel needs Python 3.11 or later: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' \
	  || { echo "Python's venv is missing: sudo apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv .venv

# The base install alone; a development install on top of it is left as it is.
.venv/base: .venv/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e .
	@touch $@

.venv/dev: .venv/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch .venv/base $@

clean:
	rm -rf .venv demo web/node_modules web/build src/upreel/server/built
