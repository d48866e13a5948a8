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
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from handpose import detector, skeleton
from handpose.crop import GREY
from handpose.posenet import STRIDE

FORM = "handpose.onnx/1"  # what the metadata call themselves
KEY = "handpose"  # their name in the file
START = b'{"format": '  # how they begin
FILES = {"detector": "detector.onnx", "pose": "pose.onnx", "gesture": "gesture.onnx"}
ANEW = "make it anew with: python -m handpose export"
LARGEST = 2048  # pixels of an input's side; a file that asks for more is not one of ours
#: What a detector's outputs mean. A file that was made with other settings cannot be read by this version.
DETECTOR = {"strides": list(detector.STRIDES), "sides": [list(s) for s in detector.SIDES],
            "ratios": list(detector.RATIOS), "variances": list(detector.VARIANCES), "grey": GREY,
            "body": detector.BODY}  # fmt: skip


class OnnxError(ValueError):
    """ONNX files or packages that cannot be used; the message says which, why, and what to do."""


def needs(*packages: str) -> OnnxError:
    """What to say where packages of the extra ``[onnx]`` are not installed."""
    return OnnxError(f"this needs {', '.join(packages)}: install with  python -m pip install {' '.join(packages)}")


class Network(nn.Module):
    """A network in an ONNX file: inputs, outputs, `size` and `labels` are those of its original.

    Args:
        raw: the whole file.
        kind: "detector", "pose" or "gesture".
        threads: how many; None for as many as PyTorch uses.

    Raises:
        OnnxError: not a whole file of this kind, or ONNX Runtime is not installed.
    """

    has_own_threads = True  # beside PyTorch's

    def __init__(self, raw: bytes, kind: str, *, threads: int | None = None) -> None:
        super().__init__()
        try:
            import onnxruntime
        except ImportError:
            raise needs("onnxruntime") from None
        self.about = read_about(raw, kind)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or torch.get_num_threads()
        # Its threads, too, would spin until the next run, on cores that the other networks want meanwhile.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        options.log_severity_level = 4  # what goes wrong is raised, not printed
        try:
            with contextlib.redirect_stdout(io.StringIO()):  # of some failures it prints that it tries again
                self.session = onnxruntime.InferenceSession(raw, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # each kind of failure has a class of its own there, and no common one
            raise OnnxError(f"not an ONNX file that runs here ({_line(error)}); {ANEW}") from None
        self.kind, self.size, self.labels = kind, self.about["size"], tuple(self.about.get("labels", ()))
        self.device = nn.Parameter(torch.empty(0), requires_grad=False)  # parameters tell callers the device
        self._try()

    def forward(self, inputs: Tensor) -> list[Tensor] | Tensor:
        """What the original returns, by the kind of network.

        Args:
            inputs: (B, 3, S, S) float in [0, 1]; of the classifier, key-points (B, 21, 2).

        Returns:
            "pose": maps of every stage, (B, 21, S/8, S/8) each; "detector": logits (B, A) and offsets (B, A, 4);
            "gesture": logits (B, labels).
        """
        name = self.session.get_inputs()[0].name
        found = [torch.from_numpy(f) for f in self.session.run(None, {name: np.ascontiguousarray(inputs)})]
        return found[0] if self.kind == "gesture" else found

    def _try(self) -> None:
        """One run: the shapes that a file states of itself prove nothing."""
        cells = self.size // STRIDE
        shape: tuple[int, ...]
        wanted: list[tuple[int, ...]]
        if self.kind == "gesture":
            shape, wanted = (2, skeleton.NUM_JOINTS, 2), [(2, len(self.labels))]
        else:
            shape, wanted = (2, 3, self.size, self.size), [(2, skeleton.NUM_JOINTS, cells, cells)]
        if self.kind == "detector":
            number = len(detector.anchors(self.size))
            wanted = [(2, number), (2, number, 4)]
        try:
            found = self(torch.zeros(shape))
        except Exception as error:  # as above
            raise OnnxError(f"does not run on an input of {shape} ({_line(error)}); {ANEW}") from None
        shapes = [tuple(f.shape) for f in ([found[:, : len(self.labels)]] if self.kind == "gesture" else found)]
        if shapes != (wanted * len(shapes) if self.kind == "pose" else wanted):
            raise OnnxError(f"gives outputs of {shapes}, not {wanted}; {ANEW}")


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
        known = about["kind"] in FILES and type(size) is int and 0 <= size <= LARGEST and size % STRIDE == 0
        if not known or not (isinstance(labels, list) and all(isinstance(name, str) for name in labels)):
            raise ValueError
        whole = hashlib.sha256(raw[: int(about["bytes"])]).hexdigest() == about["sha256"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise OnnxError(f"not a file that `python -m handpose export` wrote for this version; {ANEW}") from None
    if about["kind"] != kind:
        raise OnnxError(f"holds the network {about['kind']!r}, not {kind!r}; {ANEW}")
    if not whole:
        raise OnnxError(f"damaged (its network does not match its checksum); copy it again, or {ANEW}")
    if kind == "detector" and about.get("settings") != DETECTOR:
        raise OnnxError(f"the detector was made with other anchors than this version's; {ANEW}")
    return about


def load(folder: str | os.PathLike, *, threads: int | None = None) -> dict[str, Network]:
    """The networks of a folder that `handpose.apply.export` wrote, by their kind.

    Raises:
        OnnxError: a file is missing or cannot be used, or ONNX Runtime is not installed.
        ValueError: fewer threads than one.
    """
    if threads is not None and threads < 1:
        raise ValueError(f"threads is {threads}; at least one is needed")
    networks = {}
    for kind, name in FILES.items():
        path = Path(folder) / name
        try:
            networks[kind] = Network(path.read_bytes(), kind, threads=threads)
        except OSError as error:
            advice = f"write the files with: python -m handpose export --out {folder}"
            raise OnnxError(f"{path}: cannot be read ({error.strerror or error}); {advice}") from None
        except OnnxError as error:
            raise OnnxError(f"{path}: {error}") from None
    return networks


def _line(error: Exception) -> str:
    """The first line of a message, without its preface, and not too long."""
    return str(error).partition("\n")[0].rpartition(" : ")[2][:150].strip()
