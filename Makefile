# SPDX-FileCopyrightText: the pextra.cloud founders
# SPDX-License-Identifier: GPL-3.0-or-later

# Everything a person does with this project; `make` alone lists it.
# What it makes lies in .venv and .build, and in caches that `make clean` removes as well.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:

PYTHON ?= /usr/bin/python3
INVENTORY ?= inventories/lab
# How `make validate` tells what it has found: text, json, sarif or github. To the file OUTPUT, if it names one.
FORMAT ?= text
OUTPUT ?=
# How often `make chaos` interrupts a run.
INTERRUPTIONS ?= 200
# How often it lets two runs race for the same.
RACES ?= 200
# How many nodes `make bench-nodes` reads at once.
NODES ?= 30
# The size of the image of `make image-transfer`.
IMAGE_MIB ?= 1024
# The Python of `make molecule-newest`: the newest that is found, unless given.
NEWEST_PYTHON ?=
# The series of ansible-core that `make compatibility-cores` tests; all of tests/compatibility/controllers.py unless given.
CORES ?=

# libvirt-python and some of what the linters need are compiled.
PACKAGES := python3-venv python3-dev gcc pkg-config libvirt-dev openssh-client
# The tests start a database and a switch of their own, without a service and without touching the machine's.
TEST_PACKAGES := openvswitch-switch postgresql gpg gpg-agent gpgv
# The page of playbooks/report.yml is tested in a real browser, with the fonts that most people see it in.
BROWSER_PACKAGES := chromium chromium-driver fonts-inter pngquant
# What is seen of a terminal is seen in one.
TERMINAL_PACKAGES := tmux fonts-dejavu-core

VENV := .venv/made-from-requirements
INSTALLED := .build/ansible_collections/pextra/cloud/MANIFEST.json
TREE := .build/unit/ansible_collections/pextra/cloud
# What the collection is built from. Directories as well: theirs is the time at which a file was removed. `docs` alone
# would be the target of that name.
SOURCES := $(shell find galaxy.yml *.md LICENSE LICENSES REUSE.toml changelogs docs/ extensions inventories meta \
	playbooks plugins roles tests tools -not -name '*.pyc' -not -name __pycache__ 2>/dev/null)

export PATH := $(CURDIR)/.venv/bin:$(PATH)
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
export ANSIBLE_COLLECTIONS_PATH := $(CURDIR)/.build
# The tools' caches would otherwise lie next to the sources.
export PYTHONDONTWRITEBYTECODE := 1
export PRE_COMMIT_HOME := $(CURDIR)/.build/pre-commit

##@ Try it

.PHONY: help
help: ## List the targets
	@awk 'BEGIN { FS = ":.*## " } \
	  /^##@ / { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z-]+:.*## / { printf "  make %-20s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: demo
demo: lab-packages install lab ## Three hosts and one inventory become a running cloud
	@tools/step --show "Bring up the cloud of inventories/lab" ansible-playbook -i inventories/lab playbooks/site.yml
	@cat tools/after-demo.txt

.PHONY: demo-down
demo-down: lab-down ## Remove everything that demo made

##@ Look

.PHONY: validate
validate: $(VENV) $(TREE) ## Check an inventory, and contact no host (INVENTORY=... FORMAT=json OUTPUT=...)
	@ANSIBLE_COLLECTIONS_PATH=$(CURDIR)/.build/unit tools/validate "$(INVENTORY)" "$(FORMAT)" "$(OUTPUT)"

##@ Build

.PHONY: venv
venv: $(VENV) ## The Python environment in .venv, from requirements.txt

$(VENV): requirements.txt
	@test -n "$(HAS_PACKAGES)" || tools/step "Check the Debian packages for the Python environment" \
	  tools/ensure_packages $(PACKAGES)
	@rm -rf .venv
	@$(PYTHON) -m venv .venv
	@tools/step "Install the Python environment" .venv/bin/pip install --requirement requirements.txt
	@touch $@

.PHONY: install
install: $(INSTALLED) $(TREE) ## Build the collection, and install the tarball into .build

$(INSTALLED): $(VENV) $(SOURCES)
	@rm -rf .build/dist
	@tools/step "Build the collection" ansible-galaxy collection build --output-path .build/dist
	@tools/step "Install its tarball" ansible-galaxy collection install --force --offline --no-deps \
	  --collections-path .build .build/dist/pextra-cloud-*.tar.gz
	@touch $@

# The sources where Python looks for a collection. Relative imports and mypy need this, an installed copy would be old.
$(TREE):
	@mkdir -p $(@D)
	@ln -sfn ../../../.. $@

.PHONY: options
options: $(VENV) $(TREE) ## Write the modules' documentation from the tables of fields
	@.venv/bin/python tools/write_instance_kinds.py
	@.venv/bin/python tools/write_module_docs.py
	@.venv/bin/python tools/write_instance_options.py

.PHONY: readmes
readmes: $(VENV) ## Write the roles' READMEs from their argument specs
	@.venv/bin/python tools/write_role_readmes.py

.PHONY: schema
schema: $(VENV) $(TREE) ## Write the JSON Schema of the deployment document
	@.venv/bin/python tools/write_json_schema.py

