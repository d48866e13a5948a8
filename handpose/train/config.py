"""Configurations: TOML files read into frozen dataclasses. An unknown key or a wrong type is refused by name."""

import dataclasses
import json
import tomllib
import types
import typing
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import torch

from handpose.cpm import ConvolutionalPoseMachine, DirectRegression
from handpose.data.augment import Augment, Crop
from handpose.posenet import PoseEstimationNet
from handpose.train.configs import available
from handpose.train.schedule import Schedule

PoseNetwork = PoseEstimationNet | ConvolutionalPoseMachine | DirectRegression


class ConfigError(ValueError):
    """A configuration that cannot be used; the message names the file, the key and what is allowed."""


@dataclass(frozen=True)
class Network:
    """Which network, and its arguments; an empty `attention` means none.

    "msahp" is `PoseEstimationNet` and takes all of them, "cpm" `ConvolutionalPoseMachine` and takes width and stages,
    "regression" `DirectRegression` and takes the width.
    """

    kind: str = "msahp"
    attention: tuple[int, ...] = (10,)
    heads: int = 8
    position: str = "sine"
    width: float = 1.0
    stages: int = 2
    norm_after_relu: bool = True
    control: int = 0  # see `PoseEstimationNet`


@dataclass(frozen=True)
class Loss:
    """The arguments of `handpose.losses.PoseLoss` (Chapter 7)."""

    alpha: float = 0.7
    spread: float = 30 / 256  # r of exp(-d^2 / r^2), as a part of the crop's side
    every_stage: bool = True  # False: only the last stage's maps are compared with the target


@dataclass(frozen=True)
class Config:
    """One training run, but for the data's place and the seed."""

    name: str = "paper"
    network: Network = field(default_factory=Network)
    crop: Crop = field(default_factory=Crop)
    augment: Augment = field(default_factory=Augment)
    loss: Loss = field(default_factory=Loss)
    schedule: Schedule = field(default_factory=Schedule)
    balance: dict[str, float] = field(default_factory=dict)  # share of each source in a batch; equal when empty
    evaluate_every: int = 2000  # steps
    checkpoint_every: int = 500  # steps

    def as_dict(self) -> dict:
        """Plain dictionaries, lists and numbers, for records and checkpoints."""
        return json.loads(json.dumps(dataclasses.asdict(self)))


CHOICES = {"network.kind": ("msahp", "cpm", "regression"), "network.position": ("sine", "learned", "none"),
           "schedule.kind": ("paper", "one-cycle", "stable")}  # fmt: skip
#: Least and largest value of a number. Most are parts or probabilities: 30 for 30 pixels is refused.
RANGES = {
    "network.width": (0.01, 16), "crop.size": (32, 4096), "crop.noise": (0, 0.5),
    "augment.rotation": (0, 180), "augment.scale": (0, 3), "augment.stretch": (0, 3),
    **{f"augment.{name}": (0, 1)
       for name in ("turn", "flip", "colour", "grey", "blur", "noise", "cutout", "background")},
    "loss.alpha": (0, 1), "loss.spread": (1e-3, 1),
    "schedule.steps": (1, 10**9), "schedule.batch": (1, 10**6), "schedule.peak": (1e-9, 10),
    "schedule.warmup": (0, 10**9), "schedule.decay": (0, 10**9), "schedule.weight_decay": (0, 10),
    "schedule.average": (0, 0.999999), "evaluate_every": (1, 10**9), "checkpoint_every": (1, 10**9),
}  # fmt: skip


def build(network: Network) -> PoseNetwork:
    """The network that a configuration describes.

    Raises:
        ValueError: arguments that it cannot have.
    """
    if network.kind == "cpm":
        return ConvolutionalPoseMachine(width=network.width, stages=network.stages)
    if network.kind == "regression":
        return DirectRegression(width=network.width)
    options = dataclasses.asdict(network) | {"attention": network.attention or False}
    del options["kind"]
    return PoseEstimationNet(**options)


def load(name: str | Path) -> Config:
    """A bundled configuration by name, or a TOML file by its path.

    Raises:
        ConfigError: no such configuration, broken TOML, unknown key, wrong type or value.
    """
    if str(name) in available():
        text, where = (resources.files("handpose.train.configs") / f"{name}.toml").read_text("utf-8"), f"{name}.toml"
    elif Path(name).is_file():
        try:
            text, where = Path(name).read_text("utf-8"), str(name)
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{name}: cannot be read ({error})") from None
    else:
        raise ConfigError(
            f"no configuration {str(name)!r}; choose one of {', '.join(available())}, or give a .toml file"
        )
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{where}: {error}") from None
    return from_dict({"name": Path(where).stem} | values, where)


def from_dict(values: dict, where: str = "configuration") -> Config:
    """A Config from plain dictionaries; `where` appears in errors."""
    config = _build(Config, values, where, "")
    try:
        with torch.device("meta"):  # checks the arguments without making any weights
            build(config.network)
    except ValueError as error:
        raise ConfigError(f"{where}: [network] {error}") from None
    if config.schedule.decay > config.schedule.steps:
        raise ConfigError(f"{where}: schedule.decay lies between 0 and schedule.steps, {config.schedule.steps}")
    if config.crop.size % 8:
        raise ConfigError(f"{where}: crop.size is {config.crop.size}; it must be a multiple of 8")
    if Path(config.name).name != config.name:  # it names a folder
        raise ConfigError(f"{where}: name is {config.name!r}; a name of letters and digits is needed, no path")
    return config


def _build(kind: type, values: object, where: str, prefix: str):
    if not isinstance(values, dict):
        raise ConfigError(f"{where}: {prefix.rstrip('.')} must be a table, not {values!r}")
    hints = typing.get_type_hints(kind)
    arguments = {}
    for key, value in values.items():
        if key not in hints:
            raise ConfigError(f"{where}: unknown key {prefix + key!r}; allowed are {', '.join(hints)}")
        hint = hints[key]
        if dataclasses.is_dataclass(hint) and isinstance(hint, type):
            arguments[key] = _build(hint, value, where, f"{prefix}{key}.")
        else:
            arguments[key] = _check(value, hint, where, prefix + key)
        low, high = RANGES.get(prefix + key, (None, None))
        if low is not None and not low <= arguments[key] <= high:  # NaN neither
            raise ConfigError(f"{where}: {prefix + key} is {value}; it lies between {low:g} and {high:g}")
        allowed = CHOICES.get(prefix + key, (value,))
        if value not in allowed:
            raise ConfigError(f"{where}: {prefix + key} is {value!r}; choose one of {', '.join(allowed)}")
    return kind(**arguments)


def _check(value: Any, hint: Any, where: str, key: str):
    def number(v: object) -> bool:
        return isinstance(v, int | float) and not isinstance(v, bool)

    if hint is float and number(value):
        return float(value)
    if hint is int and number(value) and isinstance(value, int):
        return value
    if hint in (bool, str) and isinstance(value, hint):
        return value
    if isinstance(hint, types.GenericAlias):
        origin = typing.get_origin(hint)
        if origin is tuple and isinstance(value, list | tuple) and all(type(v) is int for v in value):
            return tuple(value)
        if origin is dict and isinstance(value, dict) and all(number(v) and v > 0 for v in value.values()):
            return {k: float(v) for k, v in value.items()}
        wanted = "a list of whole numbers" if origin is tuple else "a table of positive numbers"
    else:
        wanted = {float: "a number", int: "a whole number", bool: "true or false", str: "text"}[hint]
    raise ConfigError(f"{where}: {key} is {value!r}; it must be {wanted}")
