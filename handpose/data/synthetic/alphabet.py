"""The German finger alphabet: the 30 shapes that are held still, each with its description and its view.

The shapes themselves, as joint angles, stand in ``shapes.py`` under the same names. Sources:

* F: fakoo.de, "Das Fingeralphabet" (http://fakoo.de/finger.html), hand and direction in words, letter by letter.
* G: "A Grammar of German Sign Language (DGS)", SignGram, 1.1.3 (https://thesignhub.eu/grammar/dgs): U and H,
  K and P, D and G are one hand shape in two directions; counting starts at the thumb, palm to the body.
* Z: "Zahlen 1 bis 10" (https://dsgs-handbuch.ch/2023/03/03/8-11-zahlen-1-bis-10/): the 4 is shown without the thumb;
  with the thumb and without the little finger is a variant.
* A: how the alphabets of Germany and America differ: T and SCH (http://dhhcanada.ca, "American manual alphabet").

The database that the paper uses shows 35 signs; J, Z and the three umlauts move, and are left out here.
"""

from handpose.data.synthetic.camera import Camera

#: name: (what the hand does, seen by the person it is shown to; source)
DESCRIPTIONS = {
    "A": ("fist, palm forward, the thumb straight along the index finger's side", "F"),
    "B": ("flat hand, fingers up and together, the thumb across the palm", "F"),
    "C": ("thumb and fingers bend to an open half circle", "F"),
    "D": ("index finger up, the others and the thumb close a circle", "F, G"),
    "E": ("thumb across the palm, the finger tips come down to it", "F"),
    "F": ("thumb and index finger close a circle, the other three fingers up and apart", "F"),
    "G": ("the shape of D, but closed to a fist: palm to the body, index finger to the side", "F, G"),
    "H": ("the shape of U: palm to the body, index and middle finger together to the side", "F, G"),
    "I": ("fist, thumb in front, little finger up", "F"),
    "K": ("index finger up, middle finger forward, the thumb between them", "F, G"),
    "L": ("index finger up, thumb out at a right angle", "F"),
    "M": ("palm down, index, middle and ring finger straight down over the thumb", "F"),
    "N": ("palm down, index and middle finger straight down over the thumb", "F"),
    "O": ("thumb and fingers close a circle", "F"),
    "P": ("the shape of K: palm down, index finger forward, middle finger down, the thumb on it", "F, G"),
    "Q": ("thumb and index finger straight down, apart, the others folded", "F"),
    "R": ("index and middle finger up and crossed", "F"),
    "S": ("fist, the thumb in front of the fingers", "F"),
    "T": ("as G, with the thumb laid on the index finger", "A"),
    "U": ("index and middle finger up and together", "F, G"),
    "V": ("index and middle finger up and apart", "F"),
    "W": ("index, middle and ring finger up and apart", "F"),
    "X": ("index finger up and hooked", "F"),
    "Y": ("thumb and little finger out", "F"),
    "SCH": ("all five fingers apart, palm forward", "A"),
    "1": ("thumb up, palm to the body", "G"),
    "2": ("thumb and index finger, palm to the body", "G"),
    "3": ("thumb, index and middle finger, palm to the body", "G"),
    "4": ("four fingers without the thumb, palm to the body", "Z"),
    "5": ("all five fingers apart, palm to the body", "G"),
}


_SIDE, _DOWN, _BACK = (180.0, 0.0, 90.0), (-30.0, 62.0, 0.0), (180.0, 0.0, 0.0)
#: Yaw, tilt and roll in degrees of the shapes that are not held up with the palm forward.
VIEWS = dict.fromkeys("2345", _BACK) | {
    "1": (180.0, 0.0, 55.0), "G": _SIDE, "H": _SIDE, "T": _SIDE,
    "M": _DOWN, "N": _DOWN, "P": (-48.0, 72.0, 0.0), "Q": (-40.0, 58.0, 0.0),
}  # fmt: skip


def view(name: str, **others) -> Camera:
    """How the person that a sign is shown to sees it; ``others`` go to `Camera`. Unknown names: palm forward."""
    yaw, tilt, roll = VIEWS.get(name, (0.0, 0.0, 0.0))
    return Camera(yaw=yaw, tilt=tilt, roll=roll, **others)
