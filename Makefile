# Every target works on a fresh checkout with Python 3.11, pip and make. It first builds what it depends on.

ifndef PYTHON
PYTHON := $(shell command -v python3.11 || command -v python3)
endif
AIRFLOW ?= 3
PORT ?= 8080
WAY ?= plugin

AIRFLOW_2 := airflow-2.11
AIRFLOW_3 := airflow-3.3
ENVIRONMENTS := $(AIRFLOW_2) $(AIRFLOW_3) client
CHOSEN = $(or $(AIRFLOW_$(strip $(AIRFLOW))),$(error AIRFLOW must be 2 or 3, not '$(AIRFLOW)'))

python = .venv/$(1)/bin/python

# An environment links to the checkout that it was made in, so its marker names that checkout.
CHECKOUT := $(shell printf %s '$(CURDIR)' | cksum | cut -d' ' -f1)

# $(call need,ENVIRONMENT...): install missing environments in parallel. The lock keeps two makes in one checkout from
# installing the same environment. Systems without flock have no lock.
LOCK := $(if $(shell command -v flock),flock -o)
need = +@mkdir -p .venv && $(if $(LOCK),$(LOCK) .venv/.lock) \
	$(MAKE) --no-print-directory -s $(if $(findstring jobserver,$(MAKEFLAGS)),,-j3) $(foreach name,$(1),.venv/$(name)/.installed-$(CHECKOUT))

# uv installs an environment in seconds, pip in a minute. uv comes from PyPI, into its own directory. If it cannot be
# installed, pip is used.
UV = $(shell command -v uv || ls .venv/uv/bin/uv 2>/dev/null)
# $(call install,NAME,ARGUMENTS): uv does not read pip's configuration, so if uv fails, pip tries.
install = $(if $(UV),$(UV) pip install -q --python $(call python,$(1)) $(2) 2>/dev/null ||) \
	$(call python,$(1)) -m pip install -qq --disable-pip-version-check $(2)

# $(call stage,TITLE,COMMAND): run one part of a test run, and report it if it fails.
stage = @echo "== $(1)"; $(2) || { status=$$?; echo "FAILED: $(1)" >&2; exit $$status; }

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run serve test test-services matrix matrix-2 matrix-3 smoke smoke-2.10.5 smoke-3.1.8 $(AIRFLOW_2)-tests $(AIRFLOW_3)-tests client-tests live-tests-1 live-tests-2 services-tests coverage-report gate quick-server-tests quick-client-tests faults check lint check-js coverage dist bench docs classic environments packages clean

help: ## show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile
	@echo "  Variables: AIRFLOW=2|3 (default 3; releases for matrix), PORT=8080, ONCE=1, TOKEN=..., HOME_DIR=..., WAY=plugin|entrypoint|gunicorn|code"

run: ## start a webserver and trigger a DAG over HTTP; AIRFLOW=, PORT=; ONCE=1 exits afterward
	$(call need,client $(CHOSEN))
	@exec $(call python,client) examples/demo.py --airflow-python $(call python,$(CHOSEN)) --port "$(PORT)" \
		$(if $(filter-out 0,$(ONCE)),--once)

serve: export TOKEN := $(TOKEN)
serve: export HOME_DIR := $(HOME_DIR)
serve: ## run a webserver in the foreground; AIRFLOW=, PORT=, TOKEN=, HOME_DIR=, WAY=
	$(call need,$(CHOSEN))
	@exec $(call python,$(CHOSEN)) examples/serve.py --port "$(PORT)" --way "$(WAY)" \
		$(if $(TOKEN),--token="$$TOKEN") $(if $(HOME_DIR),--home="$$HOME_DIR")

# $(call parallel,TARGET...): run two targets at a time. One that fails does not stop the others.
parallel = $(MAKE) --no-print-directory -s -k -j2 --output-sync=target $(1)

# The longest come first, so that the last two end at about the same time.
TESTS := $(AIRFLOW_3)-tests live-tests-1 live-tests-2 $(AIRFLOW_2)-tests services-tests client-tests

