# Two commands set everything up on a machine with Python, make and a package index: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test test-cluster same-job same-pbs-job same-container attack bench lint types format clean

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

# Scripts for the old cluster in, scripts for slinky out: one with its difference and report, then all into demo/.
# rewrite exits 1 where something is left for a person, as in some of these.
demo: $(STAMP)
	rm -rf demo
	$(BIN)/sifmigrate rewrite fixtures/taiwania2/horovod/before.sh --target slinky --diff || test $$? = 1
	$(BIN)/sifmigrate scan fixtures/taiwania2/horovod/before.sh --target slinky
	$(BIN)/sifmigrate rewrite fixtures/*/*/before.sh --target slinky --out demo --quiet || test $$? = 1
	@echo "The fixtures, migrated, and report.md stand in demo/."

test: lint types $(STAMP)
	$(BIN)/sifmigrate rules test
	$(BIN)/python -m pytest --numprocesses auto

# Real Slurm, Grid Engine, Docker, Apptainer and Open MPI in a folder of their own (root, Debian packages); says loudly what it could not test.
test-cluster: $(STAMP)
	bash tests/cluster/up.sh
	$(BIN)/python -m pytest --numprocesses 2 tests/cluster

# The same job on both clusters, by generation: see CONTRIBUTING.md; `make same-job SAME_JOB="--count 200 --first 5000"`.
same-job: $(STAMP)
	bash tests/cluster/up.sh
	$(BIN)/python tests/cluster/same_job.py $(SAME_JOB)

# The same for PBS Pro and Torque, under a stand-in: `make same-pbs-job SAME_PBS_JOB="--first 5000 --count 200"`.
same-pbs-job: $(STAMP)
	bash tests/cluster/up.sh
	$(BIN)/python tests/cluster/same_pbs_job.py $(SAME_PBS_JOB)

# Scripts with containers on Docker, Apptainer, pyxis and enroot, in six directions: see CONTRIBUTING.md;
# `make same-container SAME_CONTAINER="--direction docker-apptainer --first 5000 --count 200"`.
same-container: $(STAMP)
	bash tests/cluster/up.sh
	$(BIN)/python tests/cluster/same_container.py $(SAME_CONTAINER)

# Hostile inputs of every sort; `make attack ATTACK="--count 15000 --log done.json"` tries more and goes on where it
# was stopped. SIFMIGRATE_FOREIGN names a folder of other people's scripts.
attack: $(STAMP)
	$(BIN)/python -m tests.attack $(ATTACK)

# Against shellcheck and ast-grep on the same generated scripts, in the same run. A Python that was built without
# profile-guided optimisation is slower: `make bench VENV=.venv-bench PYTHON=/usr/bin/python3` takes another.
bench: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	$(BIN)/python bench/run.py

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) demo dist build
