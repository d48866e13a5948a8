# The book and its package. `make help` lists what can be made; every target is safe to repeat.

PYTHON ?= python3
VENV   := .venv
ifeq ($(OS),Windows_NT)
PY := $(VENV)/Scripts/python.exe
else
PY := $(VENV)/bin/python
endif

.DEFAULT_GOAL := help
PORT   ?= 8000
.PHONY: help env book book-zip serve class test notebooks bench lab clean

help:
	@echo "make book       set up .venv if needed and build the book into _build/html"
	@echo "make book-zip   build it, and pack it into one file to hand out"
	@echo "make serve      build it, and serve it on this machine: for a browser that gives a page from a folder no camera"
	@echo "make class      exercise notebooks with checks, slides, a sheet of the paper's tables: into book/class"
	@echo "                (SOLUTIONS=0: also the book without its solutions and answers, packed to hand out)"
	@echo "make test       the same set-up, then everything: ruff, mypy, unit tests, every chapter's cells, the book"
	@echo "make notebooks  execute the chapters whose source has changed (ALL=1: all of them), and write the ledger"
	@echo "make lab        open JupyterLab on the book: chapters, and class where make class wrote it"
	@echo "make bench      measure the speed of training and prediction on this machine, as ratios (PEER=python with mediapipe)"
	@echo "make clean      remove what was built (.venv stays; remove it by hand to start from nothing)"
	@echo
	@echo "Another Python than python3:  make book PYTHON=python3.12"

env:
	@command -v $(PYTHON) >/dev/null 2>&1 || { \
	  echo "handpose: there is no '$(PYTHON)' here. Install Python 3.11 to 3.14, or name one: make book PYTHON=python3.12"; \
	  exit 1; }
	@$(PYTHON) tools/environment.py $(if $(filter file,$(origin PYTHON)),,--named)

book: env
	@$(PY) tools/book.py

book-zip: env
	@$(PY) tools/book.py --zip

serve: env
	@$(PY) tools/book.py --serve $(PORT)

class: env
	@$(PY) tools/classroom.py
	@$(PY) -m tools.slides
	@$(PY) -m tools.sheet
	@$(if $(filter 0,$(SOLUTIONS)),$(PY) tools/book.py --without-solutions)

test: env
	@$(PY) --version
	@echo "[1/3] ruff: style and common mistakes"
	@$(PY) -m ruff check .
	@echo "[2/3] mypy: types of the package"
	@$(PY) -m mypy
	@echo "[3/3] pytest: the package, the book, every cell of every chapter (warnings are errors)"
	@OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE $(PY) -m pytest -n 2 --dist loadfile --no-loadscope-reorder --nbval --durations=10 --durations-min=1 tests book/chapters

notebooks: env
	@$(PY) tools/notebooks.py $(if $(ALL),--all)
	@$(PY) tools/ledger.py

lab: env
	@$(PY) -m jupyter trust book/chapters/*.ipynb > /dev/null
	@$(PY) -m jupyter lab book --config tools/jupyter_lab.py

bench: env
	@$(PY) benchmarks/bench.py --json book/results/speed/bench.json $(if $(PEER),--peer-python $(PEER))

clean:
	rm -rf _build .cache book/class .pytest_cache .ruff_cache .mypy_cache *.egg-info
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +
