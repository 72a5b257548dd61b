"""How dues are said to either engine: as a relation `asked (id, since, until)`, or singly."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import orjson
from django.db import connection

from ingest.fields import from_us
from ingest.prune.dues import Due

ASKED: Final = {
    "sqlite": "asked (id, since, until) AS (SELECT json_extract(value, '$[0]'),"
    " json_extract(value, '$[1]'), json_extract(value, '$[2]') FROM json_each(%s))",
    "postgresql": "asked (id, since, until) AS"
    " (SELECT * FROM unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[]))",
}


def parameters(dues: Sequence[Due]) -> list[Any]:
    if connection.vendor == "sqlite":
        return [orjson.dumps([list(due) for due in dues]).decode()]
    return [
        [due.series_id for due in dues],
        column_values(*(due.from_us for due in dues)),
        column_values(*(due.to_us for due in dues)),
    ]


def column_values(*moments_us: int) -> list[int | datetime]:
    """Moments as the columns of this engine have them."""
    if connection.vendor == "sqlite":
        return list(moments_us)
    return [from_us(at_us) for at_us in moments_us]
