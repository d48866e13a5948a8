"""Which joint of ours each joint of a label file is: by the names that the file gives, or by an order that is named.

Names decide, never the place. What is understood, with capitals, blanks, "-", "_" and "finger" or "hand" as they come:

* the finger: thumb; index, fore, pointer; middle; ring; little, pinky, small;
* the joint: cmc, mcp, pip, dip, ip, tip, or the bone that begins there (metacarpal, proximal, intermediate, distal);
* or a number that counts from the palm: 1 to 4, 0 to 3, the joint's own (index 5 to 8), or 1 to 3 beside a "tip";
  "tip1" to "tip4" count from the tip.
"""

import re
from collections.abc import Sequence

import numpy as np

from handpose.data.common import DataError
from handpose.skeleton import FINGER_JOINTS, JOINTS, NUM_JOINTS, RHD_ORDER

#: Orders with a name of their own, as the file's index of each of our joints.
ORDERS = {"canonical": tuple(range(NUM_JOINTS)), "rhd": RHD_ORDER}
#: Orders that a file may have without saying so, likewise: how they are told of, and each.
OTHERS = {
    "with the wrist last": (20, *range(20)),
    "with the wrist last, before it the thumb": tuple(range(20, -1, -1)),
    "joint by joint, each of all fingers": (0, *(1 + 5 * k + f for f in range(5) for k in range(4))),
    "joint by joint, each from little to thumb": (0, *(5 + 5 * k - f for f in range(5) for k in range(4))),
}
SEVERAL, MANY = 3, 10  # hands, from which on their bones, and where their thumbs are, tell an order
SHORTER, NEARER = 0.9, 0.8  # than the steps through the stated order; than its thumb (right sets: over 1.1 each)
FINGERS = {
    **dict.fromkeys(("thumb", "pollex"), "thumb"),
    **dict.fromkeys(("index", "fore", "forefinger", "pointer", "indexfinger"), "index"),
    **dict.fromkeys(("middle", "mid", "middlefinger"), "middle"),
    **dict.fromkeys(("ring", "ringfinger"), "ring"),
    **dict.fromkeys(("little", "pinky", "pinkie", "pinkyfinger", "small", "littlefinger"), "little"),
}
#: Joints and the bones that begin at them, from the palm to the tip; those of one line are the same joint.
CHAIN = (
    ("cmc", "tmc", "metacarpal", "base"),
    ("mcp", "mp", "proximal", "knuckle"),
    ("pip", "intermediate"),
    ("ip", "dip", "distal"),
    ("tip", "end", "fingertip"),
)
RANK = {word: rank for rank, words in enumerate(CHAIN) for word in words}
IDLE = {"finger", "hand", "left", "right", "l", "r", "joint", "keypoint", "kpt", "kp", "point", "phalanx", "pt",
        "of", "the", "mixamorig"}  # fmt: skip
ALLOWED = {True: ({0, 1, 3, 4}, {1, 2, 3, 4}), False: ({1, 2, 3, 4},)}  # of the thumb, and of the others
#: What is said where no names do.
OURS = "order of the joints: ours (wrist, then thumb to little finger, from palm to tip)"
OTHER = "if it is another, give --joint-order"
WAY_OUT = "name the order yourself: --joint-order canonical, rhd, or 21 names with commas between"


