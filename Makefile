# The doors of this repository. `make lab`: from nothing to an open page. `make test`: everything.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := $(CURDIR)/.venv
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
export ANSIBLE_HOME := $(CURDIR)/.ansible
export PATH := $(VENV)/bin:$(PATH)

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

.PHONY: setup
setup: .ansible/.ready ## Ansible and the collections that we depend on, inside this checkout

.venv/.ready: scripts/make_venv.sh
	scripts/make_venv.sh "$(PYTHON)" "$(VENV)" 'ansible-core>=2.18,<2.22' requests
	touch $@

.ansible/.ready: .venv/.ready scripts/link_collections.py
	$(VENV)/bin/python scripts/link_collections.py .ansible/collections
	touch $@
