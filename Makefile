# make run    the demo study, from nothing to tables and figures
# make test   everything that must hold, but for what takes minutes and rarely breaks: make test-all
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CORES ?= all
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet -c constraints.txt
SNAKEMAKE := $(BIN)/snakemake --profile profiles/local --cores $(CORES)
# A file of tests is one worker's, for what its tests share; the files go out in the order of tests/conftest.py. Three
# workers on two cores, since tests wait for the processes that they start.
PYTEST := $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder
# Freed memory stays in the process instead of going back to the system page by page: large temporary tensors
# are then not paid for in page faults again and again.
export MALLOC_MMAP_THRESHOLD_ ?= 1000000000
export MALLOC_TRIM_THRESHOLD_ ?= 2000000000

.DEFAULT_GOAL := help
.PHONY: help install run plan test test-all lint bench gpu golden report record docs constraints clean

help: ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(VENV)/.run: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "segstudy needs Python 3.11 or newer, but '$(PYTHON)' is $$($(PYTHON) -V 2>&1). Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "Installing into $(VENV) (once; torch is the large part) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) -e .
	@touch $@

$(VENV)/.test: $(VENV)/.run
	@echo "Installing what the tests need ..."
	@$(PIP) -e '.[test]'
	@touch $@

install: $(VENV)/.run ## into .venv, and nothing else; then: source .venv/bin/activate

$(VENV)/.docs: $(VENV)/.run
	@$(PIP) -e '.[docs]'
	@touch $@

run: $(VENV)/.run ## the demo study on drawn data: minutes on two cores
	@$(BIN)/segstudy run studies/demo.yaml -- --profile profiles/local --cores $(CORES)
	@$(BIN)/segstudy summary studies/demo.yaml

plan: $(VENV)/.run ## cells, hours and disk of the demo study before it runs; STUDY=config.yaml for another
	@$(BIN)/segstudy plan $(or $(STUDY),studies/demo.yaml)

report: $(VENV)/.run ## the demo study's report, results/demo/report.html
	@$(SNAKEMAKE) --configfile studies/demo.yaml -- results/demo/report.html

record: $(VENV)/.run ## Snakemake's own report of the demo study (rules, times, provenance), snakemake.html
	@$(SNAKEMAKE) --configfile studies/demo.yaml --report snakemake.html

test: lint ## all tests that take seconds; the last lines say which were slowest
	@$(PYTEST) -m "not slow"

test-all: lint ## those, and what takes minutes and rarely breaks: whole studies on SLURM and LSF, kills at any stage
	@STUDIES_PLAIN=1 $(PYTEST) # their jobs are processes of their own, not forks of one that has imported the libraries

lint: $(VENV)/.test ## style, types, Snakemake's own lint
	@$(BIN)/ruff check --no-cache . # a cache forgets where modules live
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/snakefmt --check Snakefile workflow/Snakefile rules
	@$(BIN)/snakemake --lint

bench: $(VENV)/.test ## seconds per stage, images/s, memory; PART=engine for one part (not part of the tests)
	@$(BIN)/python benchmarks/bench.py $(PART)

gpu: $(VENV)/.test ## everything that needs a GPU, in at most ten minutes, with one table at the end
	@$(BIN)/python benchmarks/gpu.py

golden: $(VENV)/.test ## record anew the numbers that must not change by accident
	@$(BIN)/python -m tests.golden.study

docs: $(VENV)/.docs ## these pages as a site, site/index.html; opens from disk
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	@echo site/index.html

constraints: $(VENV)/.test ## write constraints.txt from what is installed now
	@{ sed -n '/^#/p' constraints.txt; $(BIN)/python -m pip freeze --exclude-editable | sed 's/+cpu//'; } > constraints.new
	@mv constraints.new constraints.txt

clean: ## remove the demo study's results and drawn data
	rm -rf results/demo resources/phantoms/demo
