"""How long what is stored is kept: which rule holds, and from when on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ingest.fields import to_us
from ingest.reading import EARLIEST_US
from ingest.retention import Days, KeptFrom, Rules, Whose, full_hour

NOW = datetime(2026, 11, 28, 12, 34, 56, tzinfo=UTC)
ROOF = 1


def kept_from(hub: Days, *others: tuple[Whose, Days], metric: str = "t") -> KeptFrom:
    return Rules.of(hub, others).kept_from(ROOF, metric, to_us(NOW))


def days_ago(days: int) -> int:
    return to_us(NOW.replace(minute=0, second=0) - timedelta(days=days))


def test_nothing_set_keeps_for_ever() -> None:
    assert kept_from(Days()) == kept_from(Days(0, 0, 0)) == KeptFrom()


def test_the_hub_s_days_count_back_to_a_full_hour() -> None:
    assert kept_from(Days(30, 90, 400)) == (days_ago(30), days_ago(90), days_ago(400))


@pytest.mark.parametrize(
    ("others", "days"),
    [
        ([((ROOF, ""), Days(7))], 7),
        ([((ROOF, ""), Days(7)), ((None, "t"), Days(14))], 14),
        ([((ROOF, ""), Days(7)), ((None, "t"), Days(14)), ((ROOF, "t"), Days(21))], 21),
        ([((2, ""), Days(7)), ((None, "other"), Days(14)), ((2, "t"), Days(21))], 30),
    ],
    ids=["of the device", "of the metric", "of the series", "of others"],
)
def test_the_rule_that_is_most_of_the_series_own_holds(
    others: list[tuple[Whose, Days]], days: int
) -> None:
    assert kept_from(Days(30), *others).readings == days_ago(days)


def test_what_a_rule_leaves_open_is_said_by_a_wider_one() -> None:
    found = kept_from(Days(30, 90), ((ROOF, ""), Days(readings=7)), ((ROOF, "t"), Days(minutes=60)))
    assert found == (days_ago(7), days_ago(60), EARLIEST_US)


def test_a_rule_may_keep_for_ever_what_the_hub_does_not() -> None:
    assert kept_from(Days(30, 90, 400), ((None, "t"), Days(readings=0))) == KeptFrom()


def test_a_rollup_is_kept_as_long_as_what_it_is_made_of() -> None:
    assert kept_from(Days(30, 7, 14)) == (days_ago(30), days_ago(30), days_ago(30))
    assert kept_from(Days(0, 7, 7)) == KeptFrom()


def test_more_days_than_the_calendar_has_are_all_of_it() -> None:
    assert kept_from(Days(100_000 * 10)) == KeptFrom()


def test_hours_before_1970_are_full_ones_too() -> None:
    assert full_hour(-1) == -3_600_000_000
