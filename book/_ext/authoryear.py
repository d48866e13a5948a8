"""A Sphinx extension: the same author-year label in the text and in the list of references.

sphinxcontrib-bibtex can cite by author and year, but numbers its list, so a reader of a printed or projected page
cannot match the two. The paper that the book rebuilds carries no date in our copy and is cited by its short name.
"""

from collections import Counter

from pybtex.plugin import register_plugin
from pybtex.style.formatting.unsrt import Style as Unsorted
from pybtex.style.labels import BaseLabelStyle

SHORT_NAMES = {"msahp": "MSAHP"}


def author_year(entry) -> str:
    """Last name, two last names, or the first and "et al.", and the year."""
    names = [" ".join(person.last_names) for person in entry.persons.get("author", [])]
    who = names[0] + " et al." if len(names) > 2 else " and ".join(names)
    return f"{who}, {entry.fields.get('year', 'n.d.')}"


class AuthorYear(BaseLabelStyle):
    def format_labels(self, sorted_entries):
        labels = [SHORT_NAMES.get(entry.key) or author_year(entry) for entry in sorted_entries]
        total, used = Counter(labels), Counter()
        for label in labels:
            if total[label] > 1:  # the same authors twice in a year: a, b, ...
                used[label] += 1
                label += chr(96 + used[label])
            yield label


class Style(Unsorted):
    default_label_style = AuthorYear
    default_sorting_style = "author_year_title"


def setup(app):
    register_plugin("pybtex.style.formatting", "authoryear", Style)
    return {"parallel_read_safe": True}