test: packages ## run all tests on Airflow 2.11 and 3.3
	$(call need,$(ENVIRONMENTS))
	+@$(call parallel,$(TESTS))

# With MEASURED=1, the tests on Airflow 3.3 and those of the client measure their coverage.
$(AIRFLOW_2)-tests $(AIRFLOW_3)-tests: %-tests:
	$(call stage,server tests on $*,$(call run-tests,$(filter $(AIRFLOW_3),$*),$*) tests/server tests/contract)

client-tests:
	$(call stage,client tests,$(call run-tests,client,client) tests/client tests/contract)

# $(call run-tests,PART,ENVIRONMENT): run pytest, and write its coverage to test-results/coverage/PART.* if it is to be
# measured.
run-tests = $(if $(and $(MEASURED),$(1)),COVERAGE_FILE=test-results/coverage/$(1)) $(call python,$(2)) \
	$(if $(and $(MEASURED),$(1)),-m coverage run) -m pytest -q

# Two processes run the live tests, since one would often wait for a single server. The first has these files, which
# take half of the time.
LIVE_1 := $(wildcard tests/live/test_[abd-f]*.py)

live-tests-1:
	$(call stage,live tests: first half,$(call python,client) -m pytest -q $(LIVE_1))

live-tests-2:
	$(call stage,live tests: second half,$(call python,client) -m pytest -q tests/live $(LIVE_1:%=--ignore=%))

test-services: packages ## test schedulers, Celery workers and more with a real PostgreSQL, Redis and KDC
	$(call need,$(ENVIRONMENTS))
	+@$(MAKE) --no-print-directory -s services-tests

services-tests:
	$(call stage,services,$(call python,client) -m pytest -q tests/services)

matrix: packages ## test every supported release of Airflow; AIRFLOW=2.10.5,3.1.8 tests only these
	$(call need,$(ENVIRONMENTS))
ifneq ($(origin AIRFLOW),command line)
	@rm -rf test-results/matrix
	+@status=0; $(MAKE) --no-print-directory -s -k -j2 --output-sync=target matrix-2 matrix-3 || status=$$?; \
		$(call python,client) tests/matrix/table.py docs/reference/compatibility.md && exit $$status
	$(call need,client-oldest)
	$(call stage,the oldest libraries of the client,$(call python,client-oldest) -m pytest -q -m "not slow" tests/client)
else
	$(call stage,matrix,$(call python,client) -m pytest -q tests/matrix/test_release.py --airflow "$(AIRFLOW)")
endif

matrix-2 matrix-3: matrix-%: # the releases of one major version, then the other tests of that version
	$(call stage,releases of Airflow $*,$(call python,client) -m pytest -q tests/matrix --major $*)

smoke: packages ## test two more releases: 2.10.5 and 3.1.8
	$(call need,$(ENVIRONMENTS))
	+@$(MAKE) --no-print-directory -s -j2 --output-sync=target smoke-2.10.5 smoke-3.1.8

smoke-2.10.5 smoke-3.1.8: smoke-%:
	$(call stage,Airflow $*,$(call python,client) -m pytest -q tests/matrix/test_release.py --airflow $*)

faults: packages ## run the live tests that kill processes, fill disks and remove the database
	$(call need,$(ENVIRONMENTS))
	$(call stage,faults,$(call python,client) -m pytest -q -m fault tests/live)

check: lint ## check style, types and imports, and run the quick tests; under a minute
	+@$(MAKE) --no-print-directory -s -j2 --output-sync=target quick-server-tests quick-client-tests

lint: ## check style, types and imports between modules
	$(call need,client $(AIRFLOW_3))
	$(call stage,ruff check,$(call python,client) -m ruff check -q)
	$(call stage,ruff format,$(call python,client) -m ruff format -q --check)
	$(call stage,bandit,$(call python,client) -m bandit -q -r -ll middleware client plugins)
	$(call stage,mypy,$(call python,client) -m mypy --no-error-summary)
	$(call stage,mypy on the tests of the server,MYPYPATH=tests/server $(call python,client) -m mypy --no-error-summary tests/server)
	$(call stage,import-linter,.venv/client/bin/lint-imports >.venv/.imports || { cat .venv/.imports >&2; false; })
	+@$(MAKE) --no-print-directory -s check-js

