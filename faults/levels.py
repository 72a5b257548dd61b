"""Whether a figure that is looked at again and again levels off. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

MORE = 1.10


class Level(NamedTuple):
    """Medians of a figure over the second third of its looks, and over the last."""

    second: float
    last: float

    def holds(self, spare: float) -> bool:
        """The last third is at most a tenth, and `spare`, above the second."""
        return self.last <= self.second * MORE + spare


def level(looks: Sequence[float]) -> Level:
    """Of at least three looks. The first third is for what grows to its size."""
    third = len(looks) // 3
    return Level(median(looks[third : 2 * third]), median(looks[-third:]))
