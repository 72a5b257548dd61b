"""What a prune would delete: rows, counted, and the bytes that they take, about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from django.db import connection

from ingest.prune.asked import ASKED, parameters
from ingest.prune.dues import Due, pages
from ingest.prune.forms import FORMS, HOURS, MINUTES, NUMBERS, TEXTS, Form
from ingest.prune.proof import Refused
from ingest.prune.run import slices_of
from ingest.retention import Rules

# A row with its share of the pages that it is in, as `dbstat` has it for readings and rollups of a
# fleet: see docs/decisions/retention.md. Of a text, without the text.
_SQLITE_ROW_BYTES: Final = {NUMBERS: 26, TEXTS: 20, MINUTES: 85, HOURS: 85}
# A row and its entry in the key, where PostgreSQL has not counted a table's rows yet.
_POSTGRESQL_ROW_BYTES: Final = {NUMBERS: 90, TEXTS: 100, MINUTES: 200, HOURS: 200}


@dataclass(slots=True)
class Estimate:
    """Rows and bytes of each form, and what would be left: see `Refused`."""

    rows: dict[str, int] = field(default_factory=lambda: {form.name: 0 for form in FORMS})
    size_bytes: dict[str, int] = field(default_factory=lambda: {form.name: 0 for form in FORMS})
    refused: list[Refused] = field(default_factory=list)


def estimate(rules: Rules, now_us: int) -> Estimate:
    """What `prune` would delete, if it were run now. Nothing is changed."""
    found = Estimate()
    for form in FORMS:
        rows = _left_over(form)
        for page in pages(form, rules, now_us, ahead=True):
            kept = {one.series_id for one in found.refused}
            wanted = [due for due in page if due.series_id not in kept]
            for some in slices_of(form, wanted, found.refused) if wanted else ():
                rows += _count(form, some)
        found.rows[form.name] = rows
        found.size_bytes[form.name] = round(rows * _row_bytes(form)) if rows else 0
    return found


def _count(form: Form, dues: Sequence[Due]) -> int:
    """The rows of the dues."""
    span = f"r.{form.time} >= a.since AND r.{form.time} < a.until"
    return _number(
        f"WITH {ASKED[connection.vendor]} SELECT count(*) FROM asked a JOIN {form.table} r"
        f" ON r.series_id = a.id{form.which} AND {span}",
        parameters(dues),
    )


def _left_over(form: Form) -> int:
    """The rows that lie before their horizon already."""
    which = form.which.replace("step_s", "r.step_s")
    return _number(
        "SELECT count(*) FROM ingest_horizon h JOIN devices_series s ON s.id = h.series_id"
        f" JOIN {form.table} r ON r.series_id = h.series_id{which}"
        f" AND r.{form.time} >= h.swept_to AND r.{form.time} < h.kept_from"
        f" WHERE h.step_s = {form.step_s} AND {form.whose}"
    )


def _row_bytes(form: Form) -> float:
    if connection.vendor == "sqlite":
        texts = _number(f"SELECT avg(length(value)) FROM {form.table}") if form is TEXTS else 0
        return texts + _SQLITE_ROW_BYTES[form]
    leaves = f"pg_partition_tree('{form.table}') t JOIN pg_class c ON c.oid = t.relid"
    rows = _number(f"SELECT sum(greatest(c.reltuples, 0)) FROM {leaves} WHERE t.isleaf")
    size = _number(f"SELECT sum(pg_total_relation_size(c.oid)) FROM {leaves} WHERE t.isleaf")
    return size / rows if rows else _POSTGRESQL_ROW_BYTES[form]


def _number(statement: str, its: Sequence[object] | None = None) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement, its)  # type: ignore[arg-type]
        [value] = cursor.fetchone()
    return round(value or 0)
