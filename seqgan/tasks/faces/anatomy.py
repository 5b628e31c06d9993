"""What a cartoon face is: its attributes, its colours and the place of each part.

Lengths are *units*: a picture is 32 units wide and high whatever its size in pixels, x to the right
and y downwards. Colours are RGB levels in [0, 255]. No torch here.
"""

from dataclasses import dataclass
from typing import Any

Colour = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Attribute:
    """One label of a face: its values and how probable each is. Attributes are independent."""

    name: str
    values: tuple[str, ...]
    probabilities: tuple[float, ...]


ATTRIBUTES = (
    Attribute("hair_length", ("short", "long"), (0.45, 0.55)),
    Attribute("hair_colour", ("black", "blond", "red", "blue"), (0.4, 0.3, 0.2, 0.1)),
    Attribute("eye_colour", ("brown", "blue", "green"), (0.5, 0.3, 0.2)),
    Attribute("mouth", ("closed", "open"), (0.6, 0.4)),
    Attribute("glasses", ("no", "yes"), (0.65, 0.35)),
)
"""The columns of `labels_NA`, in this order; a label is an index into `values`."""

LABEL_SIZES = tuple(len(attribute.values) for attribute in ATTRIBUTES)
"""Classes of each attribute: (2, 4, 3, 2, 2)."""


# ── Colours ───────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Palette:
    """Skin and background of a face lie anywhere between their two colours."""

    skin: tuple[Colour, Colour]
    background: tuple[Colour, Colour]


PALETTES = {
    "day": Palette(
        skin=((255, 228, 208), (206, 152, 116)),
        background=((186, 224, 240), (226, 240, 232)),
    ),
    "night": Palette(
        skin=((164, 168, 216), (116, 118, 172)),
        background=((44, 52, 136), (72, 62, 150)),
    ),
}
"""By name. No background or skin is near a colour of hair."""

HAIR_COLOURS: tuple[Colour, ...] = ((40, 34, 42), (244, 206, 92), (206, 64, 40), (62, 104, 214))
"""One a value of hair_colour."""
EYE_COLOURS: tuple[Colour, ...] = ((138, 72, 16), (20, 110, 240), (24, 172, 64))
"""One a value of eye_colour."""
WHITE: Colour = (252, 252, 252)
"""The white of an eye, and the light in it."""
INK: Colour = (36, 28, 40)
"""Pupils, lashes and the rims of glasses."""
LINE: Colour = (112, 36, 36)
"""A closed mouth."""
OPEN: Colour = (150, 22, 40)
"""An open mouth."""


# ── Geometry ──────────────────────────────────────────────────────────────────────────────────

UNITS = 32
"""Width and height of a picture."""
CENTRE = 16.0
"""The axis of symmetry, and the point that the scale of a face leaves where it is."""
MAX_SHIFT = 1.0
"""A face lies at most so many units off its place, in x and in y."""
MAX_SCALE = 0.04
"""It is at most this share larger or smaller."""


@dataclass(frozen=True, slots=True)
class Blob:
    """The superellipse |(x − cx)/rx|^p + |(y − cy)/ry|^p ≤ 1: an ellipse, or squarer with p > 2."""

    x: float
    y: float
    rx: float
    ry: float
    power: float = 2.0

    def depth(self, x: Any, y: Any) -> Any:
        """Distance to the edge in units, to first order, positive inside; x and y may be numbers,
        arrays or tensors that broadcast."""
        slope = (self.rx * self.ry) ** 0.5 / self.power
        across = slope * (1 - (abs(x - self.x) / self.rx) ** self.power)
        return across - slope * (abs(y - self.y) / self.ry) ** self.power

    def grown(self, by: float) -> "Blob":
        """The same with radii larger by so many units (smaller where negative)."""
        return Blob(self.x, self.y, self.rx + by, self.ry + by, self.power)

    def moved(self, x: float, y: float) -> "Blob":
        return Blob(self.x + x, self.y + y, self.rx, self.ry, self.power)

    def mirrored(self) -> "Blob":
        """The same part on the other side of the face."""
        return Blob(2 * CENTRE - self.x, self.y, self.rx, self.ry, self.power)


def both(left: Blob) -> tuple[Blob, Blob]:
    """A part of the left half of the picture, and its mirror image."""
    return left, left.mirrored()


HEAD = Blob(16, 17.2, 9.2, 10.4, 2.4)
EAR = Blob(6.9, 18.6, 1.7, 2.3)
NECK = Blob(16, 28, 3.0, 4.0, 4)
SHIRT = Blob(16, 34.2, 10.5, 5.8, 2.6)
BLUSH = Blob(9.5, 22.5, 1.8, 1.1)
NOSE = Blob(16, 20.6, 0.7, 0.5)

EYE = Blob(11.4, 17.2, 2.9, 3.2, 2.4)
IRIS = Blob(11.4, 17.4, 2.1, 2.7)
PUPIL = Blob(11.4, 17.5, 1.05, 1.4)
LIGHT = Blob(10.5, 16.1, 0.85, 0.85)
"""In the left eye; the right one has it on the same side, not mirrored."""
LASHES = Blob(11.4, 16.8, 3.3, 3.3, 2.4)
"""What of this lies above `LASH_LINE` and outside the eye."""
LASH_LINE = 15.9
EYE_DISTANCE = 2 * (CENTRE - EYE.x)

RIM = Blob(11.4, 17.3, 4.1, 4.2, 2.8)
"""Middle of the rim of the left glass."""
RIM_WIDTH = 1.1
BRIDGE = Blob(16, 16.6, 1.0, 0.6, 4)

MOUTH = Blob(16, 24.3, 2.5, 1.9)
SMILE_WIDTH = 3.0
"""Half the width of a closed mouth."""
SMILE_THICKNESS = 1.2
SMILE_CURVE = 0.1
"""The line is at MOUTH.y + 0.4 − curve · (x − CENTRE)²."""

CAP = Blob(16, 13.6, 10.8, 11.2, 2.4)
"""Hair of the head, front and back; it ends at `CAP_END`, except for the locks of long hair."""
CAP_END = 18.0
HAIRLINE = (Blob(12.0, 19.9, 5.5, 8.8, 2.4), Blob(19.6, 19.9, 5.9, 9.5, 2.4))
"""The forehead and face that the front hair leaves free: a fringe parted off the middle."""
SHINE = Blob(13.2, 6.6, 3.6, 1.0)
LONG_BACK = Blob(16, 19.5, 11.4, 10.6, 3)
LOCK = Blob(6.0, 20.0, 2.4, 9.4, 2.6)


def smile_depth(x: Any, y: Any) -> Any:
    """Distance to the edge of the line of a closed mouth, in units, positive inside."""
    return SMILE_THICKNESS / 2 - abs(y - (MOUTH.y + 0.4 - SMILE_CURVE * (x - CENTRE) ** 2))
