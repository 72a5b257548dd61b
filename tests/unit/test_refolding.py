"""Rollups, held against the readings they stand for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ingest.comparison import Finding
from ingest.refolding import (
    HOUR_US,
    MINUTE_US,
    Bucket,
    Folding,
    Rollups,
    bucket_of,
    hold_against_minutes,
    joined,
)

READINGS = [(n * 20_000_000 - HOUR_US // 2, float(n % 7 - 3)) for n in range(400)]


def minutes(readings: list[tuple[int, float]]) -> list[Bucket]:
    starts = sorted({time_us // MINUTE_US for time_us, _ in readings})
    return [bucket_of([r for r in readings if r[0] // MINUTE_US == start]) for start in starts]


def hours(readings: list[tuple[int, float]]) -> list[Bucket]:
    made: list[Bucket] = []
    for minute in minutes(readings):
        start_us = minute.start_us // HOUR_US * HOUR_US
        if made and made[-1].start_us == start_us:
            made[-1] = joined(made[-1], minute)
        else:
            made.append(replace(minute, start_us=start_us))
    return made


def findings(
    stored_minutes: list[Bucket],
    stored_hours: list[Bucket],
    until_us: int = 2**62,
    from_us: int = -(2**62),
) -> list[tuple[int, str]]:
    found: list[Finding] = []
    rollups = Rollups(stored_minutes, found.append), Rollups(stored_hours, found.append)
    passed = list(Folding(*rollups, until_us, from_us).passing(READINGS))
    assert passed == READINGS
    return [(finding.time_us, finding.text) for finding in found]


def test_rollups_of_their_readings_are_well() -> None:
    assert findings(minutes(READINGS), hours(READINGS)) == []


def test_a_rollup_holds_the_readings_before_the_watermark_alone() -> None:
    until_us = READINGS[200][0]
    before = READINGS[:200]
    assert findings(minutes(before), hours(before), until_us) == []
    assert findings(minutes(READINGS), hours(before), until_us) != []


def test_what_is_older_than_the_series_is_kept_is_not_folded() -> None:
    hour = HOUR_US
    left = [reading for reading in READINGS if reading[0] >= hour]
    assert findings(minutes(left), hours(left), from_us=hour) == []


def test_hours_whose_readings_are_gone_are_held_against_their_minutes() -> None:
    found: list[Finding] = []
    hold_against_minutes(Rollups(hours(READINGS), found.append), minutes(READINGS))
    assert found == []
    hold_against_minutes(Rollups(hours(READINGS), found.append), minutes(READINGS)[:-1])
    assert [finding.time_us for finding in found] == [hours(READINGS)[-1].start_us]


def test_a_missing_and_a_needless_rollup_are_found() -> None:
    made = minutes(READINGS)
    assert findings(made[1:], hours(READINGS)) == [(made[0].start_us, "3 readings have no rollup")]
    needless = replace(made[-1], start_us=made[-1].start_us + HOUR_US)
    assert [at for at, _ in findings([*made, needless], hours(READINGS))] == [needless.start_us]


@pytest.mark.parametrize("name", ["count", "min", "max", "first", "first_us", "last", "last_us"])
def test_every_field_is_held_exactly(name: str) -> None:
    made = hours(READINGS)
    made[1] = replace(made[1], **{name: getattr(made[1], name) + 1})
    ((at_us, text),) = findings(minutes(READINGS), made)
    assert at_us == made[1].start_us
    assert f"its {name} is" in text


def test_a_sum_may_differ_by_the_order_of_its_additions_alone() -> None:
    made = hours(READINGS)
    nearly = replace(made[1], sum=made[1].sum + made[1].magnitude * 5e-13)
    assert findings(minutes(READINGS), [made[0], nearly, *made[2:]]) == []
    off = replace(made[1], sum=made[1].sum + made[1].magnitude * 5e-12)
    assert len(findings(minutes(READINGS), [made[0], off, *made[2:]])) == 1
