"""The budget of what is taken and not committed, and the window that follows from it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ingest.flow import (
    FRAME_LEAST_BYTES,
    MUCH_USED,
    RETRY_MOST_MS,
    Budget,
    cost_bytes,
    fair_window,
    retry_after_ms,
    spread_ms,
)


def test_there_is_room_while_a_byte_and_a_reading_fit() -> None:
    budget = Budget(1_000, 10)
    budget.take(999, 9)
    assert budget.has_room
    budget.take(1, 0)
    assert not budget.has_room


def test_readings_are_bounded_too() -> None:
    budget = Budget(1_000, 10)
    budget.take(10, 10)
    assert not budget.has_room


def test_a_frame_of_any_size_comes_in_while_there_is_room() -> None:
    budget = Budget(1_000, 10)
    budget.take(1_000_000, 10_000)
    assert not budget.has_room
    budget.settle(1, 1_000_000, 10_000)
    assert budget.has_room
    assert (budget.frames, budget.bytes, budget.readings) == (0, 0, 0)


def test_a_short_frame_counts_for_what_it_costs() -> None:
    assert cost_bytes(2) == FRAME_LEAST_BYTES
    assert cost_bytes(100_000) == 100_000


def test_before_any_frame_the_mean_is_nothing() -> None:
    assert Budget(1_000, 10).mean_share() == 0


def test_the_mean_is_of_the_dearer_of_bytes_and_readings() -> None:
    budget = Budget(1_000, 10)
    budget.take(100, 2)
    assert budget.mean_share() == 0.2
    assert budget.mean_share() == 0.2  # without new frames it stays


def test_the_mean_follows_the_newest_frames() -> None:
    budget = Budget(1_000_000, 1_000_000)
    budget.take(100, 0)
    first = budget.mean_share()
    for _ in range(100):
        for _ in range(100):
            budget.take(10_000, 0)
            budget.settle(1, 10_000, 0)
        budget.mean_share()
    assert first == 0.0001
    assert abs(budget.mean_share() - 0.01) < 0.0001


def test_the_most_that_was_used_is_remembered_until_it_is_asked_for() -> None:
    budget = Budget(1_000, 10)
    budget.take(100, 8)
    budget.settle(1, 100, 8)
    budget.take(500, 0)
    assert budget.peak_use() == 0.8
    assert budget.peak_use() == 0.5


FULL, EMPTY = 1.0, 0.0


def test_without_devices_or_frames_the_window_is_the_largest() -> None:
    assert fair_window(32, 32, 0, 0.1, FULL) == 32
    assert fair_window(32, 32, 1_000, 0.0, FULL) == 32
    assert fair_window(0, 24, 1_000, 0.0, EMPTY) == 24


def test_where_the_budget_is_used_the_windows_of_all_fit_into_it() -> None:
    assert fair_window(32, 32, 100, 0.001, FULL) == 8  # ten would fit
    assert fair_window(32, 32, 10, 0.001, FULL) == 32
    assert fair_window(4, 32, 10, 0.001, FULL) == 4


def test_where_it_is_not_used_nobody_is_kept_from_sending() -> None:
    assert fair_window(32, 32, 100, 0.001, EMPTY) == 32
    assert fair_window(4, 32, 100, 0.001, EMPTY) == 8
    assert fair_window(20, 24, 100, 0.001, EMPTY) == 24


def test_between_the_two_it_stays() -> None:
    assert fair_window(16, 32, 100, 0.001, 0.3) == 16


def test_a_device_may_always_send_one_frame() -> None:
    assert fair_window(32, 32, 10_000, 1.0, FULL) == 1


def test_after_a_pause_the_windows_of_all_fit() -> None:
    assert fair_window(0, 32, 100, 0.001, EMPTY) == 8


@given(
    current=st.integers(0, 1_024),
    most=st.integers(1, 1_024),
    connections=st.integers(1, 100_000),
    mean_share=st.floats(1e-9, 1.0),
    use=st.floats(0.0, 2.0),
)
def test_whatever_comes_in_it_is_a_window_and_under_pressure_one_that_fits(
    current: int, most: int, connections: int, mean_share: float, use: float
) -> None:
    window = fair_window(min(current, most), most, connections, mean_share, use)
    assert 1 <= window <= most
    if use >= MUCH_USED:
        assert window == 1 or window * connections * mean_share <= 1 + 1e-9
        assert fair_window(window, most, connections, mean_share, use) == window


def test_a_crowd_is_spread_and_a_single_device_is_not() -> None:
    assert spread_ms(1) <= 10
    assert spread_ms(1_000) == 2_000
    assert spread_ms(10**9) == RETRY_MOST_MS
    assert retry_after_ms(100, 1, 0.0) == 100
    assert retry_after_ms(100, 1_000, 1.0) == 2_200
