# Every command of the project.  `make` alone lists them.  Relative paths only: works from any clone, as root and as anyone.
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV  := .venv
PY    := $(VENV)/bin/python
STAMP := $(VENV)/.synced
READY := $(VENV)/.kernels
TYPED := libs services demo deploy
OUT   := out/demo
SYNC   = $(PY) -m uv pip sync --quiet --python $(PY) --require-hashes requirements.lock

export PYTHONPATH := .
export OPENBLAS_NUM_THREADS := 1
export OMP_NUM_THREADS := 1

.PHONY: help setup lock check test guards demo audit replay up down bench soak

help: ## this list
	@awk -F':.*## ' '/^[a-z]+:.*## /{printf "  make %-7s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## make .venv from requirements.lock, compile the optimizer's kernels (every other target does this first)

# uv itself comes by pip, checked against the lock's own hashes; then the environment is made equal to the lock.
$(STAMP): requirements.lock
	@if [ ! -x $(PY) ]; then \
	  for candidate in $(PYTHON) python3 python3.13 python3.12 python3.11; do \
	    if $$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then found=$$candidate; break; fi; \
	  done; \
	  if [ -z "$$found" ]; then echo "make setup: Python 3.11 or newer is needed; name one with PYTHON=/path/to/python3.11" >&2; exit 1; fi; \
	  $$found -m venv $(VENV) || { rm -rf $(VENV); \
	    echo "make setup: $$found could not make a virtual environment (on Debian and Ubuntu: apt-get install python3-venv)" >&2; exit 1; }; \
	fi
	@if ! $(PY) -m uv --version >/dev/null 2>&1; then \
	  awk '/^uv==/{on=1} on && /^ *#/{exit} on' requirements.lock > $(VENV)/uv.lock && \
	  $(PY) -m pip install --quiet --require-hashes --no-deps -r $(VENV)/uv.lock; \
	fi
	@$(SYNC) 2>/dev/null || $(SYNC) --system-certs  # behind a proxy only the machine's own certificates are right
	@touch $(STAMP)

# Kept beside the sources; who starts a service or a test then need not wait for them.
$(READY): $(STAMP) $(wildcard services/optimizer/core/*.py services/optimizer/core/dual/*.py services/optimizer/warm_up.py)
	@$(PY) -m services.optimizer.warm_up && touch $(READY)

lock: $(STAMP) ## resolve pyproject.toml again into requirements.lock (with hashes, without any registry's address)
	@groups=$$($(PY) -c 'import tomllib; print(*("--group " + g for g in tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"]))') && \
	$(PY) -m uv pip compile pyproject.toml $$groups --universal --generate-hashes --no-header --python-version 3.11 --quiet -o requirements.lock
	@if grep -nE '(https?|file)://' requirements.lock; then echo "make lock: the lock must not hold an address" >&2; exit 1; fi

# Half of the unit tests beside the linters, mypy and the other half: for two cores.
CHECKS := "ruff format --check --quiet ." "ruff check --quiet ." "mypy $(TYPED)" "pytest -q tests/unit"
check: $(READY) ## format, ruff, mypy strict, import boundaries, schemas and unit tests: about two minutes
	@mkdir -p out; begun=$$(date +%s); failed=""; \
	PMA_SHARD=1/2 $(PY) -m pytest -q -p no:cacheprovider tests/unit > out/check-half.log 2>&1 & half=$$!; \
	for each in $(CHECKS); do PMA_SHARD=2/2 $(PY) -m $$each || failed="$$failed; $$each"; done; \
	wait $$half || failed="$$failed; pytest, the first half"; cat out/check-half.log; \
	echo "make check: $$(( $$(date +%s) - begun )) s"; \
	if [ -n "$$failed" ]; then echo "make check: failed$$failed" >&2; exit 1; fi

TIERS ?= unit contract integration e2e
test: $(READY) ## unit, contract, integration and end-to-end, on a real PostgreSQL and a real Kafka; seconds of each
	@failed=""; times=""; \
	for tier in $(TIERS); do \
	  begun=$$(date +%s); \
	  $(PY) -m pytest -q tests/$$tier || failed="$$failed $$tier"; \
	  times="$$times $$tier $$(( $$(date +%s) - begun )) s;"; \
	done; \
	echo "make test:$$times"; \
	if [ -n "$$failed" ]; then echo "make test: failed:$$failed" >&2; exit 1; fi

guards: $(READY) ## take each guard away in a copy of the tree, and show the test that fails without it (WORDS="pin lane": only those)
	@$(PY) -m tests.guards $(WORDS)

demo: $(READY) ## a custodian's files to orders and back into the book: 250 accounts, three days (KAFKA=1: on the real Kafka)
	@$(PY) -m demo $(if $(KAFKA),--kafka)

audit: $(STAMP) ## check every order of out/demo against every rule, reading nothing but out/demo
	@$(PY) -m demo.audit $(OUT)

replay: $(READY) ## run what out/demo recorded again: every proposal and order must come out the same, byte for byte
	@$(PY) -m demo.replay $(OUT)

up: $(READY) ## Kafka, PostgreSQL and one process a service (Docker Compose where an engine answers, else without); logs in out/up
	@$(PY) -m deploy.local up

down: $(STAMP) ## stop what `make up` started
	@$(PY) -m deploy.local down

soak: $(READY) ## hundreds of kills, and Kafka and PostgreSQL stopped, at random: nothing lost or doubled (SOAK="--kills 400 --seed 2")
	@$(PY) -m tests.e2e.disturbed.soak $(SOAK)

bench: $(READY) ## each benchmark (benchmarks/, those that are programs) prints one JSON line a case
	@for each in $$(grep -l '__name__ == "__main__"' benchmarks/*.py); do \
	  $(PY) -m $$(echo "$${each%.py}" | tr / .) || exit 1; \
	done
