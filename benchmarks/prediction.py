"""Prediction: the networks alone, and from a 640x480 picture to key-points and letter."""

from collections.abc import Callable

import cv2
import numpy as np
import timing
import torch

from handpose import HandPose, arrays, cpm, crop, detector, gesturenet, pretrained
from handpose.data import SyntheticHands
from handpose.pipeline import Hand
from handpose.posenet import predict_crops


def network(device: torch.device, repeats: int, limit: dict) -> dict:
    """The bundled pose network on 1 and on 32 crops, a convolutional pose machine of its width, and the floor."""
    net, size = pretrained.load(None, device)
    rival = cpm.ConvolutionalPoseMachine(width=net.options["width"]).eval()
    rival.to(device, memory_format=torch.channels_last)
    rng = np.random.default_rng(0)
    one, many = (rng.integers(0, 255, (n, size, size, 3), dtype=np.uint8) for n in (1, 32))
    seconds = timing.alternate(
        repeats, device, one=lambda: predict_crops(net, one), many=lambda: predict_crops(net, many),
        cpm_one=lambda: predict_crops(rival, one), cpm_many=lambda: predict_crops(rival, many),
    )  # fmt: skip
    least = timing.floor(net, size, limit, training=False)
    return {
        "milliseconds_one": 1e3 * seconds["one"], "milliseconds_one_cpm": 1e3 * seconds["cpm_one"],
        "floor_milliseconds": 1e3 * least, "images_per_second_batch_32": 32 / seconds["many"],
        "images_per_second_batch_32_cpm": 32 / seconds["cpm_many"], "floor_images_per_second": 1 / least,
        "gain_from_batching": 32 * seconds["one"] / seconds["many"],
    }  # fmt: skip


def pipeline(device: torch.device, repeats: int) -> dict:
    """From a 640x480 picture with one hand to its key-points: a frame with the detector, one without, and their parts.

    Each is timed by itself, and PyTorch before ONNX Runtime: in turns, the threads of one would still be waiting for
    work on the cores that the next one wants. The networks are timed from uint8 to numbers, as the pipeline runs them.
    """
    photo = cv2.resize(SyntheticHands(split="test")[3].image, (640, 480))
    hp = HandPose.from_pretrained(device=device.type, backend="torch")
    (hand,) = hp(photo)
    one = crop.crop_box(photo, hand.box, hp.size).image[None]
    tasks = frames(hp, photo, hand) | {
        "letterbox": lambda: crop.letterbox(photo, detector.SIZE),
        "detector": lambda: detector.detect(hp.detector, [photo], threshold=hp.threshold),
        "cut": lambda: crop.crop_box(photo, hand.box, hp.size),
        "pose": lambda: predict_crops(hp.net, one),
        "gesture": lambda: gesturenet.name(hp.gesture_net, hand.keypoints),
    }
    found = {name: 1e3 * timing.alternate(repeats, device, task=task)["task"] for name, task in tasks.items()}
    other = frames(HandPose.from_pretrained(device="cpu", backend="onnx"), photo, hand)
    for name, task in other.items():
        found[f"{name}_onnx"] = 1e3 * timing.alternate(repeats, torch.device("cpu"), task=task)["task"]
    gains = {f"onnx_gain_{name}": found[name] / found[f"{name}_onnx"] for name in other}
    return {f"milliseconds_{name}": ms for name, ms in found.items()} | gains


def frames(hp: HandPose, photo: np.ndarray, hand: Hand) -> dict[str, Callable]:
    """A frame with the detector, a tracked one, and the two networks alone."""
    square, _ = crop.letterbox(photo, detector.SIZE)
    cut = crop.crop_box(photo, hand.box, hp.size).image
    return {
        "whole": lambda: hp(photo),
        "tracked": lambda: hp(photo, boxes=[hand.box]),
        "detector_network": lambda: arrays.run("detector", hp.networks["detector"], square[None]),
        "pose_network": lambda: arrays.run("pose", hp.networks["pose"], cut[None]),
    }
