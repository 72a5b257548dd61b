"""Which word stands beside the dot."""

from __future__ import annotations

import pytest

from dashboards.pages.status import Status, status_of

NOW_MS = 1_795_326_596_000


@pytest.mark.parametrize(
    ("silent_s", "interval_s", "word"),
    [
        (0, 10, Status.ONLINE),
        (30, 10, Status.ONLINE),
        (30.1, 10, Status.STALE),
        (300, 10, Status.STALE),
        (300.1, 10, Status.OFFLINE),
        (180, None, Status.ONLINE),
        (181, None, Status.STALE),
        (1801, None, Status.OFFLINE),
    ],
)
def test_it_is_online_within_three_intervals_and_stale_within_thirty(
    silent_s: float, interval_s: float | None, word: Status
) -> None:
    assert status_of(NOW_MS - round(silent_s * 1000), NOW_MS, interval_s, 1.0) is word


def test_an_interval_shorter_than_the_relays_counts_as_the_relays() -> None:
    assert status_of(NOW_MS - 3_000, NOW_MS, 0.01, 1.0) is Status.ONLINE


def test_who_was_never_heard_from_says_so() -> None:
    assert status_of(None, NOW_MS, 10, 1.0) is Status.NEVER_SEEN


def test_a_clock_that_is_ahead_makes_nobody_stale() -> None:
    assert status_of(NOW_MS + 60_000, NOW_MS, 1, 1.0) is Status.ONLINE
