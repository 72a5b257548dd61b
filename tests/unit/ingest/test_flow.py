"""The budget of what is taken and not committed, and the window that follows from it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ingest.flow import (
    FRAME_LEAST_BYTES,
    GROWTH_MARGIN,
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


def test_without_devices_or_frames_the_window_is_the_largest() -> None:
    assert fair_window(32, 32, 0, 0.1) == 32
    assert fair_window(32, 32, 1_000, 0.0) == 32
    assert fair_window(24, 24, 1_000, 0.0) == 24


def test_the_windows_of_all_fit_into_the_budget() -> None:
    assert fair_window(32, 32, 100, 0.001) == 8  # ten would fit
    assert fair_window(32, 32, 10, 0.001) == 32


def test_a_device_may_always_send_one_frame() -> None:
    assert fair_window(32, 32, 10_000, 1.0) == 1


def test_it_grows_where_there_is_room_to_spare_and_swings_not() -> None:
    assert fair_window(8, 32, 100, 1 / 1_700) == 8  # 17 would fit, but hardly
    assert fair_window(8, 32, 100, 1 / 2_100) == 16
    assert fair_window(16, 32, 100, 1 / 1_700) == 16
    assert fair_window(16, 32, 100, 1 / 1_500) == 8


def test_it_opens_from_nothing() -> None:
    assert fair_window(0, 32, 100, 0.001) == 8
    assert fair_window(0, 32, 0, 0.0) == 32


@given(
    current=st.integers(0, 1_024),
    most=st.integers(1, 1_024),
    connections=st.integers(1, 100_000),
    mean_share=st.floats(1e-9, 1.0),
)
def test_whatever_comes_in_it_is_a_window_that_fits_and_stays(
    current: int, most: int, connections: int, mean_share: float
) -> None:
    current = min(current, most)
    window = fair_window(current, most, connections, mean_share)
    assert 1 <= window <= most
    assert window == 1 or window * connections * mean_share <= 1 + 1e-9
    assert fair_window(window, most, connections, mean_share) == window
    # A change of a tenth either way never swings it there and back.
    nudged = fair_window(window, most, connections, mean_share / (GROWTH_MARGIN - 0.1))
    assert fair_window(nudged, most, connections, mean_share) >= min(window, nudged)


def test_a_crowd_is_spread_and_a_single_device_is_not() -> None:
    assert spread_ms(1) <= 10
    assert spread_ms(1_000) == 2_000
    assert spread_ms(10**9) == RETRY_MOST_MS
    assert retry_after_ms(100, 1, 0.0) == 100
    assert retry_after_ms(100, 1_000, 1.0) == 2_200
