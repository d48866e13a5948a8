"""Whether a JPEG ends where it should: web cameras leave out the end marker, and cut copies lack pixels."""

import re

END = b"\xff\xd9"  # the end marker of a JPEG
MARKER = re.compile(rb"\xff+[\x01-\xcf\xd8-\xfe]")  # of a JPEG, but for those that stand among a scan's data
#: What comes behind a JPEG's last pixel does not change one, so all of these give the same; the last holds the markers
#: at which a decoder takes up again what it has lost.
FILLS = (*(bytes(row) * 512 for row in ((0x55,), (0xAA,), (0x00,), (0xFE,), (0x3C, 0x96, 0xE1, 0x0B))),
         b"".join(b"\xff" + bytes([0xD0 + k]) + b"\x3c\x96\xe1\x0b" * 64 for k in range(8)))  # fmt: skip


def ends(data: bytes) -> bool:
    """Whether an end marker follows the picture's own data, which comes after the header's segments.

    The header may hold a thumbnail with an end marker of its own, and other data may follow the picture's end.
    """
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        if data[at + 1] == 0xFF:  # any number of these may stand before a marker
            at += 1
        elif data[at + 1] == 0xDA:  # start of scan
            return data.find(END, at) >= 0
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return False


def lacks_scans(data: bytes) -> bool:
    """Whether whole passes over the picture are missing; those of a progressive JPEG each make it finer."""
    at, left = 2, {}
    while found := MARKER.search(data, at):
        at = found.end()
        body = data[at + 2 : at + int.from_bytes(data[at : at + 2], "big")]
        if found[0][-1] in (0xC0, 0xC1, 0xC2):  # the frame: its components, and the coefficients that each has
            left = {component: set(range(64)) for component in body[6::3]}
        elif found[0][-1] == 0xDA:
            of, (first, last, bits) = body[1:-3:2], body[-3:]
            for component in of if bits & 15 == 0 else b"":  # else its lowest bits come in a later pass
                left[component] -= set(range(first, last + 1))
        at += 2 + len(body)
    return any(left.values())
