"""Networks in ONNX files, run by ONNX Runtime and called like their originals; `export` writes the files.

Each file carries in its metadata, as one line of JSON, all else that is needed: the kind of network, the size of its
input, the letters or the anchors, licence and hash of the weights, and a hash of what stands before the metadata,
because nothing in ONNX would notice a changed number.
"""

import contextlib
import hashlib
import io
import json
import os
import sys
from pathlib import Path

import numpy as np

from handpose import pretrained, skeleton
from handpose.arrays import BODY
from handpose.crop import GREY

FORM = "handpose.onnx/2"  # what the metadata call themselves
KEY = "handpose"  # their name in the file
START = b'{"format": '  # how they begin
FILES = {"detector": "detector.onnx", "pose": "pose.onnx", "gesture": "gesture.onnx"}
ANEW = "make it anew with: python -m handpose export"
LARGEST = 2048  # pixels of an input's side; a file that asks for more is not one of ours
STEP = 8  # an input's side is a multiple of so many pixels
#: What a detector's boxes mean. A file that was made with other settings cannot be used by this version.
DETECTOR = {"grey": GREY, "body": BODY}


class OnnxError(ValueError):
    """ONNX files or packages that cannot be used; the message says which, why, and what to do."""


def needs(*packages: str) -> OnnxError:
    """What to say where packages of the extra ``[onnx]`` are not installed."""
    return OnnxError(f"this needs {', '.join(packages)}: install with  python -m pip install {' '.join(packages)}")


