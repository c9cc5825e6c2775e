# The two commands for a user are `make run` and `make test`; the rest is for whoever
# changes the code. Everything lives in .venv; nothing is installed outside it.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: run test test-lines test-service deb check drawings mount check-mount evaluate fuzz format lock bench clean

run: $(READY)
	$(BIN)/rearguard simulate wall

# The core's branches are all covered by its own tests; under coverage every walk would take thrice.
CORE := $(patsubst %,tests/test_%.py,alert button coach health journal loop mute pipeline signals track)
# Many of the others wait for real time: one worker more than there are processors.
WORKERS = $(shell $(BIN)/python -c 'import os; print(1 + (os.cpu_count() or 1))')
test: $(READY)
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -n $(WORKERS) $(CORE)
	$(BIN)/coverage combine -q
	$(BIN)/coverage report --fail-under=100
	$(BIN)/pytest -n $(WORKERS) --dist worksteal $(addprefix --ignore=,$(CORE))

check: $(READY)
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tests.docs
	$(BIN)/python debian/metadata.py --check
	$(BIN)/python -m hardware --check

# The guide's drawings, from the settings' defaults; `make check` fails when they are stale.
drawings: $(READY)
	$(BIN)/python -m hardware

# The printable pieces as STL files in dist/mount, checked, and their picture; needs OpenSCAD.
mount: $(READY)
	$(BIN)/python -m hardware.mount

check-mount: $(READY)
	$(BIN)/python -m hardware.mount --check

# The scenario suite against its gates, for every profile: minutes, not seconds.
SEEDS ?= 100
evaluate: $(READY)
	$(BIN)/rearguard evaluate --seeds $(SEEDS)
	$(BIN)/rearguard evaluate --seeds 40 --config config/fit.toml
	$(BIN)/rearguard evaluate --seeds 40 --config config/rehab.toml

format: $(READY)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# Hostile bytes through every serial parser; ten million for each with BYTES=10000000.
BYTES ?= 1000000
fuzz: $(READY)
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements/fuzz.txt
	$(BIN)/python -m fuzz.parsers --bytes $(BYTES)

bench: $(READY)
	$(BIN)/python -m benchmarks.onset
	$(BIN)/python -m benchmarks.cost
	$(BIN)/python -m benchmarks.parsers
	$(BIN)/python -m benchmarks.walks
	$(BIN)/python -m benchmarks.bill

# The daemon on a real Linux GPIO chip, in a kernel of its own: see lines/README.md.
test-lines: $(READY)
	$(BIN)/python -m lines

# The package in Debian 12 and 13 with their real systemd: see service/README.md. Needs root.
test-service: $(READY)
	$(BIN)/python -m service

# dist/rearguard_VERSION_all.deb, for Raspberry Pi OS.
deb:
	packages/deb.sh

# Writes names, versions and hashes, and no addresses.
LOCK := --quiet --universal --generate-hashes --no-emit-index-url --no-annotate --no-header \
    --python-version 3.11
lock: $(READY)
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile $(LOCK) --extra dev pyproject.toml --output-file requirements/dev.txt
	$(BIN)/uv pip compile $(LOCK) --group fuzz --output-file requirements/fuzz.txt
	$(BIN)/uv pip compile $(LOCK) --group lines --output-file requirements/lines.txt
	$(BIN)/uv pip compile $(LOCK) packages/local.in --output-file packages/local.txt

$(READY): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "Python 3.11 or newer is needed; $(PYTHON) is older: make PYTHON=python3.11 ..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --no-build-isolation --no-deps --editable .
	@touch $(READY)

clean:
	rm -rf $(VENV) build dist *.egg-info .coverage* .mypy_cache .ruff_cache .pytest_cache .hypothesis
