"""Exports of a database on each engine, as a program would read them."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test import AsyncClient

from dashboards import readtokens
from devices.models import Device, Kind, Series
from ingest.fields import to_us
from tests.integration.engine import engine, engine_url  # noqa: F401
from tests.integration.stored import watermark_of

Reading = tuple[str, str, datetime, object]  # device, metric, time, value


class Answer(NamedTuple):
    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def readings(self) -> list[Reading]:
        """Of a whole export, in either format."""
        assert self.status == 200, self.body
        if self.headers["Content-Type"].startswith("text/csv"):
            return from_csv(self.body)
        return from_ndjson(self.body)


def from_csv(body: bytes) -> list[Reading]:
    table = list(csv.reader(io.StringIO(body.decode(), newline=""), strict=True))
    assert table[0] == ["device", "metric", "time", "value", "kind", "unit"]
    before = body[: body.rindex(b"#end,")]
    summed = hashlib.sha256(before).hexdigest()
    assert table[-1] == ["#end", f"rows={len(table) - 2}", "", f"sha256={summed}", "", ""]
    return [
        (device, metric, datetime.fromisoformat(at), of_kind(kind, value))
        for device, metric, at, value, kind, _ in table[1:-1]
    ]


def of_kind(kind: str, value: str) -> object:
    if kind == "text":
        return value.removeprefix("'")
    return {"true": True, "false": False}[value] if kind == "boolean" else float(value)


def from_ndjson(body: bytes) -> list[Reading]:
    lines = [json.loads(line) for line in body.decode().split("\n")[:-1]]
    summed = hashlib.sha256(body[: body.rindex(b"\n", 0, -1) + 1 if len(lines) > 1 else 0])
    assert lines[-1] == {"end": True, "rows": len(lines) - 1, "sha256": summed.hexdigest()}
    return [
        (one["device"], one["metric"], datetime.fromisoformat(one["time"]), one["value"])
        for one in lines[:-1]
    ]


Export = Callable[..., Answer]


@pytest.fixture
def export(engine: str) -> Export:  # noqa: F811
    """Asks for an export by its query, with a read token of this scope."""

    def export(query: str = "", suffix: str = "csv", scope: tuple[str, ...] = ()) -> Answer:
        _, text = readtokens.issue("a test's", scope)
        return ask(f"/api/v1/export.{suffix}?{query}", headers={"Authorization": f"Bearer {text}"})

    return export


def ask(
    path: str, method: str = "get", headers: dict[str, str] | None = None, user: User | None = None
) -> Answer:
    """One request, by somebody who is logged in where `user` is given."""
    client = AsyncClient()
    if user is not None:
        client.force_login(user)
    return async_to_sync(_ask)(client, path, method, headers)


async def _ask(
    client: AsyncClient, path: str, method: str, headers: dict[str, str] | None
) -> Answer:
    response: Any = await getattr(client, method)(path, headers=headers)
    body = b""
    if not response.streaming:
        body = response.content
    elif method != "head":
        body = b"".join([part async for part in response])
    response.close()
    return Answer(response.status_code, response.headers, body)


def make_series(
    uid: str, metric: str, kind: Kind = Kind.NUMBER, unit: str = "", tags: list[str] | None = None
) -> Series:
    device, _ = Device.objects.get_or_create(uid=uid, defaults={"tags": tags or []})
    return Series.objects.create(device=device, metric=metric, kind=kind, unit=unit)


def put(series: Series, readings: Sequence[tuple[datetime, Any]]) -> None:
    """Store readings where the line leaves them; without their rollups, which no export reads."""
    sealed_to = watermark_of(series.pk)
    postgresql = connection.vendor == "postgresql"
    rows: dict[str, list[tuple[int, Any, Any]]] = defaultdict(list)
    for at, value in readings:
        table = "ingest_sealed" if at < sealed_to else "ingest_recent"
        if postgresql or series.kind == Kind.TEXT:
            table = "ingest_textreading" if series.kind == Kind.TEXT else "ingest_reading"
        rows[table].append((series.pk, at if postgresql else to_us(at), value))
    with transaction.atomic(), connection.cursor() as cursor:
        for table, its in rows.items():
            insert = f"INSERT INTO {table} (series_id, time, value) VALUES (%s, %s, %s)"
            cursor.executemany(insert, its)


UTC_NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
