"""What an answer is read from: the kept forms that together hold each reading once. Pure.

A rollup holds the readings of its minute or hour that are before the watermark, so it stands for
them only where the whole minute or hour is before it, and within the bucket it goes into. All
else is read from the readings:

    readings │ minutes │ hours … hours │ minutes │ readings
    ▲ cut to a minute                    watermark, or cut ▲

Where readings are gone by age, a minute is in the bucket that it begins in, and where minutes are
gone, an hour: nothing is left out, nothing comes twice, but at an edge it is only as exact as that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise

from dashboards.grid import HOUR_US, MINUTE_US, SECOND_US, Grid, Run
from ingest.retention import KeptFrom

FOR_EVER = KeptFrom()


class Source(IntEnum):
    """What a bucket is made of; the values are `Rollup.step_s`."""

    READINGS = 0
    MINUTES = 60
    HOURS = 3600

    @property
    def unit_us(self) -> int:
        return self.value * SECOND_US or 1


def source_for(step_us: int) -> Source:
    """The coarsest kept form that buckets of the step are whole multiples of."""
    if step_us % HOUR_US == 0:
        return Source.HOURS
    return Source.MINUTES if step_us % MINUTE_US == 0 else Source.READINGS


@dataclass(frozen=True, slots=True)
class Span:
    """A run of one series' buckets, as far as it is read from one kept form.

    `owner` says which of the answers it is part of. `recent` are readings at or after the
    watermark, which SQLite keeps apart.
    """

    owner: int
    series_id: int
    source: Source
    run: Run
    recent: bool = False


def finest(at_us: int, kept: KeptFrom) -> Source:
    """The finest form in which a moment is kept."""
    if at_us >= kept.readings:
        return Source.READINGS
    return Source.MINUTES if at_us >= kept.minutes else Source.HOURS


def spans_of(
    owner: int,
    series_id: int,
    grid: Grid,
    from_us: int,
    to_us: int,
    watermark_us: int,
    kept: KeptFrom = FOR_EVER,
) -> Iterator[Span]:
    """Every reading of the series in [from_us, to_us) is in exactly one of them."""
    source = source_for(grid.step_us)
    sealed_us = min(max(watermark_us, from_us), to_us)
    for era_from_us, era_to_us in pairwise(_eras(kept, from_us, sealed_us)):
        fine = finest(era_from_us, kept)
        for run in grid.runs(era_from_us, era_to_us):
            # Where midnight is not at a full hour, hours do not fit into days side by side.
            for part in [run] if run.of_units(source.unit_us) else run.split():
                for form, first_us, last_us in _forms(source, fine, part.from_us, part.to_us):
                    cut = Run(part.origin_us, part.width_us, first_us, last_us)
                    yield Span(owner, series_id, form, cut)
    for run in grid.runs(sealed_us, to_us):
        yield Span(owner, series_id, Source.READINGS, run, recent=True)


def _eras(kept: KeptFrom, from_us: int, to_us: int) -> list[int]:
    """Where [from_us, to_us) begins, changes its finest form, and ends."""
    changes = (at_us for at_us in (kept.minutes, kept.readings) if from_us < at_us < to_us)
    return [from_us, *sorted(set(changes)), to_us]


_FINER = {Source.HOURS: Source.MINUTES, Source.MINUTES: Source.READINGS}


def _forms(
    source: Source, fine: Source, from_us: int, to_us: int
) -> Iterator[tuple[Source, int, int]]:
    """[from_us, to_us) from whole units of `source`, and what they leave from finer ones.

    None is finer than `fine`, whose units are whole where they begin.
    """
    if from_us >= to_us:
        return
    if source <= fine:
        yield fine, from_us, to_us
        return
    first_us, last_us = from_us + -from_us % source.unit_us, to_us - to_us % source.unit_us
    if first_us >= last_us:
        yield from _forms(_FINER[source], fine, from_us, to_us)
        return
    yield from _forms(_FINER[source], fine, from_us, first_us)
    yield source, first_us, last_us
    yield from _forms(_FINER[source], fine, last_us, to_us)
