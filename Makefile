# make demo       install if needed, run the captioning comparison, print where the report is
# make test       install if needed, lint, test
# make bench      time the attention kernels against torch's, training and generation against their peers, and the statistics
# make calibrate  thousands of simulated comparisons of known truth: do verdicts keep their promises? (minutes)
# make calibrate-timing  a contestant timed against itself, 200 times, on a loaded machine
# make proofs     prove the kernels right, as far as that goes without a GPU
# make reproduce  the smoke preset twice in fresh processes: same weights, predictions and metrics?

PYTHON ?= python3
VENV := .venv
BENCH := $(VENV)/bin/bench
# Installed once; again only when pyproject.toml has changed.
INSTALLED := $(VENV)/.installed

.PHONY: demo test bench lint format calibrate calibrate-timing proofs reproduce kernels install clean

demo: kernels
	$(BENCH) run --task captioning --model both

test: lint kernels
	$(VENV)/bin/pytest

lint: install
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

format: install
	$(VENV)/bin/ruff check --fix
	$(VENV)/bin/ruff format

bench: kernels
	mkdir -p .benchmarks
	$(BENCH) kernels bench
	$(VENV)/bin/pytest -o python_files='bench_*.py' -o python_functions='bench_*' \
		--confcutdir tests/benchmarks --benchmark-json .benchmarks/pytest.json tests/benchmarks

proofs: kernels
	$(BENCH) kernels check

calibrate: install
	$(VENV)/bin/python -m bimodal.calibration --json calibration.json

calibrate-timing: kernels
	$(VENV)/bin/python -m bimodal.calibration.timing --json calibration-timing.json

reproduce: kernels
	rm -rf runs/reproduce
	$(BENCH) run --task captioning --model both --preset smoke --out runs/reproduce
	$(BENCH) reproduce runs/reproduce

# Compiled once per machine, so that no run waits for a compiler; without one, runs use torch's attention.
kernels: install
	$(BENCH) kernels build

install: $(INSTALLED)

$(INSTALLED): pyproject.toml
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --progress-bar off --editable '.[dev,kernels]'
	touch $@

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
