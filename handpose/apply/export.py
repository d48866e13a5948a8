"""The networks as ONNX files, which other programs can run: ``python -m handpose export --out DIR``.

Three files: detector, pose network, classifier of signs, each from pixels to numbers, so that nothing is left to
decode: pictures go in as uint8, (B, S, S, 3), and boxes or key-points come out as float32, any number at a time.
`handpose.apply.onnx_runtime` reads them back and says what their metadata hold.
"""

import contextlib
import hashlib
import json
import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import nn

import handpose
from handpose import arrays, crop, detector, files, networks, pretrained, skeleton
from handpose.apply import onnx_runtime
from handpose.gesturenet import GestureNet

OPSET = 18  # the oldest that PyTorch's exporter writes without a conversion, so the most programs can read it
#: Largest difference from PyTorch, as a part of the largest output. Rounding makes about 1e-6 of it.
CLOSE = 1e-4
NETWORKS = {"detector": detector.HandDecNet, "pose": None, "gesture": GestureNet}  # None: any pose network
#: Names of inputs and outputs; `handpose.arrays.run` says what they hold.
INPUTS = {"detector": "pictures", "pose": "crops", "gesture": "points"}
OUTPUTS = {"detector": ["boxes", "confidences"], "pose": ["points", "scores"], "gesture": ["probabilities"]}


def export(folder: str | os.PathLike, weights: str | os.PathLike | None = None) -> dict[Path, float]:
    """Write ``detector.onnx``, ``pose.onnx`` and ``gesture.onnx``: all three, or none.

    Args:
        folder: where to; made if it is not there. Files of these names are replaced.
        weights: of the pose network, a ``.safetensors`` file; None for the bundled ones.

    Returns:
        For each file the largest difference of its outputs from PyTorch's.

    Raises:
        handpose.pretrained.WeightsError: the weights cannot be used.
        handpose.files.OutputError: the folder or disk does not take the files.
        handpose.apply.onnx_runtime.OnnxError: a package is missing, or a network came out different.
    """
    try:
        import onnx
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError:
        raise onnx_runtime.needs("onnx", "onnxscript", "onnxruntime") from None
    chosen = pretrained.weights_files(weights)
    loaded = {kind: pretrained.load(chosen[kind], kind=of) for kind, of in NETWORKS.items()}
    targets = {kind: Path(folder) / name for kind, name in onnx_runtime.FILES.items()}
    for target in targets.values():
        files.check(target)
    written, apart = {}, {}
    for kind, (net, size) in loaded.items():
        network, given = networks.end_to_end(kind, net, size).eval(), example(kind, size)
        body = translate(network, given, kind)
        about = describe(kind, net, size, chosen[kind])
        about |= {"bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}
        entry = onnx.StringStringEntryProto(key=onnx_runtime.KEY, value=json.dumps(about))
        # A message of protobuf may be written in pieces one behind the other. That way the hash of the first piece can
        # stand in the second.
        written[kind] = body + onnx.ModelProto(metadata_props=[entry]).SerializeToString()
        apart[targets[kind]] = difference(kind, net, onnx_runtime.Network(written[kind], kind), given)
    with contextlib.ExitStack() as stack:  # all under temporary names before the first takes its place
        for kind, target in targets.items():
            stack.enter_context(files.writing(target)).write_bytes(written[kind])
    return apart


def example(kind: str, size: int) -> torch.Tensor:
    """Three inputs of a network: noise, (3, S, S, 3) uint8, or of the classifier (3, 21, 2) float32."""
    rng = torch.Generator().manual_seed(0)
    if kind == "gesture":
        return torch.rand(3, skeleton.NUM_JOINTS, 2, generator=rng)
    return torch.randint(0, 256, (3, size, size, 3), generator=rng, dtype=torch.uint8)


def translate(net: nn.Module, example: torch.Tensor, kind: str) -> bytes:
    """The network as an ONNX model, in bytes, for any number of inputs of the example's shape (B, ...)."""
    with torch.no_grad():
        net(example)  # this keeps the sines of the position encoding
    with silence():
        program = torch.onnx.export(net, (example,), dynamo=True, opset_version=OPSET, verbose=False,
                                    input_names=[INPUTS[kind]], output_names=OUTPUTS[kind],
                                    dynamic_shapes=({0: torch.export.Dim("batch")},))  # fmt: skip
    assert program is not None  # None is what the older exporter gives
    model = program.model_proto
    for part in (*model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output):
        del part.metadata_props[:]  # where in which file each step stood on the machine that exported
    return model.SerializeToString(deterministic=True)


def describe(kind: str, net: nn.Module, size: int, weights: Path) -> dict:
    """What stands in a file's metadata, so that it can be used without this package."""
    ours = weights.parent == pretrained.bundled().parent
    about = {
        "format": onnx_runtime.FORM, "kind": kind, "network": type(net).__name__, "size": size,
        "licence": "CC BY-NC-SA 4.0, not for commercial use" if ours else "that of the weights; not known here",
        "weights": weights.name, "weights_sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "handpose": handpose.__version__, "torch": torch.__version__,
    }  # fmt: skip
    if kind == "gesture":
        return about | {"labels": list(cast(Sequence[str], net.labels))}
    if kind == "detector":
        return about | {"settings": onnx_runtime.DETECTOR}
    return about | {"margin": crop.MARGIN}


def difference(kind: str, net: nn.Module, other: onnx_runtime.Network, given: torch.Tensor) -> float:
    """Largest difference between the outputs of PyTorch and of ONNX Runtime for the input `given` (B, ...).

    Raises:
        OnnxError: it is more than rounding makes.
    """
    first, second = (arrays.run(kind, n, given.numpy()) for n in (net, other))
    most = max(float(np.abs(a - b).max()) for a, b in zip(first, second, strict=True))
    if not most <= CLOSE * max(1.0, *(float(np.abs(a).max()) for a in first)):  # NaN included
        raise onnx_runtime.OnnxError(f"{type(net).__name__}: exported it differs from PyTorch by {most:.2g}; try other "
                                     "versions of torch, onnxscript and onnxruntime (requirements.txt)")  # fmt: skip
    return most


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """PyTorch's exporter warns of itself: of packages that are not needed, of its own old calls."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