def order_of(names: Sequence[object] | None, where: str) -> tuple[int, ...] | None:
    """The file's index of each of our 21 joints, ``canonical = file[..., order, :]``.

    Args:
        names: the file's, in its order; None or numbers alone (0 to 20, or 1 to 21) say nothing.
        where: stands in errors.

    Returns:
        21 indices; None where the names say nothing.

    Raises:
        DataError: names that are not understood, mean two things, or name a joint twice; all are listed.
    """
    if not names:
        return None
    if len(names) != NUM_JOINTS or not all(isinstance(name, str | int) for name in names):
        raise DataError(f"{where}: the names of the joints are not 21 words, but {len(names)} ({_listed(names)})")
    words = [_words(str(name)) for name in names]
    numbers = [int(w[0]) if len(w) == 1 and w[0].isdigit() else None for w in words]
    if None not in numbers:
        if numbers in (list(range(21)), list(range(1, 22))):
            return None
        raise DataError(f"{where}: the joints are only numbered, not in our order ({_listed(names)}); {WAY_OUT}")
    if all(len(found) > 1 and found[0].isdigit() for found in words) and len({found[0] for found in words}) == 21:
        words = [found[1:] for found in words]  # "0_wrist", "1_thumb_cmc": every name with its number before it
    places: dict[str, dict[int, list[str]]] = {finger: {} for finger in FINGER_JOINTS}
    wrist = []
    for at, found in enumerate(words):
        fingers = {FINGERS[word] for word in found if word in FINGERS}
        rest = [word for word in found if word not in FINGERS]
        if rest in (["wrist"], ["carpus"], ["root"]) and not fingers:
            wrist.append(at)
        elif len(fingers) == 1 and rest and all(word in RANK or word.isdigit() for word in rest):
            places[fingers.pop()][at] = rest
        else:
            raise DataError(f"{where}: {str(names[at])[:40]!r} is not clear ({_listed(names)}); {WAY_OUT}")
    order = wrist if len(wrist) == 1 else None
    for finger, joints in FINGER_JOINTS.items():
        chain = _chain(places[finger], joints[0])
        if order is None or chain is None:
            what = "wrist" if order is None else finger
            raise DataError(f"{where}: which joints the {what} has is not clear ({_listed(names)}); {WAY_OUT}")
        order = order + chain
    assert order is not None  # or it was refused
    return tuple(order)


def named_order(text: str) -> tuple[int, ...]:
    """What ``--joint-order`` says: a name of `ORDERS`, or 21 names of joints with commas between, in the file's order.

    Raises:
        DataError: neither.
    """
    if text in ORDERS:
        return ORDERS[text]
    names = [name.strip() for name in text.split(",")]
    found = order_of(names, f"--joint-order {text[:60]}") if len(names) > 1 else None
    if found is None:
        raise DataError(f"no joint order {text[:60]!r}; choose one of {', '.join(ORDERS)}, or give 21 names of joints "
                        f"with commas between, such as {', '.join(JOINTS[:3])}, ...")  # fmt: skip
    return found


def tips_first(keypoints: np.ndarray, labelled: np.ndarray) -> bool | None:
    """Whether hands, in what is said to be our order, have their fingers from tip to palm.

    A finger's first bone is the longest and its last the shortest; and a tip is farther from the wrist than the base,
    but for fists, where the thumb's still is. It is said where all tell the same, over all hands.

    Args:
        keypoints: (N, 21, 2) pixels.
        labelled: (N, 21) bool.

    Returns:
        None where it cannot be told, or no hand has all joints of its four fingers and the wrist.
    """
    four = [FINGER_JOINTS[finger] for finger in ("index", "middle", "ring", "little")]
    complete = keypoints[labelled[:, [0, *range(5, 21)]].all(1)]
    if not len(complete):
        return None

    def length(a: Sequence[int], b: Sequence[int]) -> float:
        return float(np.linalg.norm(complete[:, a] - complete[:, b], axis=-1).sum())

    base, second, third, tip = (list(joints) for joints in zip(*four, strict=True))
    wrist = [0] * 4
    bones, reach = length(base, second) / max(length(third, tip), 1e-9), length(wrist, tip) - length(wrist, base)
    if bones < 0.8 and reach < 0 and not length([0], [1]) < length([0], [4]):  # not either of thumbs without labels
        return True
    return False if bones > 1.25 and reach > 0 else None


