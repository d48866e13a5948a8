"""The networks exported once for all tests, whatever worker they run in: it takes as long as hundreds of pictures."""

import os
import subprocess
import sys
from pathlib import Path

import filelock
import pytest


@pytest.fixture(scope="session")
def exported(tmp_path_factory) -> tuple[Path, str]:
    """The folder that `python -m handpose export` wrote, and what it printed: its output, with the errors behind it."""
    pytest.importorskip("onnxscript", reason='the extra "onnx" is not installed')
    root = tmp_path_factory.getbasetemp()
    root = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root
    folder, printed = root / "onnx-new", root / "onnx-printed.txt"
    with filelock.FileLock(root / "onnx.lock"):
        if not printed.exists():
            done = subprocess.run([sys.executable, "-m", "handpose", "export", "--out", str(folder)],
                                  capture_output=True, text=True, timeout=600)  # fmt: skip
            assert done.returncode == 0, done.stderr
            printed.write_text(done.stdout + done.stderr)
    return folder, printed.read_text()
