"""Moments and spans as they are written in a URL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from dashboards.timespan import FORMS, NoSpan, Span, moment, span

NOW = datetime(2026, 11, 28, 12, 0, 0, 123_457, tzinfo=UTC)


def us(text: str) -> int:
    return (moment(text, NOW) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("text", "expected_us"),
    [
        ("0", 0),
        ("-1", -1_000),
        ("1795867200000", 1_795_867_200_000_000),
        ("1795867200000.123", 1_795_867_200_000_123),  # a double could not hold it exactly
        ("1795867200000.1235", 1_795_867_200_000_124),
    ],
)
def test_a_number_is_unix_milliseconds(text: str, expected_us: int) -> None:
    assert us(text) == expected_us


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-28T12:00:00Z",
        "2026-11-28T14:00:00+02:00",
        "2026-11-28T14:00:00 02:00",  # the plus, not escaped
        "2026-11-28T17:30+0530",
        "2026-11-28 12:00+00:00",
        "20261128T120000Z",
        "2026-11-28T12:00:00.000000Z",
    ],
)
def test_a_text_is_iso_8601_with_an_offset(text: str) -> None:
    assert moment(text, NOW) == datetime(2026, 11, 28, 12, tzinfo=UTC)
    assert moment(text, NOW).tzinfo is UTC


@pytest.mark.parametrize(
    ("text", "before"),
    [
        ("now", timedelta()),
        ("now-90s", timedelta(seconds=90)),
        ("now-15m", timedelta(minutes=15)),
        ("now-1h", timedelta(hours=1)),
        ("now-30d", timedelta(days=30)),
        ("now-2w", timedelta(weeks=2)),
    ],
)
def test_a_moment_may_be_told_from_now(text: str, before: timedelta) -> None:
    assert moment(text, NOW) == NOW - before


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "yesterday",
            "now-",
            "now-1",
            "now-1y",
            "now+1h",
            "NOW",
            "now-1h ",
            "1e3",
            "١٢",
            "nan",
        ),
        *(
            "2026-11-28",
            "2026-11-28T12:00:00",
            "2026-11-28 12:00",
            "2026-13-01T00:00Z",
            "-",
            "1.2.3",
        ),
        *("0x10", "1_000", "2026-11-28T12:00:00Z\n", "12\n"),
    ],
)
def test_what_is_no_moment_is_told_what_it_should_be(text: str) -> None:
    with pytest.raises(ValueError, match="should be") as raised:
        moment(text, NOW)
    assert str(raised.value) == f"should be {FORMS}"


@pytest.mark.parametrize(
    "text",
    ["999999999999999", "now-999999999w", "0001-01-01T00:00+01:00", "9999-12-31T23:59-01:00"],
)
def test_what_lies_outside_the_calendar_is_told_so(text: str) -> None:
    with pytest.raises(ValueError, match="years 1 to 9999"):
        moment(text, NOW)


def test_a_span_goes_from_one_moment_up_to_another() -> None:
    assert span("now-1h", "now", NOW) == Span(NOW - timedelta(hours=1), NOW)


@pytest.mark.parametrize(
    ("start", "end", "field", "sentence"),
    [
        ("soon", "now", "from", "should be Unix"),
        ("now-1h", "later", "to", "should be Unix"),
        ("now", "now", "to", "should be later than from"),
        ("now", "now-1h", "to", "should be later than from"),
    ],
)
def test_a_span_that_is_none_names_the_field(
    start: str, end: str, field: str, sentence: str
) -> None:
    with pytest.raises(NoSpan, match=sentence) as raised:
        span(start, end, NOW)
    assert raised.value.field == field
