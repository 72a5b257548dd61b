"""A clock that is behind what was stored by it is wrong."""

from __future__ import annotations

from ingest.clock import TOLERATED_US, Clock

NOON_US = 1_795_608_000_000_000
HOUR_US = 3_600_000_000


def known(newest_us: int = NOON_US) -> Clock:
    clock = Clock()
    clock.learn(newest_us)
    return clock


def test_until_the_newest_commit_is_known_no_time_is_wrong() -> None:
    clock = Clock()
    assert not clock.is_known
    assert not clock.is_behind(0)


def test_1970_is_behind() -> None:
    assert known().is_behind(0)
    assert known().behind_s(0) == NOON_US / 1_000_000


def test_a_little_behind_is_tolerated() -> None:
    assert not known().is_behind(NOON_US - TOLERATED_US)
    assert known().behind_s(NOON_US - TOLERATED_US) == 0
    assert known().is_behind(NOON_US - TOLERATED_US - 1)


def test_nothing_was_ever_committed() -> None:
    assert not known(0).is_behind(0)


def test_own_commits_count() -> None:
    clock = known()
    clock.committed(NOON_US + HOUR_US)
    assert clock.is_behind(NOON_US)
    assert not clock.is_behind(NOON_US + HOUR_US)


def test_the_newest_commit_never_goes_back_by_itself() -> None:
    clock = known()
    clock.committed(NOON_US - HOUR_US)
    assert clock.newest_us == NOON_US
    assert clock.stamp(NOON_US - HOUR_US) == NOON_US
    assert clock.stamp(NOON_US + 1) == NOON_US + 1


def test_an_operator_may_set_it_back() -> None:
    clock = known(NOON_US + 25 * HOUR_US)
    assert clock.is_behind(NOON_US)
    clock.learn(NOON_US)
    assert not clock.is_behind(NOON_US)
