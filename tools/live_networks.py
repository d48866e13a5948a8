"""The networks that run in the page: exported to ONNX once for each set of weights, and kept in the cache.

The pose network has one input and one output more than `handpose.apply.export` gives it: a factor for each head of its
attention block, and the weights of every head, from the very pass that predicts. Weights that are float16 in
their file stay so, with a cast behind them, which halves the files and changes no number.
"""

import hashlib
import importlib.metadata
import json
import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from handpose import attention, confidence, detector, files, gesturenet, posenet, pretrained, skeleton
from handpose.apply import export
from handpose.crop import crop_box
from handpose.data import SyntheticHands, crops

#: Networks of Chapter 9, trained alike but for their block, and what a reader is told of them. They are offered once
#: the first run of each has left its weights beside its record.
BLOCKS = {
    "msahp": "attention after row 10",
    "none": "Table 1 alone, without a block",
    "conv-ops": "two convolutions with as many operations as attention",
}
ROOT = Path(__file__).resolve().parent.parent
CLAIM, CACHE = ROOT / "book" / "results" / "claim", ROOT / ".cache" / "live"
USUAL_HANDS = 64  # rendered hands over which attention is averaged
SMALL = 64  # numbers; what is smaller stays float32, a cast would take longer to read than it saves


class Readable(nn.Module):
    """A pose network with its heads laid open: crops (1, 3, S, S) and factors (heads,) in, every stage's maps and the
    first attention block's weights (1, heads, L, L) out."""

    def __init__(self, net: posenet.PoseEstimationNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, images: Tensor, heads: Tensor) -> tuple[Tensor, ...]:
        def scale(_module: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor]:
            read = inputs[0].unflatten(-1, (len(heads), -1))  # (B, L, C) -> (B, L, H, D)
            return ((read * heads[:, None]).flatten(2),)

        hooks = [block.out.register_forward_pre_hook(scale) for block in attention.blocks(self.net)]
        try:
            with attention.record(self.net) as weights:
                maps = self.net(images)
        finally:
            for hook in hooks:
                hook.remove()
        return (*maps, weights[0])


def weights_files() -> dict[str, Path]:
    """The files of weights of all networks that the page runs, by name; `pretrained.DEFAULT` is the pose network."""
    names = [pretrained.DETECTOR, pretrained.GESTURES, pretrained.DEFAULT]
    blocks = {name: CLAIM / "weights" / f"{name}-s0.safetensors" for name in BLOCKS}
    complete = all(path.exists() for path in blocks.values())  # one of them says nothing without the others
    return {name: pretrained.bundled(name) for name in names} | (blocks if complete else {})


def parts() -> tuple[dict[str, bytes], dict]:
    """ONNX files by the names that the page has for them, ``usual`` (float32 bytes), and the page's manifest.

    Raises:
        handpose.pretrained.WeightsError: weights cannot be used.
        handpose.apply.onnx_runtime.OnnxError: a package for the export is missing.
    """
    found, networks, labels, blocks = {}, [], [], None
    for name, path in weights_files().items():
        if name == pretrained.DETECTOR:
            found["detector"] = cached(path, "onnx", lambda path=path: detector_model(path))
        elif name == pretrained.GESTURES:
            net, _ = pretrained.load(path, kind=gesturenet.GestureNet)
            found["gesture"], labels = cached(path, "onnx", lambda net=net: gesture_model(net)), list(net.labels)
        else:
            net, size = pretrained.load(path)
            found[name] = cached(path, "onnx", lambda net=net, size=size: pose_model(net, size))
            networks.append(describe(name, net, size))
            if name in BLOCKS:
                record = json.loads((CLAIM / f"{path.stem}.json").read_text("utf-8"))
                blocks = {"names": list(BLOCKS), "width": net.options["width"], "size": size, "steps": record["steps"]}
            if name == pretrained.DEFAULT:
                found["usual"] = cached(path, "usual", lambda net=net, size=size: usual(net, size))
    fitted = json.loads(pretrained.bundled().with_name("confidence.json").read_text("utf-8"))
    return found, {
        "pose": pretrained.DEFAULT, "networks": networks, "labels": labels, "blocks": blocks,
        "confidence": {key: fitted[key] for key in confidence.KEYS},
    }  # fmt: skip


