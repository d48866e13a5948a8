"""The error that names the culprit."""


class DataError(ValueError):
    """A file of a data set, or a user's picture, that cannot be used; the message names it and says why."""


def one_line(error: Exception) -> str:
    """What an error says, whatever a damaged file made it say: one line of at most 200 printable characters."""
    reason = (str(error).splitlines() or [""])[0][:200] or type(error).__name__
    return ascii(reason)[1:-1]
