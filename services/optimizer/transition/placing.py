"""Where the numbered badges of a picture stand: beside their marks, and over nothing.

Pixels, y downwards.  Deterministic: badges are placed in order, each at the first free place of a fixed list, or at the freest.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

BADGE_APART = 21.0  # between the middles of two badges
MARK_APART = 15.0
RINGS = (20.0, 30.0, 42.0, 56.0, 72.0)
DIRECTIONS = 16
WORD_STEPS = (-14.0, 0.0, 14.0)  # along a word of four letters


@dataclass(frozen=True, slots=True)
class Place:
    """A point of the picture."""

    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Word:
    """Where a short word stands, by its middle."""

    middle: Place

    def covered(self) -> list[Place]:
        """Points along the word that nothing else may cover."""
        return [Place(self.middle.x + step, self.middle.y) for step in WORD_STEPS]


def word_place(at: Place, marks: Sequence[Place], width: float, height: float) -> Word:
    """Where the name of the point `at` stands: to the left and below first, clear of marks where it can be, else where it is clearest."""
    options = [
        Word(Place(at.x + distance * math.cos(angle) * 1.5, at.y + distance * math.sin(angle)))
        for distance in (22.0, 32.0, 44.0, 58.0)
        for angle in (math.radians(155 + 360 * turn / DIRECTIONS) for turn in range(DIRECTIONS))
    ]
    inside = [each for each in options if 20 <= each.middle.x <= width - 20 and 10 <= each.middle.y <= height - 10] or options
    room = [min(_room(spot, [], marks) for spot in each.covered()) for each in inside]
    free = next((place for place, clear in zip(inside, room, strict=True) if clear >= 0), None)
    return free or inside[max(range(len(inside)), key=room.__getitem__)]


def badge_places(marks: Sequence[Place], others: Sequence[Place], width: float, height: float) -> list[Place]:
    """One place for the badge of each mark, inside the picture and clear of marks, of `others` and of earlier badges where it can be."""
    placed: list[Place] = []
    for mark in marks:
        options = [each for each in _around(mark) if 10 <= each.x <= width - 10 and 10 <= each.y <= height - 10] or [mark]
        room = [_room(each, placed, [*marks, *others]) for each in options]
        free = next((place for place, clear in zip(options, room, strict=True) if clear >= 0), None)
        placed.append(free or options[max(range(len(options)), key=room.__getitem__)])
    return placed


def _around(mark: Place) -> list[Place]:
    """Up and to the right first."""
    angles = [math.radians(-45 + 360 * turn / DIRECTIONS) for turn in range(DIRECTIONS)]
    return [Place(mark.x + ring * math.cos(angle), mark.y + ring * math.sin(angle)) for ring in RINGS for angle in angles]


def _room(place: Place, badges: Sequence[Place], marks: Sequence[Place]) -> float:
    """How far the nearest thing is beyond what it has to be; negative where it is too near."""
    to_badges = [math.dist((place.x, place.y), (each.x, each.y)) - BADGE_APART for each in badges]
    to_marks = [math.dist((place.x, place.y), (each.x, each.y)) - MARK_APART for each in marks]
    return min([*to_badges, *to_marks, math.inf])
