"""A whole prune: form by form, slice by slice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from ingest.prune.dues import Due, pages
from ingest.prune.forms import FORMS, NUMBERS, Form
from ingest.prune.horizon import move
from ingest.prune.proof import Refused, hours_of, unfounded
from ingest.prune.slices import slices
from ingest.prune.sweep import sweep_some
from ingest.prune.turn import Rest, pause, take_turn, without_syncs
from ingest.retention import Rules

# Of one statement that looks for the rollups of readings. It holds nobody up, but its rows are
# sorted in memory, and SQLite's log cannot be emptied while it runs.
SLICE_READINGS: Final = 100_000


@dataclass(slots=True)
class Pruned:
    """What came of it: rows that went, by form, and what was left: see `Refused`."""

    rows: dict[str, int] = field(default_factory=lambda: {form.name: 0 for form in FORMS})
    refused: list[Refused] = field(default_factory=list)


def prune(rules: Rules, now_us: int, rest: Rest = pause) -> Pruned:
    """Delete what the rules keep no longer; `rest` is called after each transaction.

    Raises Busy. It may end anywhere, and be begun again.
    """
    pruned = Pruned()
    with without_syncs():
        for form in FORMS:
            for page in pages(form, rules, now_us):
                for some in slices_of(form, page, pruned.refused):
                    take_turn(partial(move, form, some), rest)
        for form in FORMS:
            while take_turn(partial(_sweep, form, pruned), rest):
                pass
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


def _sweep(form: Form, pruned: Pruned) -> bool:
    rows, more = sweep_some(form)
    pruned.rows[form.name] += rows
    return more
