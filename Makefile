# Everything a fresh machine needs comes from here: Python 3.11+, git and make are enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo devpod test test-slow check bench bench-eventlog bench-tunnel bench-link bench-upload bench-armour bench-up bench-ship fuzz dist helper manifests docs format clean test-packages

demo: $(READY)
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/devpod-provider-aci-emulator run -- sh tools/demo.sh

# A shell in which the real DevPod works on the emulator; needs the devpod binary on PATH, and says so where it is not.
devpod: $(READY)
	@$(BIN)/python -m tools.try_devpod

# Real processes, terminals and sockets, four tests at a time on however few processors: a deadline may be missed by the
# neighbours' doing. So what failed is run once more, alone; what is wrong fails there as well.
test: $(READY) test-packages
	$(BIN)/python -m pytest -n 4 --dist loadfile || \
		{ echo 'once more, alone: what failed'; $(BIN)/python -m pytest --last-failed --last-failed-no-failures none; }

# 64 processes, 100,000 events, minutes of drops, Debian from its own tools: what takes too long for every run.
test-slow: export ACI_SLOW_TESTS = 1
test-slow: export TUNNEL_SOAK = 1
test-slow: $(READY) test-packages
	$(BIN)/python -m pytest tests/eventlog tests/adapters/tunnel tests/e2e/test_images.py tests/e2e/test_killed.py tests/e2e/test_bad_far_side.py tests/e2e/test_link.py tests/e2e/test_round_trips.py tests/e2e/test_agent.py tests/e2e/test_syncs.py

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(READY)
	$(BIN)/python -m tools.bench_startup
	BENCH_EVENTS=100000 $(BIN)/python -m tools.bench_eventlog
	$(BIN)/python -m tools.bench_tunnel --quick

bench-eventlog: $(READY)
	$(BIN)/python -m tools.bench_eventlog

bench-tunnel: $(READY) helper
	$(BIN)/python -m tools.bench_tunnel

bench-link: $(READY) helper
	$(BIN)/python -m tools.bench_link

bench-upload: $(READY) helper
	$(BIN)/python -m tools.bench_upload

bench-armour: $(READY) helper
	$(BIN)/python -m tools.bench_armour

# The whole of a first `devpod up`; needs the devpod binary on PATH, and says so where it is not.
bench-up: $(READY) helper
	@$(BIN)/python -m tools.bench_up

bench-ship: $(READY)
	$(BIN)/python -m tools.bench_ship

# A minute of libFuzzer on what the container's helper parses; where clang lacks it, that is said and no failure.
fuzz:
	$(PYTHON) tests/adapters/tunnel/fuzz.py

dist: $(READY)
	$(BIN)/python -m pip install --quiet build
	$(BIN)/python -m build --outdir dist .

helper: $(READY)
	$(BIN)/python -m adapters.tunnel.helper.build

manifests: $(READY)
	$(BIN)/python -m adapters.devpod.render

docs: manifests
	$(BIN)/python -m tools.state_machine_page
	$(BIN)/python -m tools.exit_statuses

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The session tests talk to a real sshd, some shell tests to other shells; as root on Debian they are installed,
# elsewhere the tests that lack them say so and are skipped. Azurite comes from npm, and Node.js from PyPI where it lacks.
test-packages: $(READY)
	@sh tools/test-packages.sh
	@$(BIN)/python -m tests.adapters.ship.azurite

$(READY): pyproject.toml tools/hatch_build.py $(wildcard adapters/tunnel/helper/*.c adapters/tunnel/helper/*.h)
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) build dist
