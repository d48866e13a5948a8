"""When one method counts as better than another, and how large a difference a number of runs can find (Chapter 9).

The rule was written, and tried on invented numbers, before the runs that it judges. `side` and `verdict`, as they are
called without more, are that rule, word for word; a change of their defaults is a change of the plan.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

ALIKE = 0.01  # PCK: an interval within one point of zero
SIDES = ("above", "alike", "open", "below")


def every_run(first: Sequence[float], second: Sequence[float]) -> bool:
    """Whether all runs of one method score higher than all of another (Chapter 9)."""
    return min(first) > max(second)


def side(
    entry: Mapping, *, alike: float = ALIKE, ahead: Callable[[Sequence[float], Sequence[float]], bool] = every_run
) -> str:
    """On which side of zero a difference lies (Chapter 9).

    Args:
        entry: {"interval": (low, high) of the difference, fractions; "runs": (ours, other), one score a seed}.
        alike: how far from zero an interval may reach, as a fraction. ahead: what is asked of the single runs.

    Returns:
        "alike" where the interval lies within one point of zero; "above" or "below" where it lies on one side of zero
        and all runs of one method score higher than all of the other; else "open".
    """
    low, high = entry["interval"]
    ours, other = entry["runs"]
    if max(abs(low), abs(high)) < alike:
        return "alike"
    if low > 0 and ahead(ours, other):
        return "above"
    return "below" if high < 0 and ahead(other, ours) else "open"


def verdict(none: Mapping, *controls: Mapping, judge: Callable[[Mapping], str] = side) -> str:
    """The answer to "does attention help" at one stage on one set, from the opponents together (Chapter 9).

    Args:
        none, controls: as for `side`, against the network with nothing in attention's place, and with convolutions.
        judge: the rule for one difference.

    Returns:
        "supported", "the block helps", "no gain of a point", "undecided" or "contradicted".
    """
    block, against = judge(none), {judge(control) for control in controls}
    if block == "below" or against == {"below"}:
        return "contradicted"
    if block == "above":
        return "supported" if against == {"above"} else "the block helps"
    return "no gain of a point" if block == "alike" else "undecided"


def spread(entries: Sequence[Mapping]) -> tuple[float, float]:
    """What makes differences uncertain, from comparisons made before: the seeds, and the choice of pictures.

    The variance that an interval shows is that of the pictures plus that of two means over few runs, as resampling
    sees them: (n - 1) / n of it.

    Args:
        entries: as for `side`.

    Returns:
        Standard deviation of one run's score between seeds, pooled over all runs, and that of a difference between
        choices of pictures; both as fractions.
    """
    runs = {tuple(scores) for entry in entries for scores in entry["runs"]}  # a method's runs count once
    images = []
    for entry in entries:
        low, high = entry["interval"]
        resampled = sum(np.var(scores) / len(scores) for scores in entry["runs"])
        images.append(((high - low) / (2 * 1.96)) ** 2 - resampled)
    seeds = np.mean([np.var(scores, ddof=1) for scores in sorted(runs)])
    return float(np.sqrt(seeds)), float(np.sqrt(max(0.0, np.mean(images))))


def chances(
    difference: float, runs: int, seeds: float, images: float, *, repeats: int = 4000, seed: int = 0
) -> dict[str, float]:
    """How often a true difference ends on each side, by simulation (Chapter 9).

    Args:
        difference: of the two methods' expected scores, a fraction.
        runs: seeds of each method. seeds, pictures: as from `spread`.

    Returns:
        A share for each of `SIDES`, and "interval": how often the interval alone lies above zero.
    """
    rng = np.random.default_rng(seed)
    ours, other = rng.normal(0, seeds, (2, repeats, runs))
    ours = ours + difference
    middle = ours.mean(1) - other.mean(1) + rng.normal(0, images, repeats)
    half = 1.96 * np.sqrt(images**2 + (ours.var(1) + other.var(1)) / runs)
    ends = zip(middle - half, middle + half, ours, other, strict=True)
    found = [side({"interval": (low, high), "runs": (a, b)}) for low, high, a, b in ends]
    return {name: found.count(name) / repeats for name in SIDES} | {"interval": float((middle > half).mean())}


def smallest_seen(runs: int, seeds: float, images: float, *, by: str = "above", power: float = 0.8) -> float:
    """The smallest true difference that ends as `by` with this probability, to a tenth of a point.

    Args:
        runs, seeds, images: as for `chances`. by: one of its keys that grows with the difference.

    Raises:
        ValueError: none up to twenty points does.
    """
    for tenths in range(1, 201):
        if chances(tenths / 1000, runs, seeds, images, repeats=2000)[by] >= power:
            return tenths / 1000
    raise ValueError(f"no difference up to 20 points is found with {runs} runs")
