"""Help is there at once: torch, OpenCV and matplotlib are imported when a command runs, or a name is used."""

import importlib
import inspect
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import handpose
from handpose import __main__ as command
from handpose import data, pipeline
from handpose.cli import predict, reproduce
from handpose.study import reproduce as tables

ROOT = Path(__file__).resolve().parents[2]
LARGE = ("torch", "cv2", "matplotlib", "numpy", "scipy", "tqdm", "safetensors")
LOADED = f"print(*(name for name in {LARGE} if name in sys.modules))"
NAMES = [module.__name__.rpartition(".")[2] for module in command.COMMANDS]


def python(code: str) -> str:
    """What a fresh Python prints."""
    done = subprocess.run([sys.executable, "-c", "import sys\n" + code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", [None, *NAMES])
def test_help_imports_nothing_large(name):
    lines = python(f"""
from handpose.__main__ import main
try:
    main({[name] if name else []} + ["--help"])
except SystemExit as end:
    assert end.code == 0
{LOADED}""").splitlines()
    assert lines[0].startswith(f"usage: handpose {name or '[-h]'}") and lines[-1] == ""


def test_every_module_of_the_command_line_is_a_command():
    files = {file.stem for file in (ROOT / "handpose" / "cli").glob("[!_]*.py")}
    assert files == set(NAMES)


def test_importing_the_package_imports_nothing_large():
    assert python(f"import handpose, handpose.data\nhandpose.data.SOURCES\n{LOADED}") == "\n"
    assert python(f"import handpose\nhandpose.files\n{LOADED}") == "\n"
    assert "torch" in python(f"import handpose\nhandpose.PoseLoss\n{LOADED}")


def test_every_public_name_is_there():
    for module in (handpose, data):
        assert set(module.__all__) <= set(dir(module)) and not [n for n in module.__all__ if not hasattr(module, n)]
        with pytest.raises(AttributeError, match="no attribute 'HandPoes'"):
            module.HandPoes  # noqa: B018
    root = {file.stem for file in (ROOT / "handpose").glob("[!_]*.py")}
    assert root <= set(handpose.__all__)
    assert handpose.HandPose is pipeline.HandPose and handpose.data.DataError is data.common.DataError


def test_what_a_help_text_says_is_what_is_done():
    assert predict.THRESHOLD == pipeline.THRESHOLD and tuple(tables.DIVISIONS) == reproduce.DIVISIONS
    for name, options in reproduce.TABLES.items():
        assert {*options, "results", "seed", "device"} == set(inspect.signature(getattr(tables, name)).parameters)


def test_the_console_command_is_the_same():
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    module, _, function = scripts["handpose"].partition(":")
    assert getattr(importlib.import_module(module), function) is command.main
    for called, name in (([sys.executable, "-m", "handpose"], "python -m handpose"),
                         ([Path(sys.executable).with_name("handpose")], "handpose")):  # fmt: skip
        if Path(called[0]).exists():  # the second one where the package was installed since it has a console command
            done = subprocess.run([*called, "doctor", "--help"], cwd=ROOT, capture_output=True, text=True)
            assert done.returncode == 0 and done.stdout.startswith(f"usage: {name} doctor")


@pytest.mark.parametrize("arguments", [["train", "--config", "quick", "--data", "synthetic", "--out", "x"],
                                       ["evaluate", "--data", "synthetic"], ["predict", "x.jpg"],
                                       ["export", "--out", "x"], ["reproduce", "table1"]])  # fmt: skip
def test_without_torch_a_command_says_so_in_one_line(arguments, tmp_path, tmp_path_factory):
    code = f"import sys; sys.modules['torch'] = None; from handpose.__main__ import main; sys.exit(main({arguments}))"
    alone = {"PYTHONPATH": str(ROOT), "HANDPOSE_CACHE": str(tmp_path_factory.mktemp("empty"))}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, env=alone)
    assert done.returncode == 1 and done.stdout == "" and not list(tmp_path.iterdir())
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ") and "torch" in line and "doctor" in line


def test_a_mistake_in_our_own_imports_is_no_missing_package():
    with pytest.raises(ImportError):
        command.missing(ImportError("cannot import name 'x'", name="handpose.crop"))
    with pytest.raises(RuntimeError):
        command.stopped(RuntimeError("a fault of ours"))