check-js: node_modules/.installed # check the style and types of the page's JavaScript
	$(call stage,JavaScript,npm run --silent check)

node_modules/.installed: package.json package-lock.json
	+@command -v npm >/dev/null || $(MAKE) --no-print-directory -s packages
	@echo "installing node_modules" >&2
	@npm ci --loglevel=error
	@touch $@

quick-server-tests: # run in parallel, as above
	$(call stage,server tests,$(call python,$(AIRFLOW_3)) -m pytest -q -m "not slow" tests/server tests/contract)

quick-client-tests:
	$(call stage,client tests,$(call python,client) -m pytest -q -m "not slow" tests/client tests/contract)

coverage: ## measure branch coverage, including subprocesses; fails if it decreases
	$(call need,client $(AIRFLOW_3))
	@rm -rf test-results/coverage && mkdir -p test-results/coverage
	+@$(call parallel,MEASURED=1 $(AIRFLOW_3)-tests client-tests)
	@$(MAKE) --no-print-directory -s coverage-report

coverage-report:
	@$(call python,client) -m coverage combine -q --data-file=test-results/coverage/all \
		$(foreach part,$(AIRFLOW_3) client,test-results/coverage/$(part).*)
	$(call stage,coverage,$(call python,client) -m coverage report --data-file=test-results/coverage/all)

# Each test runs once with each version of Airflow. The documentation is built first, since that takes seconds. The
# packaging comes last: it builds in the checkout, which smoke copies.
gate: packages ## run what CI runs after lint: docs, all tests, coverage, two more releases and dist
	$(call need,$(ENVIRONMENTS) docs package)
	@rm -rf test-results/coverage && mkdir -p test-results/coverage
	@$(MAKE) --no-print-directory -s docs
	+@$(call parallel,MEASURED=1 $(TESTS) smoke-2.10.5 smoke-3.1.8)
	@$(MAKE) --no-print-directory -s coverage-report
	@$(MAKE) --no-print-directory -s dist

dist: ## build the sdist and the wheel, check both, and install each into a new environment
	$(call need,client package)
	$(call stage,packaging,$(call python,client) -m pytest -q tests/packaging)

bench: ## compare with Airflow's REST API and with other programs; QUICK=1, AIRFLOW=, ONLY=part,..., WRITE=page
	$(call need,$(ENVIRONMENTS))
	@exec $(call python,client) benchmarks/run.py $(if $(filter-out 0,$(QUICK)),--quick) $(if $(ONLY),--only "$(ONLY)") \
		$(if $(filter command line,$(origin AIRFLOW)),--airflow "$(AIRFLOW)") $(if $(WRITE),--write "$(WRITE)")

docs: ## build the documentation in docs/_build/html; warnings are errors
	$(call need,docs)
	@$(call python,docs) -m sphinx -E -q -W --keep-going -n -j auto -d docs/_build/doctrees docs docs/_build/html
	@echo "docs/_build/html/index.html"

classic: ## update the client's table of classic commands from the server's
	$(call need,$(AIRFLOW_3))
	@$(call python,$(AIRFLOW_3)) -m airflow_remote_server.catalog.export > client/airflow_remote/catalog/classic.json

environments: ## create all virtual environments
	$(call need,$(ENVIRONMENTS))

