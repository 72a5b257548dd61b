"""An export is exactly what is stored, on both engines, wherever the watermark is."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User

from devices.models import Kind, Series
from tests.integration.export.conftest import (
    UTC_NOON,
    Export,
    Reading,
    ask,
    make_series,
    put,
)
from tests.integration.stored import set_watermark
from tests.unit.dashboards.test_export_formats import TEXTS

FORMATS = ["csv", "ndjson"]
SECOND = timedelta(seconds=1)


def readings_of(
    series: Series, values: list[float], since: datetime = UTC_NOON, step: timedelta = SECOND
) -> list[Reading]:
    """Store them, and say how they are to come out."""
    times = [since + n * step for n in range(len(values))]
    put(series, list(zip(times, values, strict=True)))
    kind = bool if series.kind == Kind.BOOLEAN else float
    return [
        (series.device.uid, series.metric, at, kind(value))
        for at, value in zip(times, values, strict=True)
    ]


@pytest.fixture
def everything(engine: str) -> list[Reading]:
    """Numbers, booleans and texts on both sides of a watermark in the middle of a unit."""
    drawn = random.Random(5)
    temperature, door = (
        make_series("roof", "temperature"),
        make_series("roof", "door", Kind.BOOLEAN),
    )
    state = make_series("roof", "state", Kind.TEXT)
    power = make_series("cellar", "inner/power", unit="kW", tags=["south", "=tag"])
    sealed = UTC_NOON + timedelta(minutes=2)
    set_watermark(sealed, also=sealed + timedelta(minutes=1), through=door.pk)
    expected = readings_of(temperature, [drawn.uniform(-50, 50) for _ in range(300)])
    expected += readings_of(door, [float(n % 2) for n in range(300)])
    texts = [(UTC_NOON + n * SECOND, text) for n, text in enumerate(TEXTS)]
    put(state, texts)
    expected += [("roof", "state", at, text) for at, text in texts]
    return expected + readings_of(power, [drawn.gauss(0, 1e6) for _ in range(300)])


@pytest.mark.parametrize("suffix", FORMATS)
def test_everything_comes_out_as_it_is_stored_and_in_order(
    export: Export, everything: list[Reading], suffix: str
) -> None:
    assert export(suffix=suffix).readings == everything


@pytest.mark.parametrize("suffix", FORMATS)
def test_an_empty_export_is_whole_too(export: Export, suffix: str) -> None:
    assert export(suffix=suffix).readings == []
    make_series("roof", "temperature")
    assert export(suffix=suffix).readings == []


@pytest.mark.parametrize(
    ("query", "metrics"),
    [
        ("series=roof/door", {"door"}),
        ("series=cellar/inner/power&series=roof/door", {"inner/power", "door"}),
        ("device=roof", {"temperature", "door", "state"}),
        ("device=roof&device=cellar", {"temperature", "door", "state", "inner/power"}),
        ("tag=south", {"inner/power"}),
        ("tag=south&device=roof", {"temperature", "door", "state", "inner/power"}),
        ("tag=south&device=roof&metric=door&metric=inner/power", {"door", "inner/power"}),
        ("tag=%3Dtag", {"inner/power"}),
        ("metric=temperature", {"temperature"}),
        ("device=cellar&metric=door", set()),
        ("series=roof/state&device=cellar", {"state", "inner/power"}),
        ("series=roof/state&metric=door", {"state", "door"}),
    ],
)
def test_a_selection_is_of_series_devices_tags_and_metrics(
    export: Export, everything: list[Reading], query: str, metrics: set[str]
) -> None:
    assert export(query).readings == [one for one in everything if one[1] in metrics]


@pytest.mark.parametrize(
    "query",
    [
        "from=2026-11-23T12:01:59.5Z&to=2026-11-23T12:02:01Z",
        "from=1795435200000&to=1795435201000.001",
        "from=2026-11-23T13:02:00%2B01:00",
        "to=2026-11-23T12:00:00.000001Z",
    ],
)
def test_a_span_begins_with_from_and_ends_before_to(
    export: Export, everything: list[Reading], query: str
) -> None:
    asked = dict(part.split("=") for part in query.split("&"))
    bounds = {
        "1795435200000": UTC_NOON,
        "1795435201000.001": UTC_NOON + SECOND + timedelta(microseconds=1),
        "2026-11-23T13:02:00%2B01:00": UTC_NOON + timedelta(minutes=2),
    }
    start, end = (
        bounds.get(asked.get(name, "")) or datetime.fromisoformat(asked.get(name, default))
        for name, default in (("from", "0001-01-01T00:00Z"), ("to", "9999-12-31T00:00Z"))
    )
    assert export(query).readings == [one for one in everything if start <= one[2] < end]


def test_without_to_an_export_ends_now(export: Export) -> None:
    series = make_series("roof", "temperature")
    now = datetime.now(UTC)
    past = readings_of(series, [1.0], now - SECOND)
    ahead = readings_of(series, [2.0], now + timedelta(hours=1))
    assert export().readings == past
    assert export("to=9999-12-31T00:00:00Z").readings == past + ahead


def test_the_first_and_the_last_moment_of_the_calendar_can_be_exported(export: Export) -> None:
    series = make_series("roof", "temperature")
    first, last = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    expected = readings_of(series, [1.0], first) + readings_of(series, [2.0], last)
    assert export("to=9999-12-31T23:59:59.999999Z").readings == expected


def test_chunks_join_without_a_seam(export: Export, engine: str) -> None:
    """Of several series in one chunk, of one series in several, and of texts in between."""
    step = timedelta(milliseconds=10)
    small = [make_series("roof", f"small{n}") for n in range(3)]
    texts, large = make_series("roof", "texts", Kind.TEXT), make_series("roof", "large")
    more_texts, last = make_series("roof", "texts2", Kind.TEXT), make_series("roof", "last")
    set_watermark(UTC_NOON + timedelta(seconds=100))  # 10,000 steps
    expected = [one for s in small for one in readings_of(s, [1.0, 2.0], UTC_NOON, step)]
    for series, count in ((texts, 2_500), (more_texts, 1_000)):
        rows = [(UTC_NOON + n * step, str(n)) for n in range(count)]
        put(series, rows)
        if series is texts:
            expected += [("roof", "texts", at, text) for at, text in rows]
            expected += readings_of(large, [float(n) for n in range(22_000)], UTC_NOON, step)
        else:
            expected += [("roof", "texts2", at, text) for at, text in rows]
    expected += readings_of(last, [0.5] * 10_000, UTC_NOON, step)
    assert export().readings == expected


def test_more_series_than_are_looked_for_at_once_come_out(export: Export) -> None:
    first = make_series("roof", "x0")
    names = [f"x{n}" for n in range(1, 501)]
    Series.objects.bulk_create(
        Series(device=first.device, metric=name, kind=Kind.NUMBER) for name in names
    )
    last = Series.objects.get(metric="x500")
    expected = readings_of(first, [1.0]) + readings_of(last, [2.0])
    assert export().readings == expected


def test_a_read_token_exports_its_scope_alone(export: Export, everything: list[Reading]) -> None:
    cellar = [one for one in everything if one[0] == "cellar"]
    assert export(scope=("tag:south",)).readings == cellar
    assert export("metric=inner/power", scope=("device:cellar",)).readings == cellar
    for query in ("device=roof", "series=roof/door", "metric=door"):
        answer = export(query, scope=("device:cellar",))
        assert (answer.status, answer.json["type"]) == (404, "/api/v1/problems/not-found")
    assert export("tag=south", scope=("device:roof",)).status == 404


def test_a_login_that_may_look_exports_everything(everything: list[Reading]) -> None:
    ada = User.objects.create_superuser("ada")
    assert ask("/api/v1/export.csv", user=ada).readings == everything


def test_nobody_exports_without_a_login_or_a_token(engine: str) -> None:
    assert ask("/api/v1/export.csv").status == 401
    eve = User.objects.create_user("eve")
    assert ask("/api/v1/export.ndjson", user=eve).status == 403


@pytest.mark.parametrize(
    ("query", "status", "field", "says"),
    [
        ("device=nobody", 404, "device", "There is no device nobody."),
        ("series=roof/nothing", 404, "series", "There is no series roof/nothing."),
        ("series=roof", 422, "series", "should be UID/METRIC"),
        ("metric=nothing", 404, "metric", "There is no metric nothing."),
        ("tag=nowhere", 404, "tag", "There is no tag nowhere."),
        ("from=yesterday", 422, "from", "should be Unix milliseconds"),
        ("from=now&to=now-1h", 422, "to", "should be later than from"),
        ("from=now-1h&from=now-2h", 422, "from", "should be named once"),
        ("devise=roof", 422, "devise", "is no parameter here"),
        ("device=a%00b", 422, "device", "NUL"),
        ("&".join(["device=roof"] * 501), 422, "device", "at most 500"),
    ],
)
def test_what_cannot_be_exported_is_told_by_name(
    export: Export, everything: list[Reading], query: str, status: int, field: str, says: str
) -> None:
    answer = export(query)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert (answer.status, answer.json["field"]) == (status, field)
    assert says in answer.json["detail"]


def test_an_export_says_what_it_is(export: Export, engine: str) -> None:
    answer = export()
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8; header=present"
    assert answer.headers["Cache-Control"] == "private, no-store"
    named = answer.headers["Content-Disposition"]
    assert named.startswith('attachment; filename="readings-')
    assert named.endswith('Z.csv"')
    assert export(suffix="ndjson").headers["Content-Type"] == "application/x-ndjson"


def test_head_has_the_headers_and_reads_nothing(everything: list[Reading]) -> None:
    ada = User.objects.create_superuser("ada")
    answer = ask("/api/v1/export.csv", "head", user=ada)
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["Content-Type"].startswith("text/csv")
    assert ask("/api/v1/export.csv", "post", user=ada).status == 405
