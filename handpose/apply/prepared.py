"""The networks that `HandPose.from_pretrained` runs on a processor: exported once, kept in the cache.

An export takes as long as hundreds of pictures, so nobody waits for it: the first time a process of its own makes it,
with low priority, and PyTorch runs the networks until it is there. What is kept belongs to these weights, to this code
and to these versions of the packages; anything else is made anew.
"""

import ctypes
import hashlib
import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import filelock

import handpose
from handpose import files, pretrained
from handpose.apply import onnx_runtime

BACKENDS = ("onnx", "torch")
PACKAGES = ("onnx", "onnxscript", "onnxruntime", "torch")
#: What shapes the exported networks.
SOURCES = ("arrays", "attention", "cpm", "detector", "gesturenet", "networks", "posenet", "scoremap", "apply.export")
MAX_EXPORTS = 4  # exports, the newest; each takes 8 MB
PATIENCE = 600  # seconds after which an export that has not come about was broken off, and is begun again
FAILED = "failed.txt"  # why an export did not come about; it is not tried again until something changes


def folder(pose: str | os.PathLike | None = None) -> Path:
    """Where the export of these networks is kept.

    Raises:
        OSError: a file of weights cannot be read.
    """
    digest = hashlib.sha256(onnx_runtime.FORM.encode())
    for name in PACKAGES:
        digest.update(f"{name} {_version(name)}".encode())
    for name in SOURCES:
        digest.update(Path(handpose.__file__).parent.joinpath(*name.split(".")).with_suffix(".py").read_bytes())
    for _, path in sorted(pretrained.weights_files(pose).items()):
        digest.update(path.read_bytes())
    return files.cache_folder() / f"onnx-{digest.hexdigest()[:20]}"


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "none"


def missing(names: tuple[str, ...] = PACKAGES) -> list[str]:
    """The packages among `names` that are not installed."""
    found = {name: sys.modules[name] if name in sys.modules else importlib.util.find_spec(name) for name in names}
    return [name for name, module in found.items() if module is None]


def on_processor(device: str | None) -> bool:
    """Whether the processor computes; PyTorch is asked only where there may be a GPU."""
    if device is not None:
        return str(device) == "cpu"
    maybe = sys.platform == "darwin" or os.path.exists("/dev/kfd")
    if not maybe and not _version("torch").endswith("+cpu"):
        try:
            ctypes.CDLL("nvcuda.dll" if os.name == "nt" else "libcuda.so.1")
            maybe = True
        except OSError:
            pass
    if not maybe:
        return True
    from handpose import devices

    return devices.choose().type == "cpu"


def choose(
    pose: str | os.PathLike | None, device: str | None, backend: str | None
) -> dict[str, onnx_runtime.Network] | None:
    """The networks for ONNX Runtime, by kind; None where PyTorch is to run them.

    Args:
        pose: weights of the pose network; None for the bundled ones. Others are exported where "onnx" is asked for.
        device: as for `HandPose.from_pretrained`.
        backend: "onnx", "torch", or None for `$HANDPOSE_BACKEND`, and without that for what is faster here.

    Raises:
        ValueError: there is no such backend, or "onnx" was asked for and there is no processor, package or room for it.
    """
    backend = backend or os.environ.get("HANDPOSE_BACKEND") or None
    if backend not in (None, *BACKENDS):
        raise ValueError(f"backend {backend!r}: there are {' and '.join(BACKENDS)}")
    if backend == "torch" or (backend is None and (pose is not None or missing(("onnxruntime",)))):
        return None
    if not on_processor(device):
        if backend:
            raise ValueError(f"backend 'onnx' runs on the processor, not on {device or 'a GPU'}; give device='cpu'")
        return None
    try:
        export_folder = folder(pose)
    except OSError as error:
        raise pretrained.WeightsError(f"{error.filename}: no such weights file") from None
    try:
        return onnx_runtime.load(export_folder, weights=pretrained.weights_files(pose))
    except onnx_runtime.OnnxError as error:
        if all((export_folder / name).exists() for name in onnx_runtime.FILES.values()):
            print(f"note: {error}; it is made anew", file=sys.stderr)
    if backend is None:
        start(export_folder)
        return None
    make(pose)
    return onnx_runtime.load(export_folder, weights=pretrained.weights_files(pose))


