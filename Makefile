# Each target does its own set-up. `make` alone lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PY := .venv/bin/python

.PHONY: help
help:  ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

.PHONY: install
install:  ## leave the command at .venv/bin/drystone
	@tools/system-packages --quiet || true
	@tools/bootstrap --run

.PHONY: up
up: install  ## start the platform and keep it running
	@.venv/bin/drystone up --detach

.PHONY: down
down:  ## stop the platform; data stays
	@.venv/bin/drystone down

.PHONY: demo
demo: install  ## see the whole thing work, in a throw-away home
	@$(PY) tools/demo.py

.PHONY: test
test:  ## run every check and test
	@tools/system-packages --quiet || true
	@tools/check

.PHONY: bench
bench:  ## measure; prints the tables of docs/benchmarks.md
	@tools/bootstrap
	@$(PY) -m benchmarks

.PHONY: bench-peers
bench-peers:  ## the same with other programs beside it, which it installs first
	@tools/bootstrap
	@$(PY) -m benchmarks.peers.install
	@$(PY) -m benchmarks --only peers-switch --only peers-in-flight --only peers-first --only peers-recovery --only peers-edge --only edge-parts

.PHONY: lock
lock:  ## rewrite the locked requirements
	@tools/bootstrap && tools/lock
