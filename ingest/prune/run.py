"""A whole prune: form by form, slice by slice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from ingest.prune.dues import Due, pages
from ingest.prune.forms import FORMS, NUMBERS, TEXTS, Form
from ingest.prune.horizon import count_horizons, move
from ingest.prune.proof import Refused, hours_of, unfounded
from ingest.prune.slices import slices
from ingest.prune.sweep import sweep_some
from ingest.prune.tables import drop_week, last_to_go, old_weeks
from ingest.prune.turn import Busy, Rest, pause, take_turn, without_syncs
from ingest.retention import Rules
from ingest.storage.postgres_partitions import Partition

# Of one statement that looks for the rollups of readings. It holds nobody up, but its rows are
# sorted in memory, and SQLite's log cannot be emptied while it runs.
SLICE_READINGS: Final = 100_000
# Whoever writes or reads waits behind each for as long as a turn waits for a lock.
DROP_TRIES: Final = 10


@dataclass(slots=True)
class Pruned:
    """What came of it: rows that went, by form, tables that went whole, and what was left."""

    rows: dict[str, int] = field(default_factory=lambda: {form.name: 0 for form in FORMS})
    tables: list[str] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)


def prune(rules: Rules, now_us: int, rest: Rest = pause, whole_tables: bool = True) -> Pruned:
    """Delete what the rules keep no longer; `rest` is called after each transaction.

    Raises Busy. It may end anywhere, and be begun again. `whole_tables`: what PostgreSQL has in a
    table of its week stays until all of that may go.
    """
    pruned = Pruned()
    with without_syncs():
        for form in FORMS:
            for page in pages(form, rules, now_us):
                for some in slices_of(form, page, pruned.refused):
                    take_turn(partial(move, form, some), rest)
        count_horizons()
        for form in FORMS:
            spared = None
            if form in (NUMBERS, TEXTS) and whole_tables:
                pruned.tables += _dropped(form, rest)
                spared = last_to_go(form)
            after: int | None = 0
            while after is not None:
                after = take_turn(partial(_sweep, form, spared, pruned, after), rest)
    return pruned


def slices_of(form: Form, page: Sequence[Due], refused: list[Refused]) -> Iterator[list[Due]]:
    """What of a page may go, together: of readings, what is in rollups; the rest is `refused`.

    A series that has readings which are not is left as it is, from there on.
    """
    if form is not NUMBERS:
        yield list(page)
        return
    left_alone: set[int] = set()
    for some in slices(page, hours_of, SLICE_READINGS):
        wanted = [due for due in some if due.series_id not in left_alone]
        found = unfounded(wanted) if wanted else []
        refused += found
        left_alone |= {one.series_id for one in found}
        if proven := [due for due in wanted if due.series_id not in left_alone]:
            yield proven


def _dropped(form: Form, rest: Rest) -> list[str]:
    """The tables that could be dropped. One that a long query reads is left for the next run."""
    dropped = []
    for week in old_weeks(form):
        with suppress(Busy):
            if take_turn(partial(drop_week, form, week), rest, DROP_TRIES):
                dropped.append(week.name)
    return dropped


def _sweep(form: Form, spared: Partition | None, pruned: Pruned, after: int) -> int | None:
    rows, next_after = sweep_some(form, spared, after)
    pruned.rows[form.name] += rows
    return next_after