class Network:
    """A network in an ONNX file, from pixels to numbers; inputs and outputs are those of `handpose.arrays.run`.

    A copy, or what `pickle` makes of it for another process, reads the file again.

    Args:
        raw: the whole file.
        kind: "detector", "pose" or "gesture".
        threads: how many; None for as many as PyTorch would use.
        weights: the file that its original is in, where that is known.
        file: where it lies; without it there is no copy.

    Raises:
        OnnxError: not a whole file of this kind, or ONNX Runtime is not installed.
    """

    def __init__(
        self, raw: bytes, kind: str, *, threads: int | None = None, weights: Path | None = None,
        file: Path | None = None,
    ) -> None:  # fmt: skip
        try:
            import onnxruntime
        except ImportError:
            raise needs("onnxruntime") from None
        self.about = read_about(raw, kind)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1 if kind == "gesture" else threads or usual_threads()
        # Its threads would spin until the next run, on cores that the other networks want meanwhile.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        options.log_severity_level = 4  # what goes wrong is raised, not printed
        try:
            with contextlib.redirect_stdout(io.StringIO()):  # of some failures it prints that it tries again
                self.session = onnxruntime.InferenceSession(raw, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # each kind of failure has a class of its own there, and no common one
            raise OnnxError(f"not an ONNX file that runs here ({_line(error)}); {ANEW}") from None
        self.kind, self.size, self.labels = kind, self.about["size"], tuple(self.about.get("labels", ()))
        self.weights, self.input = weights, self.session.get_inputs()[0].name
        self.threads, self.file = threads, None if file is None else file.absolute()  # a process may run elsewhere
        self._try()

    def __call__(self, inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        """Arrays (B, ...) in, arrays (B, ...) out: `handpose.arrays.run` says which, for each kind."""
        return tuple(self.session.run(None, {self.input: np.ascontiguousarray(inputs)}))

    def __reduce__(self):
        """ONNX Runtime's session goes into no pickle, so the file is named, with what tells whether it is the same."""
        if self.file is None:
            raise OnnxError(f"the network {self.kind!r} was not read from a file, so it cannot be copied or pickled")
        return _again, (self.file, self.kind, self.threads, self.weights, self.about["sha256"])

    def original(self):
        """The network itself, in PyTorch; where its weights are not known, this."""
        if self.weights is None:
            return self
        from handpose import detector, gesturenet

        kinds = {"detector": detector.HandDecNet, "gesture": gesturenet.GestureNet}
        return pretrained.load(self.weights, kind=kinds.get(self.kind))[0]

    def _try(self) -> None:
        """One run: the shapes that a file states of itself prove nothing."""
        joints = skeleton.NUM_JOINTS
        pixels = (2, self.size, self.size, 3), np.uint8
        shape, dtype = ((2, joints, 2), np.float32) if self.kind == "gesture" else pixels
        try:
            found = self(np.zeros(shape, dtype))
        except Exception as error:  # as above
            raise OnnxError(f"does not run on an input of {shape} ({_line(error)}); {ANEW}") from None
        shapes = [f.shape for f in found]
        number = shapes[0][1:2] if self.kind == "detector" else ()
        wanted = {"gesture": [(2, len(self.labels))], "pose": [(2, joints, 2), (2, joints)],
                  "detector": [(2, *number, 4), (2, *number)]}[self.kind]  # fmt: skip
        if shapes != wanted:
            raise OnnxError(f"gives outputs of {shapes}, not {wanted}; {ANEW}")


def usual_threads() -> int:
    """As many as PyTorch uses, or would use if it were imported."""
    if torch := sys.modules.get("torch"):
        return torch.get_num_threads()
    asked = os.environ.get("OMP_NUM_THREADS", "")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return int(asked) if asked.isdecimal() and int(asked) else cores


def read_about(raw: bytes, kind: str) -> dict:
    """The metadata of a file, compared with the file, before anything in it is run.

    Raises:
        OnnxError: another program's file, another kind, a damaged one, or one for another version.
    """
    try:
        about = json.loads(raw[raw.rfind(START) :])  # they are the file's end
        if about["format"] != FORM:
            raise ValueError
        size, labels = about["size"], about.get("labels", ["a", "b"])
        known = about["kind"] in FILES and type(size) is int and 0 <= size <= LARGEST and size % STEP == 0
        if not known or not (isinstance(labels, list) and all(isinstance(name, str) for name in labels)):
            raise ValueError
        intact = hashlib.sha256(raw[: int(about["bytes"])]).hexdigest() == about["sha256"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise OnnxError(f"not a file that `python -m handpose export` wrote for this version; {ANEW}") from None
    if about["kind"] != kind:
        raise OnnxError(f"holds the network {about['kind']!r}, not {kind!r}; {ANEW}")
    if not intact:
        raise OnnxError(f"damaged (its network does not match its checksum); copy it again, or {ANEW}")
    if kind == "detector" and about.get("settings") != DETECTOR:
        raise OnnxError(f"the detector was made with other settings than this version's; {ANEW}")
    return about


def load(
    folder: str | os.PathLike, *, threads: int | None = None, weights: dict[str, Path] | None = None
) -> dict[str, Network]:
    """The networks of a folder that `handpose.apply.export` wrote, by their kind.

    Args:
        folder: with all three files.
        threads: how many; None for as many as PyTorch would use.
        weights: the files of the originals, by kind, where they are known.

    Raises:
        OnnxError: a file is missing or cannot be used, or ONNX Runtime is not installed.
        ValueError: threads that are no whole number from 1 on.
    """
    if threads is not None and not (isinstance(threads, int | np.integer) and threads >= 1):
        raise ValueError(f"threads is {threads!r}; a whole number is needed, at least 1")
    return {kind: _read(Path(folder) / name, kind, threads, (weights or {}).get(kind)) for kind, name in FILES.items()}


def _read(path: Path, kind: str, threads: int | None, weights: Path | None) -> Network:
    """The network in a file; an OnnxError names it."""
    try:
        return Network(path.read_bytes(), kind, threads=threads, weights=weights, file=path)
    except OSError as error:
        advice = f"write the files with: python -m handpose export --out {path.parent}"
        raise OnnxError(f"{path}: cannot be read ({error.strerror or error}); {advice}") from None
    except OnnxError as error:
        raise OnnxError(f"{path}: {error}") from None


def _again(path: Path, kind: str, threads: int | None, weights: Path | None, sha256: str) -> Network:
    """What `Network.__reduce__` names; an OnnxError where the file is another by now."""
    network = _read(path, kind, threads, weights)
    if network.about["sha256"] != sha256:
        raise OnnxError(f"{path}: holds another network than when this was pickled; make the HandPose anew from it")
    return network


def _line(error: Exception) -> str:
    """The first line of a message, without its preface, and not too long."""
    return str(error).partition("\n")[0].rpartition(" : ")[2][:150].strip()
