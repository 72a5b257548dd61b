"""What can go wrong with a hub, made to go wrong: each fault prints a row of docs/reliability.md.

    cli ─▶ catalogue ─▶ cases.* ─▶ place (hubs, fleets, servers) ─▶ [real programs] ─▶ reconcile
                                                              Row ─▶ table ─▶ docs/reliability.md

A fault is a module in `faults.cases`, named by what is done to the hub, with

    TITLE = "The hub is killed"        the first column of its row
    ENGINES = ("sqlite", "postgresql") the databases it is tried on, each at a place of its own
    def run(place: Place) -> list[Row]

It asserts states, in both forms, and waits for them with a deadline nobody comes near. Times and
ratios are never asserted: they stand in the row, measured. `place.short` chooses the scale, and
`place.rng` is the one source of chance, so that a seed repeats what was done. Every row comes from
`place.row`, and so every fault ends with the ledgers of its devices held against the database.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from faults.place import Place

ROOT = Path(__file__).resolve().parent.parent

BOTH = ("sqlite", "postgresql")


class Missing(Exception):
    """A fault cannot be made here: `group` is what is left out, the text says why in one line."""

    def __init__(self, group: str, why: str) -> None:
        super().__init__(why)
        self.group = group


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table."""

    title: str
    engine: str
    done: str
    """What was done, with its numbers: "killed 50 times in a stream of 50 devices"."""
    seen: str
    """What was measured, as people read it; units included."""
    differences: Mapping[str, int]
    """What `manage.py reconcile` found: all are 0, or there would be no row."""
    attempted: int
    """Readings that the devices' ledgers hold."""
    figures: Mapping[str, float] = field(default_factory=dict)
    """The same figures for programs, each name with its unit."""


class Fault(Protocol):
    """What a module of `faults.cases` has."""

    TITLE: str
    ENGINES: Sequence[str]

    def run(self, place: Place) -> list[Row]: ...