def describe(name: str, net: posenet.PoseEstimationNet, size: int) -> dict:
    """What the page knows of a pose network."""
    heads = [block.heads for block in attention.blocks(net)]
    return {
        "name": name, "title": BLOCKS.get(name, "the bundled network, attention after row 10"), "size": size,
        "cells": size // posenet.STRIDE, "heads": heads[0] if heads else 0, "stages": net.options["stages"],
        "parameters": sum(p.numel() for p in net.parameters()),
    }  # fmt: skip


def cached(weights: Path, kind: str, make) -> bytes:
    """What `make` gives, from the cache if these weights, this code and these packages have made it before."""
    digest = hashlib.sha256(weights.read_bytes())
    for module in (attention, detector, gesturenet, posenet, crops, sys.modules[__name__]):
        digest.update(Path(module.__file__).read_bytes())
    for package in ("torch", "onnx", "onnxscript"):
        digest.update(importlib.metadata.version(package).encode())
    path = CACHE / f"{weights.stem}-{kind}-{digest.hexdigest()[:16]}"
    if not path.is_file():
        body = make()
        path.parent.mkdir(parents=True, exist_ok=True)
        with files.writing(path) as unfinished:
            unfinished.write_bytes(body)
    return path.read_bytes()


def detector_model(weights: Path) -> bytes:
    net, size = pretrained.load(weights, kind=detector.HandDecNet)
    return translate(net, {"images": torch.rand(1, 3, size, size)}, ["logits", "offsets"])


def gesture_model(net: gesturenet.GestureNet) -> bytes:
    return translate(net, {"points": torch.rand(1, skeleton.NUM_JOINTS, 2)}, ["logits"])


def pose_model(net: posenet.PoseEstimationNet, size: int) -> bytes:
    inputs, stages = {"images": torch.rand(1, 3, size, size)}, [f"stage{k + 1}" for k in range(net.options["stages"])]
    if not attention.blocks(net):
        return translate(net, inputs, stages)
    inputs["heads"] = torch.ones(attention.blocks(net)[0].heads)
    return translate(Readable(net), inputs, [*stages, "attention"])


def translate(net: nn.Module, inputs: dict[str, Tensor], outputs: list[str]) -> bytes:
    """An ONNX file for inputs of exactly these shapes."""
    with torch.no_grad(), export.silence():
        net(*inputs.values())  # this also keeps the sines
        program = torch.onnx.export(net.eval(), tuple(inputs.values()), dynamo=True, opset_version=export.OPSET,
                                    verbose=False, input_names=list(inputs), output_names=outputs)  # fmt: skip
    model = program.model_proto
    for part in (*model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output):
        del part.metadata_props[:]  # where in which file each step stood on the machine that exported
    halve(model)
    return model.SerializeToString(deterministic=True)


def halve(model) -> None:
    """Store as float16, with a cast behind them, the numbers of an ONNX model that are float16 numbers."""
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for one in model.graph.initializer:
        if one.data_type != TensorProto.FLOAT or np.prod(one.dims) < SMALL:
            continue
        values = numpy_helper.to_array(one)
        half = values.astype(np.float16)
        if (half.astype(np.float32) == values).all():
            name = one.name
            one.CopyFrom(numpy_helper.from_array(half, f"{name}.half"))
            casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


@torch.inference_mode()
def usual(net: posenet.PoseEstimationNet, size: int) -> bytes:
    """The mean of attention over rendered hands, (heads, L, L) float32: what heads read whatever hand is there."""
    hands = SyntheticHands(seed=7, split="train", size=2 * size)
    total = 0
    for sample in (hands[i] for i in range(USUAL_HANDS)):
        image = torch.from_numpy(crop_box(sample.image, sample.box, size).image).permute(2, 0, 1)[None].float() / 255
        with attention.record(net) as weights:
            net(image)
        total = total + weights[0][0].double()
    return (total / USUAL_HANDS).half().float().numpy().tobytes()