def other_order(keypoints: np.ndarray, labelled: np.ndarray) -> str | None:
    """How hands, in what is said to be our order, seem to stand instead; None where ours may be right.

    Through the right order the steps along the fingers, and from the wrist to the thumb, are the shortest; and the
    wrist is nearer to the thumb's base than to the little finger's. Hands in every pose tell it, taken together.

    Args:
        keypoints: (N, 21, 2) pixels.
        labelled: (N, 21) bool; hands with all joints are asked.
    """
    complete = keypoints[labelled.all(1)]
    if len(complete) < SEVERAL:
        return None

    def length(a: Sequence[int], b: Sequence[int]) -> float:
        return float(np.linalg.norm(complete[:, a] - complete[:, b], axis=-1).sum())

    ends = [joint for joints in FINGER_JOINTS.values() for joint in joints[1:]]

    def steps(order: Sequence[int]) -> float:
        return length([order[0], *(order[j - 1] for j in ends)], [order[1], *(order[j] for j in ends)])

    found = min(OTHERS, key=lambda words: steps(OTHERS[words]))
    if steps(OTHERS[found]) < SHORTER * steps(ORDERS["canonical"]):
        return found
    if tips_first(keypoints, labelled):  # said by itself
        return None
    little = len(complete) >= MANY and length([0], [17]) < NEARER * length([0], [1])
    return "from the little finger to the thumb" if little else None


def refuse_other_orders(keypoints: np.ndarray, labelled: np.ndarray, where: str, way_out: str = WAY_OUT) -> None:
    """Raise a DataError where hands stand in another order than is said, see `other_order`.

    Args:
        keypoints: (N, 21, 2) pixels.
        labelled: (N, 21) bool.
        where, way_out: begin and end the message.
    """
    if found := other_order(keypoints, labelled):
        raise DataError(f"{where}: the joints seem to stand {found}, by the lengths between them; {way_out}")


def _words(name: str) -> list[str]:
    """The words of a name that tell something, in small letters; a number is a word."""
    parts = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name.replace("'s", ""))
    found = re.findall(r"[a-z]+|\d+", parts.lower())
    for word in [w for w in found if w not in FINGERS and w not in RANK]:  # "thumbcmc", "lthumb"
        split = re.fullmatch(r"(?:left|right|l|r)?(thumb|index|middle|ring|little|pinky|fore)(?:finger)?([a-z]*)", word)
        if split and (split[2] in RANK or not split[2]):
            at = found.index(word)
            found[at : at + 1] = [part for part in split.groups() if part]
    return [str(int(word[:9])) if word.isdigit() else word for word in found if word not in IDLE]


def _chain(places: dict[int, list[str]], first: int) -> list[int] | None:
    """A finger's four places in the file from palm to tip; None where that is not clear."""
    if len(places) != 4:
        return None
    ranks = {at: {RANK[word] for word in words if word in RANK} for at, words in places.items()}
    digits = {at: [int(word) for word in words if word.isdigit()] for at, words in places.items()}
    if any(len(r) > 1 for r in ranks.values()) or any(len(d) > 1 for d in digits.values()):
        return None
    numbers = {at: d[0] for at, d in digits.items() if d}
    if not numbers:  # names of joints alone
        found = {at: min(r) for at, r in ranks.items()}
        return sorted(found, key=found.__getitem__) if set(found.values()) in ALLOWED[first == 1] else None
    by_number = sorted(numbers, key=numbers.__getitem__)
    values = [numbers[at] for at in by_number]
    plain = [at for at, r in ranks.items() if r and at not in numbers]
    if len(numbers) == 4:
        from_tip = all(r == {RANK["tip"]} for r in ranks.values())
        if not from_tip and any(r for r in ranks.values()):  # "index_mcp_5": both must say the same
            by_name = _chain({at: [w for w in words if not w.isdigit()] for at, words in places.items()}, first)
            return by_name if by_name == by_number else None
        starts = ([0, 1, 2, 3], [1, 2, 3, 4], list(range(first, first + 4)))
        return (by_number[::-1] if from_tip else by_number) if values in starts else None
    if len(numbers) == 3 and len(plain) == 1 and ranks[plain[0]] == {RANK["tip"]} and values in ([0, 1, 2], [1, 2, 3]):
        return by_number + plain
    return None


def _listed(names: Sequence[object]) -> str:
    """The names as they stand in a message."""
    text = ", ".join(ascii(str(name))[1:-1][:25] for name in list(names)[:21])
    return text + (", ..." if len(names) > 21 else "")
