"""The table of faults, and its place in a page."""

from __future__ import annotations

import pytest

from faults import Row
from faults.table import BEGIN, END, cells, replaced, table
from tests.programs import ZEROS


def row(title: str, engine: str = "sqlite", seen: str = "all well") -> Row:
    return Row(title, engine, "once", seen, ZEROS, 12_345)


def page(*rows: Row) -> str:
    return f"Before.\n\n{BEGIN}\n{table(map(cells, rows))}\n{END}\n\nAfter.\n"


def test_a_row_says_what_was_compared() -> None:
    assert cells(row("Killed")) == [
        *("Killed", "SQLite", "once", "all well"),
        "all 0, of 12,345 readings",
    ]


def test_an_empty_table_is_filled_in_order() -> None:
    killed, cut = row("Killed"), row("Cut", "postgresql")
    also = row("Cut")
    assert replaced(page(), [killed, cut, also]) == page(also, cut, killed)


def test_what_was_not_measured_again_stays() -> None:
    old = page(row("Cut"), row("Killed"), row("Killed", "postgresql"))
    new = row("Killed", seen="first ack after 1.0 s | 1.2 s")
    written = replaced(old, [new])
    assert written == page(row("Cut"), new, row("Killed", "postgresql"))
    assert replaced(written, [row("Cut")]) == written


def test_a_page_without_a_place_for_it_is_refused() -> None:
    with pytest.raises(ValueError, match="to put the table between"):
        replaced("Nothing here.\n", [row("Killed")])
