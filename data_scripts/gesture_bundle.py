"""The bundled classifier of signs: what it learns from, and how it reads people that it has never seen.

It learns from five hands of `massey`, the students of `wild` who show digits and its one person who shows letters,
twice each: from the key-points that the bundled pose network finds, and from a tracker's with the pose network's own
errors added, as measured on hands that it was not trained on. Where it has been trained on the very photographs, its
key-points there are better than a stranger's will be; the errors make up for that.
"""

import re

import numpy as np
import torch
from torch.utils.data import Subset

from handpose import data, gesturenet, pretrained
from handpose.pipeline import HandPose
from handpose.study import fingerspelling
from handpose.study.fingerspelling import ALIKE, Signs

OPTIONS = dict(units=512, spread=True)
TRAINING = dict(steps=2000, turn=8.0)  # degrees: turned by more, a g becomes a d
HELD_OUT = (("hand-keypoints", 600), ("wild", 446))  # validation parts, and how many hands of each teach errors
PARTS = 3  # of the students: one part is read by a reader that the others have taught
MOVING = ("j", "z")  # they cannot be held: photographs of them show an i and a 1


def join(some: list[Signs]) -> Signs:
    keypoints, labels, persons = (
        np.concatenate([getattr(s, k) for s in some]) for k in ("keypoints", "labels", "persons")
    )
    return Signs(keypoints, labels, persons, [name for s in some for name in s.ids])


def errors(hp: HandPose) -> np.ndarray:
    """Errors (M, 21, 2) of the pose network on hands held out from its training, as parts of the box's longer side."""
    rows = []
    for source, number in HELD_OUT:
        samples = data.open(source, "val")
        for i in np.unique(np.linspace(0, len(samples) - 1, number).round().astype(int)):
            sample = samples[int(i)]
            if sample.visible.all():
                off = hp(sample.image, boxes=[sample.box])[0].keypoints - sample.keypoints
                rows.append(off / (sample.box[2:] - sample.box[:2]).max())
    return np.stack(rows)


def shows_its_sign(sample) -> bool:
    """Whether a hand of `wild` shows what it is said to.

    The letters' source also has "Space", "Nothing" and "Delete", of which the set's signs keep the first letter alone:
    two are told by the photograph's name, and a d whose index finger points down is the third (two photographs each
    are called D138 and D403).
    """
    if sample.shape is None or sample.shape in MOVING:
        return False
    if not sample.group.startswith("aslalpha-"):
        return True
    down = sample.shape == "d" and not sample.keypoints[8, 1] < sample.keypoints[5, 1]
    return bool(re.fullmatch(r"aslalpha-.\d+\.\w+", sample.group)) and not down


def material(hp: HandPose) -> tuple[Signs, Signs]:
    """All that teaches: signs with the points that are found, and with the tracker's. Persons are what is left out."""
    massey, wild = data.open("massey", "all"), data.open("wild", "train")
    held = [i for i, row in enumerate(massey.rows) if row[2] not in MOVING]
    massey = Subset(massey, held)
    signed = {part: [i for i, name in enumerate(wild.parts) if name == part] for part in ("digits", "aslalpha")}
    runs = sorted({wild.group(i) for i in signed["digits"]}, key=lambda name: int(name.partition("-")[2]))
    part_of = {run: f"students {k + 1}" for k, some in enumerate(np.array_split(runs, PARTS)) for run in some}

    def person(sample) -> str:
        if sample.group.startswith("hand"):
            return f"massey {sample.group.partition('-')[0]}"
        return part_of.get(sample.group, "aslalpha")

    found = [fingerspelling.find_signs(hp, massey, fingerspelling.mask_box, person=person, progress=True)]
    exact = [fingerspelling.with_labels(massey, person=person)]
    chosen = [wild[i] for some in signed.values() for i in some]
    chosen = [sample for sample in chosen if shows_its_sign(sample)]
    found.append(fingerspelling.find_signs(hp, chosen, fingerspelling.labelled_box, person=person, progress=True))
    exact.append(fingerspelling.with_labels([s for s in chosen if s.visible.all()], person=person))
    joined = join(found)
    return joined[~np.isnan(joined.keypoints).any((1, 2))], join(exact)


def learn(found: Signs, exact: Signs | None, wrong: np.ndarray | None, *, seed: int = 0, options: dict = OPTIONS):
    """A classifier of merged labels from points that were found and, with errors added, from exact ones."""
    signs = found if exact is None else join([found, exact])
    known = fingerspelling.merged(signs.labels, ALIKE)
    labels, index, count = np.unique(known, return_inverse=True, return_counts=True)
    torch.manual_seed(seed)
    net = gesturenet.GestureNet([str(name) for name in labels], **options)
    marks = None if exact is None else np.arange(len(signs)) >= len(found)
    gesturenet.fit(
        net, signs.keypoints, known, seed=seed, weights=1 / count[index], errors=wrong, exact=marks, **TRAINING
    )
    return net


