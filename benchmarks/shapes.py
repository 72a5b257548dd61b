"""What is sent: the shapes of frames, who sends them, and which ratios are wanted of them. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

FLEET: Final = 1_000
METRICS: Final = 3


@dataclass(frozen=True, slots=True)
class Shape:
    """A frame's form and size, and the fleet that sends it.

    `in_flight` frames of each device are unacked in the closed loop. The usual consumer gets
    `usual_devices` of one frame in flight each: it would answer a whole fleet's large frames after
    a minute. Fewer connections are to its advantage.
    """

    name: str
    title: str
    devices: int
    samples: int
    metrics: int
    in_flight: int
    usual_devices: int
    form: Literal["samples", "columns"] = "samples"
    twice: float = 0.0
    """This share of the devices sends each frame twice, on plain connections."""
    like: str = ""
    """The shape whose usual consumer and bare writer this one is compared with."""
    wanted: dict[str, float] = field(default_factory=dict)
    """At least so many times the usual consumer's readings/s, or the bare writer's."""

    @property
    def readings(self) -> int:
        return self.samples * self.metrics


SHAPES: Final = (
    Shape("single", "1 reading", FLEET, 1, 1, 4, FLEET, wanted={"usual": 8.0}),
    Shape("sample", "1 sample × 3", FLEET, 1, 3, 4, FLEET),
    Shape("samples", "34 samples × 3", 100, 34, 3, 4, 10, wanted={"usual": 100.0, "bare": 0.25}),
    # 100 × 999 readings in flight are half of what the hub's buffer takes.
    Shape("columns", "columns 333 × 3", 100, 333, 3, 1, 4, "columns", wanted={"bare": 0.5}),
    Shape("twice", "34 × 3, 1 % twice", 100, 34, 3, 4, 10, twice=0.01, like="samples"),
)


def by_name(name: str) -> Shape:
    return next(shape for shape in SHAPES if shape.name == name)
