"""Plausible signals: what a metric's values look like over one cycle.

A waveform gives the values of one whole cycle, so that it can be encoded once and repeated for
ever without a jump. A cycle is a simulated day: at one sample a second it lasts 24 minutes.
Everything random comes from the generator passed in: the same seed gives the same values.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random
from typing import NamedTuple

Value = float | bool | str
Waveform = Callable[[Random, int], list[Value]]


def daily_sine(mean: float, swing: float, noise: float) -> Waveform:
    """Cold before dawn, warm in the afternoon, with a little sensor noise."""

    def values(rng: Random, length: int) -> list[Value]:
        return [
            round(mean - swing * math.cos(math.tau * i / length) + rng.gauss(0, noise), 2)
            for i in range(length)
        ]

    return values


def setpoint(level: float, noise: float) -> Waveform:
    """Held by a controller: noise around a level."""

    def values(rng: Random, length: int) -> list[Value]:
        return [round(rng.gauss(level, noise), 2) for _ in range(length)]

    return values


def random_walk(start: float, step: float) -> Waveform:
    """A walk that comes back to where it began (a bridge), so that the cycle closes."""

    def values(rng: Random, length: int) -> list[Value]:
        walk, at = [], 0.0
        for _ in range(length):
            walk.append(at)
            at += rng.gauss(0, step)
        return [round(start + y - at * i / length, 1) for i, y in enumerate(walk)]

    return values


def sawtooth(low: float, high: float, teeth: int) -> Waveform:
    """A tank that fills slowly and is emptied at once, `teeth` times a cycle."""

    def values(rng: Random, length: int) -> list[Value]:
        return [round(low + (high - low) * (i * teeth / length % 1.0), 2) for i in range(length)]

    return values


def door(openings: int) -> Waveform:
    """Closed, but for `openings` short times a cycle: a square wave of booleans."""

    def values(rng: Random, length: int) -> list[Value]:
        closed: list[Value] = [False] * length
        for _ in range(openings):
            start = rng.randrange(length)
            for i in range(start, start + max(1, length // 50)):
                closed[i % length] = True
        return closed

    return values


def states(words: tuple[str, ...]) -> Waveform:
    """A status text: mostly the first word, now and then another for a while."""

    def values(rng: Random, length: int) -> list[Value]:
        shown: list[Value] = []
        while len(shown) < length:
            word = words[0] if rng.random() < 0.8 else rng.choice(words)
            shown += [word] * rng.randint(5, 60)
        return shown[:length]

    return values


class Metric(NamedTuple):
    name: str
    waveform: Waveform


CATALOGUE = (
    Metric("temperature", daily_sine(21.0, 4.0, 0.05)),
    Metric("humidity", setpoint(45.0, 0.8)),
    Metric("co2", random_walk(600.0, 4.0)),
    Metric("level", sawtooth(5.0, 95.0, 6)),
    Metric("door", door(12)),
    Metric("pressure", random_walk(1013.0, 0.1)),
    Metric("power", setpoint(340.0, 12.0)),
    Metric("battery", daily_sine(3.9, 0.2, 0.005)),
)
STATE = Metric("state", states(("ok", "defrost", "standby", "fault")))


def metrics(count: int, *, with_state: bool = False) -> list[Metric]:
    """The first `count` metrics; beyond the catalogue it repeats as `temperature_2` and so on.

    With `with_state` the last of them is the text metric `state`.
    """
    chosen = [
        base if turn == 0 else Metric(f"{base.name}_{turn + 1}", base.waveform)
        for turn, base in (
            (i // len(CATALOGUE), CATALOGUE[i % len(CATALOGUE)]) for i in range(count)
        )
    ]
    return [*chosen[:-1], STATE] if with_state else chosen