def read(net: gesturenet.GestureNet, signs: Signs) -> dict:
    """Its error on signs, those that move left out; alike signs count as one, whatever the classifier calls them."""
    signs = signs[~np.isin(signs.labels, MOVING)]
    true = Signs(signs.keypoints, fingerspelling.merged(signs.labels, ALIKE), signs.persons, signs.ids)
    entry = fingerspelling.report(fingerspelling.merged(fingerspelling.read_signs(net, signs), ALIKE), true)
    return {k: entry[k] for k in ("wer", "interval", "signs")}


def before(found: Signs, seed: int = 0) -> gesturenet.GestureNet:
    """The classifier without all this: Massey's hands alone, Table 3's size, the unit s, 34 shapes, points as found."""
    found = found[np.char.startswith(found.persons, "massey")]
    torch.manual_seed(seed)
    net = gesturenet.GestureNet([str(name) for name in sorted(set(found.labels))])
    gesturenet.fit(net, found.keypoints, found.labels, seed=seed, steps=TRAINING["steps"])
    return net


def by_person(found: Signs, exact: Signs, wrong: np.ndarray) -> dict:
    """Each person, and each part of the students, read by a classifier that has not learned from them."""
    table, five = {}, before(found)
    for person in sorted(set(found.persons)):
        net = learn(found[found.persons != person], exact[exact.persons != person], wrong)
        shown = found[found.persons == person]
        table[person] = {
            "before": read(before(found[found.persons != person]) if "massey" in person else five, shown),
            "found": read(net, shown),
            "tracker": read(net, exact[exact.persons == person]),
        }
        print(f"  {person:14} " + ", ".join(f"{k} {v['wer']:.3f}" for k, v in table[person].items()), flush=True)
    return table


def stranger(hp: HandPose) -> dict[str, Signs]:
    """`asl-letters`, val and test: nothing of it taught either network. Whole photographs, boxes given, a tracker's."""
    sets = [data.open("asl-letters", split) for split in ("val", "test")]
    samples = [s[i] for s in sets for i in range(len(s))]
    by_source = {
        "end to end": fingerspelling.find_signs(hp, samples, progress=True),
        "box given": fingerspelling.find_signs(hp, samples, fingerspelling.labelled_box, progress=True),
        "tracker": fingerspelling.with_labels(samples),
    }
    for signs in by_source.values():
        signs.labels = np.char.lower(signs.labels)
    return by_source


def steps(found: Signs, last: gesturenet.GestureNet, tests: dict[str, Signs]) -> dict:
    """What each change gives, one after the other up to the `last`, on the stranger of `asl-letters`."""
    nets = {
        "five hands, unit s": before(found),
        "and students, and another person": learn(found, None, None, options={}),
        "and the spread as unit": learn(found, None, None, options=dict(spread=True)),
        "and more hidden units": learn(found, None, None),
        "and the tracker's points with errors": last,
    }
    table = {name: {way: read(net, signs) for way, signs in tests.items()} for name, net in nets.items()}
    for name, ways in table.items():
        print(f"  {name:38} " + ", ".join(f"{way} {v['wer']:.3f}" for way, v in ways.items()), flush=True)
    return table


def misread(net: gesturenet.GestureNet, signs: Signs, most: int = 12) -> list:
    """The commonest mistakes: [shown, read, how often]; read as "" where no hand was found."""
    signs = signs[~np.isin(signs.labels, MOVING)]
    true, found = fingerspelling.merged(signs.labels, ALIKE), fingerspelling.read_signs(net, signs)
    pairs, count = np.unique(np.stack([true, found])[:, true != found], axis=1, return_counts=True)
    order = np.argsort(-count, kind="stable")[:most]
    return [[str(pairs[0, k]), str(pairs[1, k]), int(count[k])] for k in order]


def bundle(_) -> dict:
    """Train and save the bundled classifier; score it, and those that had somebody left out."""
    hp = HandPose.from_pretrained(device="cpu", backend="torch")
    hp.gesture_net = None  # the one that is bundled now
    wrong = errors(hp)
    far = np.linalg.norm(wrong, axis=-1)  # (M, 21)
    found, exact = material(hp)
    net = learn(found, exact, wrong)
    pretrained.save(pretrained.bundled(pretrained.GESTURES), net, 0)
    net, _ = pretrained.load(None, kind=gesturenet.GestureNet)  # what is scored is what is kept
    tests = stranger(hp)
    signers, count = np.unique(found.persons, return_counts=True)
    return {
        "bundled": pretrained.GESTURES, "labels": list(net.labels), "params": sum(p.numel() for p in net.parameters()),
        "learned_from": {str(name): int(n) for name, n in zip(signers, count, strict=True)},
        "errors": {"hands": len(wrong), "median": np.median(far, 0).round(4).tolist(),
                   "ninth_decile": np.quantile(far, 0.9, axis=0).round(4).tolist()},
        "asl-letters": {way: read(net, signs) for way, signs in tests.items()},
        "misread": {way: misread(net, signs) for way, signs in tests.items()},
        "steps": steps(found, net, tests), "persons": by_person(found, exact, wrong),
    }  # fmt: skip
