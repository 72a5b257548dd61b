"""What one run came to, the medians of several, and their ratios. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, Literal, get_args

from benchmarks.shapes import Shape

Kind = Literal["usual", "hub", "uvicorn", "bare"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Figures:
    """One measurement. None where a kind of run has no such figure."""

    readings_per_s: float
    frames_per_s: float | None = None
    ack_p50_ms: float | None = None
    ack_p99_ms: float | None = None
    open_rate: float | None = None
    """Readings a second of the open loop."""
    open_p50_ms: float | None = None
    open_p99_ms: float | None = None
    cpu_s_per_million: float | None = None
    peak_mb: float | None = None
    written_per_reading: float | None = None
    client_busy: float | None = None
    foreign: float | None = None
    """The share of the server's core that others used: what to mistrust the rest by."""
    readings: float | None = None
    reconnects: float | None = None
    sealing_share: float | None = None
    """Of the time, what was spent on sealing after the last ack."""


@dataclass(frozen=True, slots=True)
class Run:
    """One measurement, and of what."""

    engine: str
    shape: str
    kind: Kind
    repetition: int
    figures: Figures


@dataclass(frozen=True, slots=True)
class Row:
    """All kinds of one shape on one engine."""

    engine: str
    shape: Shape
    medians: dict[Kind, Figures]
    others: dict[Kind, Figures]
    """What the hub is compared with."""

    def ratio(self, to: Kind) -> float | None:
        """The hub's readings/s as a multiple of another kind's."""
        if "hub" not in self.medians or to not in self.others:
            return None
        return self.medians["hub"].readings_per_s / self.others[to].readings_per_s

    @property
    def missed(self) -> list[str]:
        """The wanted ratios that were not reached, as sentences."""
        names = {"usual": "the usual consumer", "bare": "the bare writer"}
        found = []
        for to, least in self.shape.wanted.items():
            ratio = self.ratio(to)  # type: ignore[arg-type]
            if ratio is not None and ratio < least:
                found.append(f"{ratio:.2f} × {names[to]}, wanted {least:g}")
        return found


def rows(runs: Sequence[Run], shapes: Iterable[Shape], engines: Iterable[str]) -> list[Row]:
    """A row for each engine and shape that was measured."""
    found = []
    for engine in engines:
        for shape in shapes:
            medians = _medians(runs, engine, shape.name)
            if medians:
                others = _medians(runs, engine, shape.like) if shape.like else medians
                found.append(Row(engine, shape, medians, others))
    return found


def _medians(runs: Sequence[Run], engine: str, shape: str) -> dict[Kind, Figures]:
    medians: dict[Kind, Figures] = {}
    for kind in KINDS:
        wanted = (engine, shape, kind)
        some = [run.figures for run in runs if (run.engine, run.shape, run.kind) == wanted]
        if some:
            medians[kind] = middle(some)
    return medians


def middle(some: Sequence[Figures]) -> Figures:
    """The median of each figure on its own."""
    fields: dict[str, Any] = {}
    for name in asdict(some[0]):
        known = [value for one in some if (value := getattr(one, name)) is not None]
        fields[name] = median(known) if known else None
    return Figures(**fields)
