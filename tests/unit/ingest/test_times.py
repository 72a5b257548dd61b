"""The time of a reading: as it is sent, as it is told by age, and as it is refused."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ingest.reading import EARLIEST_US, NUMBER
from tests.unit.ingest.frames import (
    FUTURE_MS,
    NOW_MS,
    NOW_US,
    decoded,
    named,
    refused,
    sample,
    stored,
    taken,
)

LATEST_MS = NOW_MS + FUTURE_MS


def columns(*times: object) -> dict[str, object]:
    return {"columns": {"ts": list(times), "t": [1.5] * len(times)}}


def time_of(ts: object) -> int:
    """In both forms, which agree."""
    [(_, _, at_us, _)] = stored(sample(1.5, ts))
    assert stored(columns(ts)) == [("t", NUMBER, at_us, 1.5)]
    return at_us


def us(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1_000_000)


def test_a_time_is_milliseconds() -> None:
    assert time_of(1_795_326_596_000) == us("2026-11-22T05:49:56Z")


def test_fractions_of_a_millisecond_keep_the_microseconds() -> None:
    assert time_of(1_795_326_596_000.125) == 1_795_326_596_000_125
    assert time_of(1_795_326_596_000.999) == 1_795_326_596_000_999


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-22T05:49:56Z",
        "2026-11-22T05:49:56+00:00",
        "2026-11-22T07:49:56+02:00",
        "2026-11-21T23:49:56-06:00",
        "20261122T054956Z",
    ],
)
def test_a_time_may_be_a_text_with_an_offset(text: str) -> None:
    assert time_of(text) == 1_795_326_596_000_000


def test_a_text_keeps_its_microseconds() -> None:
    assert time_of("2026-11-22T05:49:56.123456Z") == 1_795_326_596_123_456


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-22T05:49:56",
        "2026-11-22",
        "",
        "yesterday",
        "1795326596000",
        "2026-13-01T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "10000-01-01T00:00:00Z",
        "2026-11-22T05:49:56Z\ud800",
        "2026-11-22T05:49:56Z\0",
    ],
)
def test_any_other_text_is_no_time(text: str) -> None:
    assert refused(sample(1.5, text)) == [("ts_invalid", 0, None, 1)]
    assert refused(columns(text)) == [("ts_invalid", 0, None, 1)]


@pytest.mark.parametrize(
    ("literal", "code"),
    [
        ("true", "ts_invalid"),
        ("false", "ts_invalid"),
        ("[]", "ts_invalid"),
        ("{}", "ts_invalid"),
        ("NaN", "ts_invalid"),
        ("Infinity", "ts_invalid"),
        ("-1e999", "ts_invalid"),
        ("0", "ts_unit"),
        ("1795326596", "ts_unit"),
        ("1795326596.347", "ts_unit"),
        ("99999999999", "ts_unit"),
        (str(LATEST_MS + 1), "ts_future"),
        (f"{LATEST_MS}.5", "ts_future"),
        ("253402300800000", "ts_future"),  # the year 10000
        ("1e306", "ts_future"),
        ("1" * 400, "ts_future"),
        ("1" * 5_000, "ts_future"),
        (str(EARLIEST_US // 1_000 - 1), "too_old"),  # the year 0
        ("-1e306", "too_old"),
        ("-" + "1" * 400, "too_old"),
    ],
    ids=lambda case: str(case)[:20],
)
def test_a_time_that_cannot_be_kept_is_refused_by_name(literal: str, code: str) -> None:
    assert refused(f'{{"ts":{literal},"values":{{"t":1.5,"h":2}}}}') == [(code, 0, None, 2)]
    assert refused(f'{{"columns":{{"ts":[{literal}],"t":[1.5],"h":[2]}}}}') == [(code, 0, None, 2)]


@pytest.mark.parametrize("ts", [LATEST_MS, 10**11, -1, EARLIEST_US // 1_000])
def test_any_past_is_welcome_and_a_little_future_too(ts: int) -> None:
    assert time_of(ts) == ts * 1_000


@pytest.mark.parametrize("form", [sample(1.5, NOW_MS - 1), columns(NOW_MS - 1)])
def test_what_lies_before_the_horizon_is_too_old(form: object) -> None:
    assert refused(form, earliest_us=NOW_US) == [("too_old", 0, None, 1)]
    assert decoded(form, earliest_us=NOW_US - 1_000).refusals == []


def test_a_refused_time_refuses_its_sample_and_no_other() -> None:
    frame = decoded(columns(NOW_MS, 5, NOW_MS + 1, LATEST_MS + 1))
    assert [at_us for _, _, at_us, _ in taken(frame)] == [NOW_US, NOW_US + 1_000]
    assert named(frame.refusals) == [("ts_unit", 1, None, 1), ("ts_future", 3, None, 1)]


def test_a_sample_without_readings_is_not_refused_for_its_time() -> None:
    assert stored({"readings": [{"ts": 5, "values": {}}, {"ts": 5, "values": {"t": None}}]}) == []
    assert stored({"columns": {"ts": [5], "t": [None]}}) == []


def test_one_sample_without_a_time_is_of_now() -> None:
    assert time_of(None) == NOW_US


def test_a_second_sample_without_a_time_is_refused() -> None:
    frame = decoded([{"values": {"t": 1}}, {"values": {"t": 2, "h": 3}}, sample(4)])
    assert [value for *_, value in taken(frame)] == [1, 4]
    assert named(frame.refusals) == [("ts_missing", 1, None, 2)]


def test_only_the_first_row_of_columns_can_go_without_a_time() -> None:
    frame = decoded({"columns": {"t": [1, 2, None, 4]}})
    assert [value for *_, value in taken(frame)] == [1]
    assert named(frame.refusals) == [("ts_missing", 1, None, 1), ("ts_missing", 3, None, 1)]


def test_the_age_of_a_frame_is_taken_off_the_moment_of_receipt() -> None:
    for frame in ({"age_ms": 1_500.25, "t": 1}, {"age_ms": 1_500.25, "columns": {"t": [1]}}):
        assert stored(frame) == [("t", NUMBER, NOW_US - 1_500_250, 1)]


def test_the_age_does_not_touch_a_sample_that_has_its_time() -> None:
    assert stored({"age_ms": 1_500, "ts": NOW_MS, "t": 1}) == [("t", NUMBER, NOW_US, 1)]


def test_an_age_before_all_calendars_is_too_old() -> None:
    assert refused({"age_ms": 1e14, "t": 1}) == [("too_old", 0, None, 1)]


@pytest.mark.parametrize(
    "age", ["-1", "true", "false", '""', '"5"', "[]", "NaN", "Infinity", "1e15", "1" * 400]
)
def test_an_age_that_is_none_refuses_the_frame_with_all_its_readings(age: str) -> None:
    assert refused(f'{{"age_ms":{age},"values":{{"t":1,"h":2}}}}') == [("bad_frame", None, None, 2)]


def test_utc_is_assumed_nowhere() -> None:
    assert datetime.fromtimestamp(time_of("2026-01-01T00:00:00+14:00") / 1e6, UTC).year == 2025
