"""Rows as Markdown and as JSON, and the table that stands in a page. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from faults import Row

ENGINES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
HEAD = (
    "fault",
    "database",
    "what was done",
    "what was seen",
    "lost, duplicated, phantom, wrong, miscounted, rollups",
)
BEGIN, END = "<!-- make faults: begin -->", "<!-- make faults: end -->"


def table(lines: Iterable[Sequence[str]]) -> str:
    """A Markdown table of these lines of cells."""
    return "\n".join(_line(cells) for cells in (HEAD, ["---"] * len(HEAD), *lines))


def cells(row: Row) -> list[str]:
    found = " ".join(map(str, row.differences.values()))
    alike = "all 0" if not any(row.differences.values()) else found
    against = f"{alike}, of {row.attempted:,} readings"
    return [row.title, ENGINES[row.engine], row.done, row.seen, against]


def replaced(page: str, rows: Sequence[Row]) -> str:
    """`page` with these rows in its table, in place of those of the same fault and database.

    The others stay: one fault may be measured again without the rest. Raises ValueError where
    the page has no table's place.
    """
    before, begin, rest = page.partition(BEGIN)
    old, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"no {BEGIN} and {END} to put the table between")
    new = [cells(row) for row in rows]
    measured = {tuple(line[:2]) for line in new}
    kept = [line for line in _lines(old) if tuple(line[:2]) not in measured]
    lines = sorted(kept + new, key=lambda line: (line[0], line[1] != ENGINES["sqlite"]))
    return f"{before}{BEGIN}\n{table(lines)}\n{END}{after}"


def as_json(rows: Sequence[Row], run: dict[str, object]) -> dict[str, Any]:
    """Every row, and of what run they are."""
    return {"run": run, "rows": [asdict(row) for row in rows]}


def _line(row: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"


def _lines(text: str) -> list[list[str]]:
    """The cells of a table's lines, its head left out."""
    found = [line.strip() for line in text.splitlines() if line.startswith("| ")]
    split = [[cell.strip() for cell in _split(line)] for line in found]
    return [line for line in split if len(line) == len(HEAD) and line[0] not in (HEAD[0], "---")]


def _split(line: str) -> list[str]:
    bar = "\0"
    cells = line.replace("\\|", bar).strip("|").split("|")
    return [cell.replace(bar, "|") for cell in cells]
