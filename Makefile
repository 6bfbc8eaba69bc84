# Everything here works on a fresh checkout with Python 3.11, pip and make: what a target needs, it makes first.

ifndef PYTHON
PYTHON := $(shell command -v python3.11 || command -v python3)
endif
AIRFLOW ?= 3
PORT ?= 8080
WAY ?= plugin

AIRFLOW_2 := airflow-2.11
AIRFLOW_3 := airflow-3.3
ENVIRONMENTS := $(AIRFLOW_2) $(AIRFLOW_3) client
CHOSEN := $(AIRFLOW_$(strip $(AIRFLOW)))
ifndef CHOSEN
$(error AIRFLOW must be 2 or 3, not '$(AIRFLOW)')
endif

python = .venv/$(1)/bin/python

# $(call need,ENVIRONMENT...): install those that are not there yet, side by side. The lock lets two makes in one
# checkout share the work. Where there is no flock, there is no lock.
LOCK := $(if $(shell command -v flock),flock -o)
need = +@mkdir -p .venv && $(if $(LOCK),$(LOCK) .venv/.lock) \
	$(MAKE) --no-print-directory -s -j3 $(foreach name,$(1),.venv/$(name)/.installed)

# $(call stage,TITLE,COMMAND): run one part of a test run, and say which one failed.
stage = @echo "== $(1)"; $(2) || { status=$$?; echo "FAILED: $(1)" >&2; exit $$status; }

# An environment that came along from another folder imports the code of that folder: complete it again here.
$(foreach name,$(ENVIRONMENTS),$(if $(filter-out $(CURDIR),$(shell cat .venv/$(name)/.installed 2>/dev/null)),\
	$(shell rm -f .venv/$(name)/.installed)))

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run serve test $(AIRFLOW_2)-tests $(AIRFLOW_3)-tests quick-server-tests quick-client-tests faults check bench classic environments packages clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile
	@echo "  Variables: AIRFLOW=2|3 (default 3), PORT=8080, ONCE=1, TOKEN=..., HOME_DIR=..., WAY=plugin|entrypoint|gunicorn|code"

run: ## a real webserver and the main job on it; AIRFLOW=, PORT=; ONCE=1 ends by itself
	$(call need,client $(CHOSEN))
	@exec $(call python,client) examples/demo.py --airflow-python $(call python,$(CHOSEN)) --port "$(PORT)" \
		$(if $(filter-out 0,$(ONCE)),--once)

serve: export TOKEN := $(TOKEN)
serve: export HOME_DIR := $(HOME_DIR)
serve: ## the webserver alone, in the foreground; AIRFLOW=, PORT=, TOKEN=, HOME_DIR=, WAY=
	$(call need,$(CHOSEN))
	@exec $(call python,$(CHOSEN)) examples/serve.py --port "$(PORT)" --way "$(WAY)" \
		$(if $(TOKEN),--token="$$TOKEN") $(if $(HOME_DIR),--home="$$HOME_DIR")

test: packages ## every test, on both versions of Airflow
	$(call need,$(ENVIRONMENTS))
	+@$(MAKE) --no-print-directory -s -j2 --output-sync=target $(AIRFLOW_2)-tests $(AIRFLOW_3)-tests
	$(call stage,client and live tests,$(call python,client) -m pytest -q tests/client tests/contract tests/live)

$(AIRFLOW_2)-tests $(AIRFLOW_3)-tests: %-tests: # side by side, since each waits for processes most of its time
	$(call stage,server tests on $*,$(call python,$*) -m pytest -q tests/server tests/contract)

faults: packages ## of the live tests, those that kill processes, fill disks and take the store away
	$(call need,$(ENVIRONMENTS))
	$(call stage,faults,$(call python,client) -m pytest -q -m fault tests/live)

check: ## style, types and the quick tests; under a minute
	$(call need,client $(AIRFLOW_3))
	$(call stage,ruff check,$(call python,client) -m ruff check -q)
	$(call stage,ruff format,$(call python,client) -m ruff format -q --check)
	$(call stage,bandit,$(call python,client) -m bandit -q -r -ll middleware client plugins)
	$(call stage,mypy,$(call python,client) -m mypy --no-error-summary middleware client plugins examples)
	+@$(MAKE) --no-print-directory -s -j2 --output-sync=target quick-server-tests quick-client-tests

quick-server-tests: # side by side, as above
	$(call stage,server tests,$(call python,$(AIRFLOW_3)) -m pytest -q -m "not slow" tests/server tests/contract)

quick-client-tests:
	$(call stage,client tests,$(call python,client) -m pytest -q -m "not slow" tests/client tests/contract)

bench: ## the cost of the middleware, and commands over HTTP beside the local ones
	$(call need,$(ENVIRONMENTS))
	@exec $(call python,client) benchmarks/run.py $(if $(WRITE),--write "$(WRITE)")

classic: ## write the client's table of classic commands anew, from the server's
	$(call need,$(AIRFLOW_3))
	@$(call python,$(AIRFLOW_3)) -m airflow_remote_server.catalogue.export > client/airflow_remote/classic.json

environments: ## all virtual environments, without doing anything in them
	$(call need,$(ENVIRONMENTS))

# --no-deps: the file is the complete, exact list. The project itself goes in last, as a link to this checkout; one
# at a time, because its metadata is built in the checkout.
.venv/%/.installed: requirements/%.txt setup.py
	@echo "installing .venv/$* (takes a minute, once)" >&2
	@test -x $(call python,$*) || $(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 13))' || { \
		echo "this needs Python 3.11 (3.10 to 3.12 may do); name one with PYTHON=..." >&2; exit 1; }
	@# Debian's Python may come without ensurepip; then the pip outside fills the environment.
	@test -x $(call python,$*) || $(PYTHON) -m venv .venv/$* >/dev/null 2>&1 || \
		$(PYTHON) -m venv --clear --without-pip .venv/$*
	@$(call python,$*) -m pip --version >/dev/null 2>&1 || $(PYTHON) -m pip -qq --python $(call python,$*) install pip
	@$(call python,$*) -m pip install -qq --disable-pip-version-check --no-deps -r requirements/$*.txt
	@$(if $(LOCK),$(LOCK) .venv/.lock-project) $(call python,$*) -m pip install -qq --disable-pip-version-check \
		--no-deps --no-build-isolation -e .
	@$(call python,$*) -m pip check >/dev/null || $(call python,$*) -m pip check
	@echo "$(CURDIR)" > $@

packages: # Debian's: chromium, which the tests of the page drive, and PostgreSQL, for jobs in a shared database
	@missing=; \
		command -v chromium >/dev/null || missing=chromium; \
		ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$$missing postgresql"; \
		test -z "$$missing" || { \
		echo "installing $$missing (once)"; \
		sudo=; [ "$$(id -u)" = 0 ] || sudo=sudo; \
		log=$$(mktemp); \
		{ $$sudo apt-get update -q && $$sudo env DEBIAN_FRONTEND=noninteractive \
			apt-get install -y -q --no-install-recommends $$missing; } </dev/null >"$$log" 2>&1 || { \
			echo "the tests need $$missing, and apt-get could not install it: $$(tail -n 1 "$$log")" >&2; \
			rm -f "$$log"; exit 1; }; \
		rm -f "$$log"; }

clean: ## remove what builds and tools leave behind; the environments stay (rm -r .venv removes them)
	@rm -rf build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis test-results
	@find . -path ./.venv -prune -o -path ./.git -prune -o -name __pycache__ -type d -exec rm -rf {} +
