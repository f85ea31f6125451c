# The doors of this repository. `make lab`: from nothing to an open page. `make test`: everything.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := $(CURDIR)/.venv
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
export ANSIBLE_HOME := $(CURDIR)/.ansible
export PATH := $(VENV)/bin:$(PATH)
# Some images of containers set them: every start of a Python would compile all that it imports, and read what it is sent byte by byte.
unexport PYTHONDONTWRITEBYTECODE PYTHONUNBUFFERED
ifneq ($(words $(CURDIR)),1)
$(error Make takes the spaces in "$(CURDIR)" for the end of a path: move this checkout to a path without any)
endif

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

.PHONY: setup
setup: .ansible/.ready ## Ansible and the collections that we depend on, inside this checkout

.venv/.ready: scripts/make_venv.sh
	scripts/make_venv.sh "$(PYTHON)" "$(VENV)" 'ansible-core>=2.18,<2.23' requests
	touch $@

.ansible/.ready: .venv/.ready scripts/link_collections.py
	$(VENV)/bin/python scripts/link_collections.py .ansible/collections
	touch $@

# An engine that does not answer this user must be installed, started or asked by root, and the first image is made by root.
BECOME = $(shell [ "$$(id -u)" = 0 ] || docker image ls --quiet --filter 'reference=mlenv/jupyter-*' 2>/dev/null | grep -q . || \
	{ sudo -n true 2>/dev/null && echo --become; } || echo --become --ask-become-pass)
PLAY = $(VENV)/bin/ansible-playbook --inventory inventory/workstation.yml $(BECOME)

.PHONY: lab
lab: setup ## From nothing to an open page (more: make lab ARGS="-e lab_port=9000")
	$(PLAY) site.yml -e lab_show_token=true $(ARGS)

# ---- Tests. Every suite is a run of pytest, so that each can be run alone (make unit ARGS="-k names") and all are counted.
SUITES := lint gates unit sanity importer image contract molecule integration matrix e2e
# Two lanes side by side. Each waits for the images before the first suite that uses them. What uses the lab of the default name is in one lane.
LANES := 'image contract molecule' 'lint gates unit sanity importer image integration matrix e2e'
PYTEST = $(VENV)/bin/python -m pytest -v --tb=short --rootdir=. -p no:cacheprovider --junitxml=build/results/$@/pytest.xml \
	-o "pythonpath=tests .ansible/collections" -o empty_parameter_set_mark=fail_at_collect $(ARGS)
.PHONY: test tools images gpus bench screenshot $(SUITES)
$(SUITES) bench gpus: tools
molecule integration matrix e2e bench: images
# Somebody else's image is not ours to make.
contract gpus: $(if $(MLENV_IMAGE),,images)

test: tools ## Every suite below, counted in one last line
	$(VENV)/bin/python scripts/run_suites.py $(LANES)

lint: ## Linters, nothing skipped or ignored
	$(PYTEST) tests/suites/test_lint.py

gates: ## Our own rules: documented is what exists, it builds, installs, and runs from a fresh clone
	$(PYTEST) tests/gates

unit: ## Unit tests
	$(PYTEST) -n 2 tests/unit

sanity: ## ansible-test: sanity, and the unit tests under the oldest Python of this machine
	$(PYTEST) tests/suites/test_sanity.py

importer: .venv-importer/.ready ## What Galaxy would say
	$(PYTEST) tests/suites/test_importer.py

image: ## Build the images that the tests below use, by our own role
	$(PYTEST) tests/suites/test_image.py
	$(if $(ARGS),,touch .ansible/.images)

# What is made already, of what is still the same, is not made again.
images: tools
	@if ! docker image inspect mlenv-test:{minimal,scipy,light} >/dev/null 2>&1 || [ ! -e .ansible/.images ] || \
		[ -n "$$(find roles/image tests/servers tests/image.yml -newer .ansible/.images)" ]; then $(MAKE) --no-print-directory image ARGS=; fi

contract: export MLENV_IMAGE ?= mlenv-test:minimal
contract: ## An image behaves as Jupyter Docker Stacks do (another: make contract MLENV_IMAGE=name)
	$(PYTEST) -n 4 tests/contract

molecule: ## Every scenario but default (one: make molecule ARGS="-k tls")
	$(PYTEST) -n 3 --maxschedchunk=1 tests/suites/test_molecule.py

integration: ## container_pip against real containers
	$(PYTEST) tests/suites/test_integration.py

matrix: ## The oldest, the current and the newest Ansible that we support, with scenario default
	$(PYTEST) tests/suites/test_matrix.py

e2e: ## A real browser on a real lab
	scripts/need.sh chromedriver chromium chromium-driver
	scripts/need.sh socat socat
	$(PYTEST) tests/e2e

screenshot: export SCREENSHOT := docs/images/lab.png
screenshot: e2e ## Take the picture in the README anew

gpus: ## Labs on the GPUs of this machine, real ones (not part of `make test`)
	$(PYTEST) tests/gpus

bench: ## How long things take, against doing them otherwise (not part of `make test`)
	$(VENV)/bin/python tests/bench/bench.py $(ARGS)

tools: .ansible/.ready .venv/.tools
.venv/.tools: tests/requirements.txt .venv/.ready
	$(VENV)/bin/pip install --quiet --disable-pip-version-check uv
	scripts/make_venv.sh "$(PYTHON)" "$(VENV)" -r tests/requirements.txt
	touch $@

# In its own environment, since it pins much. It looks for what we depend on beside itself.
.venv-importer/.ready: .ansible/.ready
	scripts/make_venv.sh "$(PYTHON)" "$(@D)" galaxy-importer==0.4.44
	site=$$($(@D)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))') && \
	mkdir -p "$$site/ansible_collections" && cp -r .ansible/collections/ansible_collections/community "$$site/ansible_collections/"
	touch $@
