"""The tones of lines: seen on their ground, and told apart with any kind of colour vision."""

from __future__ import annotations

import re
from itertools import combinations
from math import dist
from pathlib import Path

import pytest

TOKENS = Path(__file__).parents[3] / "dashboards" / "static" / "dashboards" / "tokens.css"
LIGHT, _, DARK = TOKENS.read_text().partition("prefers-color-scheme: dark")

Colour = tuple[float, float, float]
Matrix = tuple[Colour, Colour, Colour]

# How light reaches those without one kind of cone: Machado, Oliveira, Fernandes (2009), severity 1.
VISIONS: dict[str, Matrix] = {
    "all cones": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}
# In Oklab, where black and white are 1 apart. Swatches side by side differ from 0.02 on; thin lines
# on their own need more.
APART = 0.1
# WCAG 1.4.11: what is not text.
CONTRAST = 3


def linear(theme: str, name: str) -> Colour:
    """A colour of the tokens in linear light."""
    found = re.search(rf"--{name}: #([0-9a-f]{{6}})", theme)
    assert found, name
    red, green, blue = (int(found[1][at : at + 2], 16) / 255 for at in (0, 2, 4))
    return _linear(red), _linear(green), _linear(blue)


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4


def times(matrix: Matrix, colour: Colour) -> Colour:
    first, second, third = (sum(map(float.__mul__, map(float, row), colour)) for row in matrix)
    return first, second, third


def oklab(colour: Colour) -> Colour:
    """Bjoern Ottosson's space, in which distances are what eyes make of them."""
    cones = times(
        (
            (0.4122214708, 0.5363325363, 0.0514459929),
            (0.2119034982, 0.6806995451, 0.1073969566),
            (0.0883024619, 0.2817188376, 0.6299787005),
        ),
        (max(colour[0], 0), max(colour[1], 0), max(colour[2], 0)),
    )
    return times(
        (
            (0.2104542553, 0.7936177850, -0.0040720468),
            (1.9779984951, -2.4285922050, 0.4505937099),
            (0.0259040371, 0.7827717662, -0.8086757660),
        ),
        (cones[0] ** (1 / 3), cones[1] ** (1 / 3), cones[2] ** (1 / 3)),
    )


def luminance(colour: Colour) -> float:
    return 0.2126 * colour[0] + 0.7152 * colour[1] + 0.0722 * colour[2]


def tones(theme: str) -> list[Colour]:
    return [linear(theme, f"tone-{number}") for number in range(6)]


@pytest.mark.parametrize("vision", VISIONS)
@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_any_two_tones_are_told_apart(theme: str, vision: str) -> None:
    seen = [oklab(times(VISIONS[vision], tone)) for tone in tones(theme)]
    assert min(dist(one, other) for one, other in combinations(seen, 2)) > APART


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_a_line_stands_out_from_its_ground(theme: str) -> None:
    ground = luminance(linear(theme, "surface"))
    for tone in tones(theme):
        darker, lighter = sorted((ground, luminance(tone)))
        assert (lighter + 0.05) / (darker + 0.05) >= CONTRAST
