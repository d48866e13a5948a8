"""The categories of a label file in COCO's form: how the joints of each annotation are named.

An annotation's `category_id` is the id of a category, or its name. Where it is neither, or that category names no
joints, the one category of the file that names 21 is meant, and said; where that is not clear, nothing is guessed.
"""

from collections import Counter
from typing import Any, NamedTuple

from handpose.data.readers import joint_names
from handpose.skeleton import NUM_JOINTS


class Category(NamedTuple):
    """An entry of ``categories``."""

    id: str | None  # as text
    name: str
    names: tuple | None  # of its joints, in the file's order; what is neither text nor a number is None


WAY_OUT = f"correct that, or {joint_names.WAY_OUT}"
NONE = Category(None, "", None)


def as_text(value: object) -> str | None:
    """An id as text: 7, 7.0 and "7" are the same; None for what is no id."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value) if type(value) in (int, float, str) and value != "" else None


class Categories:
    """The categories of a file.

    Args:
        value: what stands under ``categories``.
        strict: the names of joints are needed; otherwise those that cannot be read, or found, are none.

    Raises:
        ValueError: it is no list of categories with lists of names, or two have one id; the message says where.
    """

    def __init__(self, value: object, strict: bool = True) -> None:
        self.strict = strict
        self.all: list[Category] = []
        self.assumed: Counter[str] = Counter()  # annotations by the category that is meant where they name none
        if strict and not isinstance(value, list | None):
            raise ValueError(f"categories: not a list of entries with id, name and keypoints; {WAY_OUT}")
        for number, entry in enumerate(value if isinstance(value, list) else []):
            if isinstance(entry, dict):
                category = self._category(entry, f"categories[{number}]")
                if category.id is not None and category.id in [other.id for other in self.all]:
                    raise ValueError(f"categories[{number}]: the id {category.id[:40]} was there before")
                self.all.append(category)

    def _category(self, entry: dict, where: str) -> Category:
        names = entry.get("keypoints")
        if self.strict and not isinstance(names, list | None):
            raise ValueError(f'{where}: "keypoints" is not a list of the joints\' names; {WAY_OUT}')
        found = [n if isinstance(n, str | int) else None for n in names] if isinstance(names, list) else []
        return Category(as_text(entry.get("id")), str(entry.get("name", "")), tuple(found) or None)

    def of(self, annotation: dict[str, Any]) -> Category:
        """The category of an annotation, with the names that its joints have.

        Raises:
            ValueError: the file names joints, but not clearly those of this annotation.
        """
        key = as_text(annotation.get("category_id"))
        own = [c for c in self.all if key is not None and c.id == key]
        own = own or [c for c in self.all if key is not None and c.name.lower() == key.lower()]
        found = own[0] if len(own) == 1 else None
        hands = [c for c in self.all if c.names and len(c.names) == NUM_JOINTS]
        if (found and (found.names or not hands)) or not any(c.names for c in self.all):
            return found or NONE
        if len(hands) == 1:
            self.assumed[hands[0].name[:40]] += 1
            return hands[0]._replace(name=found.name if found else hands[0].name)
        if not self.strict:
            return found or NONE
        listed = ", ".join(f"{c.id} {c.name[:40]!r}" for c in self.all[:8]) + (", ..." if len(self.all) > 8 else "")
        what = f"the category {found.name[:40]!r} names no joints" if found else (
            f"category_id {'is missing' if key is None else f'{key[:40]!r} is none of the file'}")  # fmt: skip
        raise ValueError(f"{what}, so the order of its joints is not clear (categories: {listed}); {WAY_OUT}")

    def notes(self) -> list[str]:
        """What is to be said of annotations whose category was not clear."""
        return [f"{number} annotation{'s' * (number > 1)} without a category that names joints, taken as "
                f"{name!r}, the only one that does; {joint_names.OTHER}"
                for name, number in self.assumed.items()]  # fmt: skip