.PHONY: ignores
ignores: ## Write what ansible-test excuses, from what the plugins import
	@$(PYTHON) tools/write_sanity_ignores.py

.PHONY: docs
docs: $(INSTALLED) ## Build the documentation as a site: .build/docs/html/index.html
	@tools/step "Build the documentation" tools/build_docs
	@tools/step "Follow its links" tools/check_links.py .build/docs/html

##@ The lab

.PHONY: lab-packages
lab-packages: ## The Debian packages that the lab needs
	@tests/lab/lab requirements

.PHONY: lab
lab: lab-packages ## Three hosts as containers on this machine
	@tests/lab/lab create

.PHONY: lab-down
lab-down: ## Remove the lab; its images stay, to be quick the next time
	@tests/lab/lab destroy

##@ Prove it

.PHONY: test
test: ## All of lint, unit, contract, sanity and integration; the browser apart (make browser)
	@tools/run_tests lint unit contract sanity integration

.PHONY: lint
lint: $(TREE) $(INSTALLED) ## ruff, mypy, yamllint, ansible-lint, REUSE, galaxy-importer, the site and its links
	@{ tools/step "pre-commit" pre-commit run --all-files && \
	  tools/step "antsibull-docs" antsibull-docs lint-collection-docs --plugin-docs \
	    --validate-collection-refs dependent . && \
	  tools/step "antsibull-changelog" antsibull-changelog lint && \
	  tools/step "galaxy-importer" tools/check_import.py .build/dist/pextra-cloud-*.tar.gz && \
	  tools/step "mypy" tools/check_types; \
	} & first=$$!; \
	{ tools/step "ansible-lint" ansible-lint --nocolor && \
	  tools/step "Build the documentation" tools/build_docs && \
	  tools/step "Follow its links" tools/check_links.py .build/docs/html; \
	} & second=$$!; \
	status=0; wait $$first || status=$$?; wait $$second || status=$$?; exit $$status

PYTEST := .venv/bin/python -m pytest -p no:cacheprovider

.PHONY: test-packages
test-packages: ## The Debian packages that unit and contract tests need
	@test -n "$(HAS_PACKAGES)" || tools/ensure_packages $(TEST_PACKAGES)

.PHONY: unit
unit: test-packages $(VENV) $(TREE) ## Tables and properties of the pure code, and the guards
	@tools/step --show "Unit tests" $(PYTEST) --numprocesses logical --junit-xml .build/reports/unit.xml tests/unit

.PHONY: contract
contract: test-packages $(VENV) $(TREE) ## The doors to libvirt and Open vSwitch, on the real things in process
	@tools/step --show "Contract tests" $(PYTEST) --junit-xml .build/reports/contract.xml tests/contract

.PHONY: browser-packages
browser-packages: ## The Debian packages that the tests in a browser need
	@test -n "$(HAS_PACKAGES)" || tools/ensure_packages $(BROWSER_PACKAGES)

.PHONY: browser
browser: browser-packages $(VENV) $(TREE) ## The page of report.yml in a headless Chromium
	@tools/step --show "Browser tests" $(PYTEST) --junit-xml .build/reports/browser.xml tests/browser

.PHONY: pictures
pictures: browser-packages $(VENV) $(TREE) ## Take the pictures of the page that README and docs show
	@tools/step "Take the pictures" env PYTHONPATH=tests/unit:.build/unit .venv/bin/python -m tests.browser.pictures

.PHONY: terminal-pictures
terminal-pictures: browser-packages lab-packages $(VENV) $(TREE) ## Take those of a terminal, of a run on the lab too
	@test -n "$(HAS_PACKAGES)" || tools/ensure_packages $(TERMINAL_PACKAGES)
	@tools/with_lab tools/step "Take the pictures" env PYTHONPATH=tests/unit:.build/unit .venv/bin/python -m \
	  tests.browser.terminal_pictures

.PHONY: sanity
sanity: $(INSTALLED) ## ansible-test sanity
	@tools/step "ansible-test sanity" tests/sanity/run

.PHONY: integration
integration: install lab-packages ## The installed collection on the lab, looked at from outside
	@tools/with_lab tools/step --show "Integration tests" $(PYTEST) --durations 25 -m "not long and not compatibility" \
	  --junit-xml .build/reports/integration.xml tests/integration

.PHONY: integration-long
integration-long: install lab-packages ## The lab tests that would make `make test` longer than 45 minutes
	@tools/with_lab tools/step --show "Long integration tests" $(PYTEST) --durations 25 -m long \
	  --junit-xml .build/reports/integration-long.xml tests/integration

.PHONY: ceph
ceph: install lab-packages ## The lab with a Ceph of its own: pools, clients, OSDs that come and go
	@PEXTRA_LAB_IMAGE=ceph tools/with_lab tools/step --show "Ceph tests" $(PYTEST) --durations 15 \
	  --junit-xml .build/reports/ceph.xml tests/ceph