def make(pose: str | os.PathLike | None = None) -> Path:
    """Export the networks now and keep them; what another process is making is waited for.

    Raises:
        OnnxError: a package is missing, or a network came out different. OutputError: the disk does not take it.
    """
    from handpose.apply import export

    export_folder = folder(pose)
    files.check(export_folder / FAILED)
    with filelock.FileLock(export_folder / ".lock"):
        try:
            onnx_runtime.load(export_folder)  # another process has made it meanwhile
        except onnx_runtime.OnnxError:
            export.export(export_folder, pose)
            (export_folder / FAILED).unlink(missing_ok=True)
    others = sorted(export_folder.parent.glob("onnx-*/"), key=lambda path: path.stat().st_mtime)
    for old in others[:-MAX_EXPORTS]:
        if old != export_folder:
            shutil.rmtree(old, ignore_errors=True)
    return export_folder


def start(export_folder: Path) -> bool:
    """Have another process make the export, unless one does, packages for it are missing, or it failed before.

    Returns:
        Whether one was started.
    """
    if missing():
        return False
    try:
        if export_folder.exists() and (
            (export_folder / FAILED).exists() or time.time() - export_folder.stat().st_mtime < PATIENCE
        ):
            return False
        export_folder.mkdir(parents=True, exist_ok=True)
        os.utime(export_folder)  # from now on nobody else starts it
        code = "from handpose.apply import prepared; prepared.main()"
        root = str(Path(handpose.__file__).parent.parent)
        paths = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
        # On Windows without a console and with low priority; elsewhere `main` sees to that.
        apart = {"creationflags": 0x08004000} if os.name == "nt" else {"start_new_session": True}
        subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL, env=os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
                         **apart)  # fmt: skip
    except OSError as error:
        print(f"note: the networks cannot be prepared for ONNX Runtime ({error}); PyTorch runs them", file=sys.stderr)
        return False
    print("note: the networks are being prepared for ONNX Runtime, once and in the background; until then PyTorch runs "
          "them", file=sys.stderr)  # fmt: skip
    return True


def main() -> None:
    """What `start` starts: make the export of the bundled networks with low priority, or write down why not."""
    if hasattr(os, "nice"):
        os.nice(10)
    export_folder = folder()
    try:
        make()
    except Exception as error:  # nobody sees it, and it would be tried again with every picture
        export_folder.mkdir(parents=True, exist_ok=True)
        (export_folder / FAILED).write_text(f"{type(error).__name__}: {error}\n", encoding="utf-8")


def describe() -> tuple[str, str | None]:
    """What runs the networks on a processor, and what may be done about it: for `handpose doctor`."""
    if os.environ.get("HANDPOSE_BACKEND") == "torch":
        return "PyTorch, as HANDPOSE_BACKEND says", None
    if absent := missing():
        return f"PyTorch ({', '.join(absent)} not installed)", "ONNX Runtime is faster: pip install " + " ".join(absent)
    export_folder = folder()
    try:
        onnx_runtime.load(export_folder)
        return f"ONNX Runtime {_version('onnxruntime')} ({export_folder})", None
    except onnx_runtime.OnnxError as error:
        if (export_folder / FAILED).exists():
            return f"PyTorch (the export failed: {(export_folder / FAILED).read_text('utf-8').strip()})", None
        if export_folder.exists() and not any((export_folder / name).exists() for name in onnx_runtime.FILES.values()):
            return "PyTorch; the export for ONNX Runtime is being made", None
        return "PyTorch; the first prediction has the export for ONNX Runtime made", \
            str(error) if export_folder.exists() else None  # fmt: skip
