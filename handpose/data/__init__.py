"""Labelled hands from several sources, all as `Sample` (Chapter 11)."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from handpose.data.common import DataError
    from handpose.data.sample import Sample
    from handpose.data.synthetic import SyntheticHands

__all__ = ["DataError", "Sample", "SyntheticHands", "open"]

#: The module and class that reads a set, as ``CLASS(path or None, split)``; imported when asked for.
READERS = {
    "hand-keypoints": "hand_keypoints:HandKeypoints",
    "massey": "massey:Massey",
    "wild": "wild:Wild",
    "asl-letters": "asl_letters:AslLetters",
    "egohands": "egohands:EgoHands",
    "stb": "stb:Stb",
    "rwth": "rwth:Rwth",
    "labelled": "labelled:Labelled",
    "rhd": "rhd:Rhd",
    "freihand": "freihand:FreiHand",
    "onehand10k": "coco_sets:OneHand10K",
    "panoptic": "coco_sets:Panoptic",
    "coco-wholebody": "coco_sets:CocoWholeBody",
    "coco": "coco:Coco",
    "yolo-pose": "yolo_pose:YoloPose",
}
SOURCES = ("synthetic", *READERS)
#: Readers that take the arguments `joint_order` and `unturned`: the forms in which anybody's labels may come.
FORMS = ("coco", "yolo-pose", "onehand10k", "panoptic", "coco-wholebody")
#: Sets of one's own, whose parts are whatever one calls so; what was trained on is kept with the weights.
OWN = ("labelled", "coco", "yolo-pose")
#: Names of old.
RENAMED = {"coco-hands": "coco"}
#: How many of the endless rendered hands `open` gives, and how varied: training goes further than the tests ask.
SYNTHETIC: dict[str, dict[str, Any]] = {
    "train": dict(length=5000, size=192, variety=(0.0, 1.0)),
    "val": dict(length=500),
    "test": dict(length=500),
}


#: Imported when asked for: OpenCV takes a moment, and so does building the rendered hand.
_HOMES = {"DataError": "common", "Sample": "sample", "SyntheticHands": "synthetic"}


def __getattr__(name: str):
    if name in _HOMES:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    if name in _HOMES.values():
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def reading(sources: list[str], *, joint_order: str | None = None, unturned: bool = False) -> dict[str, dict]:
    """What `open` is to be given for each of some sources, of options that are meant for those that take them.

    Raises:
        DataError: an option that none of them takes.
    """
    from handpose.data.common import DataError

    given = ({} if joint_order is None else {"joint_order": joint_order}) | ({"unturned": True} if unturned else {})
    by_source = {
        source: given if source.partition(":")[0] in FORMS and not _is_pack(source) else {} for source in sources
    }
    if given and not any(by_source.values()):
        options = " and ".join(f"--{key.replace('_', '-')}" for key in given)
        told = "; a pack keeps what pack.py was told" if any(map(_is_pack, sources)) else ""
        raise DataError(f"{', '.join(sources)}: {options} cannot be given, only for {', '.join(FORMS)}{told}")
    return by_source


def _is_pack(source: str) -> bool:
    return source.partition(":")[2].endswith(".npz")


def open(source: str, split: str = "train", *, joint_order: str | None = None, unturned: bool = False):
    """The data set that a command line names (Chapter 11).

    Args:
        source: "NAME" or "NAME:PATH"; NAME is one of `SOURCES`. Without PATH the set is looked for under
            ``$HANDPOSE_DATA``; "synthetic" needs none, and "synthetic:N" gives N rendered hands. A PATH that ends in
            ``.npz`` is a packed set, see `handpose.data.packed`.
        split: see the source's module.
        joint_order, unturned: of `FORMS` only, see `handpose.data.readers.coco`.

    Returns:
        An object with ``len`` and ``[i] -> Sample``; perhaps with ``notes``, what its reader decided or left out in
        lines, and ``grouping``, what a group is.

    Raises:
        DataError: unknown name or split, or a folder that is not there.
    """
    from handpose.data.common import DataError

    name, _, path = source.partition(":")
    options = reading([source], joint_order=joint_order, unturned=unturned)[source]
    if "://" in path:
        raise DataError(f"{path}: is an address; download it first")
    if name in RENAMED:
        raise DataError(f"{name} is called {RENAMED[name]} now: {RENAMED[name]}:{path or 'PATH'}")
    if name in SOURCES and _is_pack(source):
        from handpose.data.packed import Packed

        return Packed(path, name, split)
    if name == "synthetic":
        from handpose.data.synthetic import SyntheticHands

        if split not in SYNTHETIC:
            raise DataError(f"synthetic has no split {split!r}; choose one of {', '.join(SYNTHETIC)}")
        if path and not (path.isdigit() and int(path) > 0):
            raise DataError(f"synthetic:{path} should name a number of hands, such as synthetic:1000")
        return SyntheticHands(split=split, **SYNTHETIC[split] | ({"length": int(path)} if path else {}))
    if name == "labelled" and not path:
        raise DataError("labelled needs its file: labelled:labels.json")
    if name in READERS:
        module, _, reader = READERS[name].partition(":")
        return getattr(importlib.import_module(f"handpose.data.readers.{module}"), reader)(
            path or None, split, **options
        )
    raise DataError(f"unknown data set {name!r}; known are {', '.join(SOURCES)}")