.PHONY: storage
storage: install ## Pools of every type on real NFS, SMB, iSCSI, LVM and ZFS, in a virtual machine
	@tools/with_storage_node tools/step --show "Storage tests" $(PYTEST) --durations 25 \
	  --junit-xml .build/reports/storage.xml tests/storage

.PHONY: compatibility
compatibility: compatibility-cores compatibility-nodes ## Both of the next two: other versions of Ansible, Python and Debian

.PHONY: compatibility-cores
compatibility-cores: $(VENV) ## The controller with ansible-core from 2.19 to the newest (CORES="2.20 2.21")
	@tests/compatibility/run $(CORES)

.PHONY: compatibility-nodes
compatibility-nodes: install lab-packages ## The lab with a node of Debian 13 among those of Debian 12
	@tools/with_lab tools/step --show "Debian 13" $(PYTEST) --durations 10 -m compatibility \
	  --junit-xml .build/reports/compatibility-nodes.xml tests/integration

.PHONY: chaos
chaos: install lab-packages ## Interrupt runs, and let two race (INTERRUPTIONS=200 RACES=200)
	@PEXTRA_INTERRUPTIONS=$(INTERRUPTIONS) PEXTRA_RACES=$(RACES) tools/with_lab tools/step --show "Chaos" $(PYTEST) \
	  tests/integration/test_interruption.py tests/integration/test_races.py

.PHONY: image-transfer
image-transfer: install lab-packages ## Bring an image of 1 GiB to three nodes (IMAGE_MIB=1024)
	@PEXTRA_IMAGE_MIB=$(IMAGE_MIB) tools/with_lab tools/step --show "Image of $(IMAGE_MIB) MiB" $(PYTEST) -s \
	  tests/integration/test_image_transfer.py

.PHONY: bench
bench: install lab-packages ## Measure the modules against community.libvirt and raw libvirt
	@tools/with_lab tests/bench/run

.PHONY: bench-nodes
bench-nodes: install lab-packages ## Measure the reading of many nodes in one call (NODES=30)
	@PEXTRA_LAB_NODES=$$(($(NODES) + 2)) tools/with_lab tests/bench/run --nodes

.PHONY: bench-ceph
bench-ceph: install lab-packages ## Measure storage pools of Ceph against raw libvirt
	@PEXTRA_LAB_IMAGE=ceph tools/with_lab tests/bench/run --ceph-pools

.PHONY: molecule
molecule: install lab-packages ## The Molecule scenario with one host
	@tests/lab/lab images
	@MOLECULE_EPHEMERAL_DIRECTORY=$(CURDIR)/.build/molecule \
	  tools/step --show "Molecule" env --chdir=extensions molecule test

.PHONY: molecule-own
molecule-own: install lab-packages ## The one for users' own inventories, copied and run outside of this repository
	@tests/lab/lab images
	@PEXTRA_MOLECULE_IMAGE=localhost/pextra-lab/node:bookworm tools/step --show "Molecule elsewhere" $(PYTEST) \
	  --junit-xml .build/reports/molecule-own.xml tests/molecule

.PHONY: molecule-newest
molecule-newest: install lab-packages ## The one with one host, by the newest ansible-core (NEWEST_PYTHON=python3.13)
	@tests/lab/lab images
	@tools/step --show "Install the newest ansible-core" tools/make_newest .build/newest $(NEWEST_PYTHON)
	@PATH=$(CURDIR)/.build/newest/bin:$$PATH MOLECULE_EPHEMERAL_DIRECTORY=$(CURDIR)/.build/molecule-newest \
	  tools/step --show "Molecule with the newest ansible-core" env --chdir=extensions molecule test

.PHONY: molecule-ceph
molecule-ceph: install lab-packages ## The Molecule scenario with a Ceph on three hosts
	@tests/lab/lab images --image ceph
	@MOLECULE_EPHEMERAL_DIRECTORY=$(CURDIR)/.build/molecule-ceph \
	  tools/step --show "Molecule" env --chdir=extensions molecule test --scenario-name ceph

.PHONY: molecule-storage
molecule-storage: install ## The Molecule scenario with storage pools of every type, in a virtual machine
	@MOLECULE_EPHEMERAL_DIRECTORY=$(CURDIR)/.build/molecule-storage \
	  tools/step --show "Molecule" env --chdir=extensions molecule test --scenario-name storage

.PHONY: first-hour
first-hour: browser-packages install lab-packages ## The quick start, word for word: from a tarball to an instance that answers
	@tests/lab/lab images --image controller
	@tools/step --show "The first hour" $(PYTEST) -s --junit-xml .build/reports/first-hour.xml tests/first_hour

.PHONY: ee
ee: install lab-packages ## The execution environment for AWX, as a podman image from packages
	@tests/ee/build

.PHONY: ee-test
ee-test: ee ## The lab from inside of it, by ansible-runner: run, and transmit | worker | process
	@tools/with_lab tools/step --show "Execution environment" $(PYTEST) --durations 10 \
	  --junit-xml .build/reports/ee.xml tests/ee

##@ Clean up

.PHONY: clean
clean: ## Remove the lab with its images, .build and .venv
	@tests/lab/lab destroy --images
	@rm -rf .build .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .ansible
