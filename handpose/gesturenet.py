"""GestureNet: a letter from 21 key-points (Table 3), and the two humbler ways to read one.

Table 3 as printed has two faults that no training mends. Its 1x7 kernels are shared by the row of x and the row of y,
and the mean over both rows follows, so the network cannot tell a hand from the same hand with x and y exchanged. And
ReLU and dropout act on its outputs: a logit below zero, or dropped, has no gradient. ``literal=True`` builds it all
the same. By default x and y are two channels, the outputs are linear, and there is one for each gesture in use.
Chapter 10 proves the faults and trains a reader; Chapter 12 lists what else is open.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from handpose import devices, skeleton
from handpose.arrays import name, normalise, run

__all__ = ["GERMAN_ALPHABET", "JITTER", "PRINTED", "STRETCH", "TURN", "UNITS", "FullyConnected", "GestureNet",
           "NearestNeighbour", "fit", "misplaced", "name", "normalise", "read", "vary"]  # fmt: skip

UNITS = 128  # of Table 3's hidden layer
PRINTED = 35  # outputs in Table 3, of which 30 gestures are static and used
GERMAN_ALPHABET = (*"ABCDEFGHIKLMNOPQRSTUVWXY", "SCH", *"12345")  # those that are held still
TURN, STRETCH, JITTER = 15.0, 0.1, 0.04  # degrees, part of the length, parts of s: spread of the augmentation


class GestureNet(nn.Module):
    """Two convolutions along the 21 joints and two fully connected layers (Chapter 10).

    Args:
        labels: one name for each output; None means the 30 letters of the German finger alphabet that are held still.
        literal: Table 3 to the letter, 49,587 parameters, with 35 outputs whatever the labels.
        units: of the hidden layer, row 4; Table 3 has 128.
        spread: measure a hand by the spread of its points about their middle, whatever their unit. One bone, s, is
            short where it points at the camera, and an error of either of its ends moves all other points.

    Raises:
        ValueError: fewer than two labels, more than the literal table has outputs, or another literal table.
    """

    def __init__(
        self, labels: Sequence[str] | None = None, *, literal: bool = False, units: int = UNITS, spread: bool = False
    ) -> None:
        super().__init__()
        labels = _checked(labels)
        if literal and len(labels) > PRINTED:
            raise ValueError(f"Table 3 has {PRINTED} outputs, and there are {len(labels)} labels")
        if literal and (units != UNITS or spread):
            raise ValueError(f"units={units}, spread={spread}: Table 3 to the letter has {UNITS} units and no spread")
        self.options = dict(labels=list(labels), literal=literal, units=units, spread=spread)
        self.labels, self.literal, self.spread = tuple(labels), literal, spread
        # Rows 1 to 3. Literal: (B, 1, 2, 21), x above y, under one kernel, then the mean of the two rows.
        self.joints = nn.Sequential(
            nn.Conv2d(1 if literal else 2, 16, (1, 7), padding=(0, 3)), nn.ReLU(),
            nn.Conv2d(16, 16, (1, 7), padding=(0, 3)), nn.ReLU(),
            nn.AvgPool2d((2, 1)) if literal else nn.Identity(), nn.Flatten(),
        )  # fmt: skip
        self.hidden = nn.Sequential(nn.Linear(16 * skeleton.NUM_JOINTS, units), nn.ReLU(), nn.Dropout(0.5))  # row 4
        last = nn.Linear(units, PRINTED if literal else len(labels))
        self.out = nn.Sequential(last, nn.ReLU(), nn.Dropout(0.2)) if literal else last  # row 5

    def forward(self, keypoints: Tensor) -> Tensor:
        """Normalised points (B, 21, 2) to logits (B, outputs)."""
        if self.spread:
            keypoints = keypoints - keypoints.mean(1, keepdim=True)
            keypoints = keypoints / keypoints.square().sum(2).mean(1).sqrt().clamp(min=1e-6)[:, None, None]
        rows = keypoints.transpose(1, 2)  # (B, 2, 21): x, then y
        return self.out(self.hidden(self.joints(rows[:, None] if self.literal else rows[:, :, None])))


class FullyConnected(nn.Module):
    """The ancestor's reader (Zimmermann and Brox 2017): two layers of 512, here on 2-D points (Chapter 12).

    Args:
        labels: as for `GestureNet`.
        dimensions: coordinates of a point; 3 with 35 labels is the published size, 313,379 parameters.
    """

    def __init__(self, labels: Sequence[str] | None = None, *, dimensions: int = 2) -> None:
        super().__init__()
        labels = _checked(labels)
        self.options, self.labels = dict(labels=list(labels), dimensions=dimensions), tuple(labels)
        self.layers = nn.Sequential(
            nn.Flatten(), nn.Linear(skeleton.NUM_JOINTS * dimensions, 512), nn.ReLU(), nn.Dropout(0.2),
            nn.Linear(512, 512), nn.ReLU(), nn.Dropout(0.2), nn.Linear(512, len(labels)),
        )  # fmt: skip

    def forward(self, keypoints: Tensor) -> Tensor:
        """Normalised points (B, 21, dimensions) to logits (B, labels)."""
        return self.layers(keypoints)


class NearestNeighbour:
    """The label of the known hand whose normalised points are nearest: no network, nothing to train (Chapter 12).

    Args:
        keypoints: (N, 21, 2) normalised; their mirror images are kept as well.
        known: (N,) a label each.
    """

    def __init__(self, keypoints: np.ndarray, known: Sequence[str] | np.ndarray) -> None:
        self.keypoints = np.concatenate([keypoints, keypoints * (-1, 1)]).reshape(2 * len(keypoints), -1)
        self.known = np.concatenate([known, known])

    def __call__(self, keypoints: np.ndarray) -> np.ndarray:
        """(N, 21, 2) normalised points to (N,) labels."""
        flat = np.asarray(keypoints).reshape(len(keypoints), -1)
        apart = (flat**2).sum(1)[:, None] - 2 * flat @ self.keypoints.T + (self.keypoints**2).sum(1)  # squared
        return self.known[apart.argmin(1)]


def fit(
    net: GestureNet | FullyConnected, keypoints: np.ndarray, known: Sequence[str] | np.ndarray, *, steps: int = 3000,
    batch: int = 64, rate: float = 2e-3, seed: int = 0, flip: float = 0.5, turn: float = TURN,
    weights: np.ndarray | None = None, errors: np.ndarray | None = None, exact: np.ndarray | None = None,
) -> list[float]:  # fmt: skip
    """Train a reader on normalised points that are turned, stretched, shaken and mirrored anew in every batch.

    A hand and its mirror image show the same letter, one as a right hand and one as a left: with `flip` the reader
    learns both, so nobody needs to say which hand it was.

    Args:
        net: `GestureNet` or `FullyConnected`; its first weights are the caller's seed's.
        keypoints: (N, 21, 2) normalised.
        known: (N,) a label each, all of them among the net's.
        turn: spread of the turns, degrees.
        weights: (N,) how often each hand is drawn beside the others; None draws all alike.
        errors: (M, 21, 2) errors of a pose network, parts of the longer side of a hand's box. One of them, all its
            21 joints together, is added to each hand that is `exact`.
        exact: (N,) bool, hands whose points are better than those that will be read; None: all of them.

    Returns:
        The loss at every step.

    Raises:
        ValueError: no points, another number of labels, weights or marks, or a label that the net does not have.
    """
    for what, each in (("labels", known), ("weights", weights), ("marks", exact)):
        if each is not None and (len(each) != len(keypoints) or not len(keypoints)):
            raise ValueError(f"{len(keypoints)} hands and {len(each)} {what}: there must be as many, and at least one")
    if unknown := sorted(set(known) - set(net.labels)):
        raise ValueError(f"the network has no output for {unknown[0]!r}; it has {', '.join(net.labels)}")
    if errors is not None and (not len(errors) or errors.shape[1:] != (skeleton.NUM_JOINTS, 2)):
        raise ValueError(f"errors must be (M, 21, 2) with at least one hand, got {errors.shape}")
    rng = torch.Generator().manual_seed(seed)
    often, wrong, marked = (None if each is None else torch.tensor(each) for each in (weights, errors, exact))
    all_keypoints = torch.from_numpy(np.asarray(keypoints, np.float32))
    target = torch.tensor([net.labels.index(name) for name in known])
    optimiser = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps)
    losses = []
    net.train()
    with torch.random.fork_rng(devices=[]), devices.one_thread():
        torch.manual_seed(seed)  # dropout
        for _ in range(steps):
            index = _draw(len(all_keypoints), batch, often, rng)
            some = all_keypoints[index]
            if wrong is not None:
                some = misplaced(some, wrong.float(), True if marked is None else marked[index], rng)
            loss = nn.functional.cross_entropy(net(vary(some, rng, flip, turn)), target[index])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            losses.append(loss.item())
    net.eval()
    return losses


def _draw(number: int, batch: int, often: Tensor | None, rng: torch.Generator) -> Tensor:
    if often is None:
        return torch.randint(number, (batch,), generator=rng)
    return torch.multinomial(often, batch, replacement=True, generator=rng)


def misplaced(keypoints: Tensor, errors: Tensor, chosen: Tensor | bool, rng: torch.Generator) -> Tensor:
    """Hands (B, 21, 2) with one of `errors` (M, 21, 2; see `fit`) added where `chosen` (B,); half of them mirrored."""
    side = (keypoints.amax(1) - keypoints.amin(1)).amax(1) * chosen  # (B,)
    drawn = errors[torch.randint(len(errors), (len(keypoints),), generator=rng)]
    mirror = torch.where(torch.rand(len(keypoints), generator=rng) < 0.5, -1.0, 1.0)
    return keypoints + side[:, None, None] * drawn * torch.stack([mirror, torch.ones_like(mirror)], 1)[:, None]


def vary(keypoints: Tensor, rng: torch.Generator, flip: float, turn: float = TURN) -> Tensor:
    """Each hand (B, 21, 2) turned, stretched, shaken and perhaps mirrored."""
    number = len(keypoints)
    angle = torch.deg2rad(turn * torch.randn(number, generator=rng))
    cos, sin = angle.cos(), angle.sin()
    rotation = torch.stack([torch.stack([cos, -sin], -1), torch.stack([sin, cos], -1)], -2)  # (B, 2, 2)
    stretch = 1 + STRETCH * torch.randn(number, 1, 2, generator=rng)
    mirror = torch.where(torch.rand(number, 1, generator=rng) < flip, -1.0, 1.0)
    stretch = stretch * torch.stack([mirror, torch.ones_like(mirror)], -1)
    return (keypoints * stretch) @ rotation.transpose(1, 2) + JITTER * torch.randn(keypoints.shape, generator=rng)


def read(net: GestureNet | FullyConnected, keypoints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Labels (N,) and the probabilities of all labels (N, labels) for normalised points (N, 21, 2)."""
    (sure,) = run("gesture", net.eval(), np.asarray(keypoints, np.float32))
    return np.array(net.labels)[sure.argmax(1)], sure


def _checked(labels: Sequence[str] | None) -> Sequence[str]:
    if labels is None:
        return GERMAN_ALPHABET
    if len(labels) < 2 or len(set(labels)) < len(labels):
        raise ValueError(f"{len(labels)} labels: at least two are needed, and no name twice")
    return labels