# --no-deps: the requirements file is complete and exact. The project is installed last, in editable mode, and in one
# environment at a time, because its metadata is built in the checkout.
.venv/%/.installed-$(CHECKOUT): requirements/%.txt pyproject.toml setup.py client/airflow_remote/_version.py | .venv/uv/.tried
	@echo "installing .venv/$*" >&2
	@test -x $(call python,$*) || $(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 13))' || { \
		echo "Python 3.11 is needed (3.10 and 3.12 may work); set PYTHON=..." >&2; exit 1; }
	@# Debian's Python may lack ensurepip. Then the pip outside installs into the environment.
	@test -x $(call python,$*) || $(if $(UV),$(UV) venv -q --seed --python $(PYTHON) .venv/$*,false) || \
		$(PYTHON) -m venv .venv/$* >/dev/null 2>&1 || $(PYTHON) -m venv --clear --without-pip .venv/$*
	@$(call python,$*) -m pip --version >/dev/null 2>&1 || $(PYTHON) -m pip -qq --python $(call python,$*) install pip
	@$(call install,$*,--no-deps -r requirements/$*.txt)
	@$(if $(LOCK),exec 9>.venv/.lock-project && flock 9;) $(call install,$*,--no-deps --no-build-isolation -e .)
	@$(call python,$*) -m pip check >/dev/null || $(call python,$*) -m pip check
	@rm -f .venv/$*/.installed* && touch $@

.venv/uv/.tried:
	@mkdir -p $(@D)
	@command -v uv >/dev/null || { $(PYTHON) -m venv .venv/uv && .venv/uv/bin/python -m pip install -qq \
		--disable-pip-version-check --retries 1 --timeout 15 uv; } >/dev/null 2>&1 || \
		echo "uv could not be installed; using pip, which is slower" >&2
	@touch $@

# Debian packages: chromium for the page's tests; PostgreSQL, Redis and Kerberos, which the tests run on ports of their
# own; nginx and systemd for the deployment guides; Node.js. Debian starts a daemon when it installs it, unless there is
# a policy-rc.d that forbids it. The one here forbids nothing once this shell has ended, even if it could not remove it.
packages:
	@missing=; \
		command -v chromium >/dev/null || missing=chromium; \
		ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$$missing postgresql"; \
		PATH="$$PATH:/usr/sbin" command -v nginx >/dev/null || missing="$$missing nginx-light"; \
		command -v systemd-analyze >/dev/null || missing="$$missing systemd"; \
		command -v redis-server >/dev/null || missing="$$missing redis-server"; \
		PATH="$$PATH:/usr/sbin" command -v krb5kdc >/dev/null || missing="$$missing krb5-kdc"; \
		PATH="$$PATH:/usr/sbin" command -v kadmin.local >/dev/null || missing="$$missing krb5-admin-server"; \
		command -v kinit >/dev/null || missing="$$missing krb5-user"; \
		command -v node >/dev/null || missing="$$missing nodejs"; \
		command -v npm >/dev/null || missing="$$missing npm"; \
		test -z "$$missing" || { \
		echo "the tests need Debian's $$missing" >&2; \
		sudo=; \
		if [ "$$(id -u)" != 0 ]; then \
			sudo=sudo; \
			if [ -z "$$CI" ]; then \
				printf 'Install it with sudo apt-get? [y/N] ' >&2; read -r answer; \
				case "$$answer" in [yY]*) ;; *) exit 1 ;; esac; \
			fi; \
		fi; \
		log=$$(mktemp); policy=/usr/sbin/policy-rc.d; \
		if [ -e $$policy ]; then policy=; else \
			printf '#!/bin/sh\nkill -0 %s 2>/dev/null && exit 101\nexit 0\n' $$$$ | $$sudo tee $$policy >/dev/null && \
			$$sudo chmod +x $$policy; \
		fi; \
		{ $$sudo apt-get update -q && $$sudo env DEBIAN_FRONTEND=noninteractive \
			apt-get install -y -q --no-install-recommends $$missing; } </dev/null >"$$log" 2>&1; status=$$?; \
		test -z "$$policy" || $$sudo rm -f $$policy; \
		test $$status = 0 || \
			echo "the tests need $$missing, and apt-get could not install it: $$(tail -n 1 "$$log")" >&2; \
		rm -f "$$log"; exit $$status; }

clean: ## remove build and tool output, but not the environments (rm -r .venv removes them)
	@rm -rf build dist docs/_build docs/reference/generated *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis test-results
	@find . -path ./.venv -prune -o -path ./.git -prune -o -name __pycache__ -type d -exec rm -rf {} +
