"""Buckets of frames, readings and bytes: who is let in, who waits and how long, who is forgotten.

Rates are powers of two and times whole parts of a second, so that nothing is rounded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.rates import RELIEF_S, WAIT_MOST_S, Buckets, Rates

ROOF, CELLAR = 1, 2
NO_LIMIT = Rates(0, 0, 0)


def frames_only(per_s: float, burst_s: float = 8.0) -> Buckets:
    return Buckets(Rates(per_s, 0, 0, burst_s))


def bring(buckets: Buckets, frames: int, now_s: float, device: int = ROOF) -> int:
    """How many of so many frames of one reading are let in."""
    let_in = 0
    for _ in range(frames):
        if not buckets.wait_s(device, now_s):
            buckets.take(device, 1, 100, now_s)
            let_in += 1
    return let_in


def test_a_device_that_was_silent_may_bring_a_burst() -> None:
    assert bring(frames_only(4), 100, 50.0) == 4 * 8


def test_a_bucket_fills_again_at_its_rate() -> None:
    buckets = frames_only(4)
    bring(buckets, 100, 50.0)
    assert bring(buckets, 100, 52.0) == 4 * 2
    assert bring(buckets, 100, 50.0 + 2 + 1_000) == 4 * 8


def test_a_clock_that_does_not_move_gives_no_more() -> None:
    buckets = frames_only(4)
    bring(buckets, 100, 50.0)
    assert bring(buckets, 1_000, 50.0) == 0


def test_a_frame_larger_than_the_bucket_is_let_in_and_leaves_it_in_debt() -> None:
    buckets = Buckets(Rates(0, 16, 0, burst_s=1.0))
    assert not buckets.wait_s(ROOF, 0.0)
    buckets.take(ROOF, 16_000, 1, 0.0)
    assert buckets.wait_s(ROOF, 0.0) == WAIT_MOST_S
    assert buckets.wait_s(ROOF, 999.0) == 0.5
    assert not buckets.wait_s(ROOF, 999.5)


def test_who_waits_as_long_as_it_was_told_finds_room_for_more_than_a_frame() -> None:
    buckets = frames_only(64)
    bring(buckets, 10_000, 50.0)
    wait_s = buckets.wait_s(ROOF, 50.0)
    assert bring(buckets, 10_000, 50.0 + wait_s) == 64 * RELIEF_S


def test_each_device_has_buckets_of_its_own() -> None:
    buckets = frames_only(4)
    bring(buckets, 100, 50.0)
    assert buckets.wait_s(ROOF, 50.0)
    assert bring(buckets, 100, 50.0, CELLAR) == 4 * 8


@pytest.mark.parametrize(
    ("rates", "scarce"),
    [
        (Rates(4, 1_000, 100_000, 1.0), "frames"),
        (Rates(1_000, 4, 100_000, 1.0), "readings"),
        (Rates(1_000, 1_000, 400, 1.0), "bytes"),
    ],
)
def test_each_of_the_three_limits_holds_alone_and_is_named(rates: Rates, scarce: str) -> None:
    buckets = Buckets(rates)
    assert bring(buckets, 10, 0.0) == 4
    assert buckets.scarcest(ROOF) == scarce


def test_without_limits_nobody_waits_or_is_remembered() -> None:
    buckets = Buckets(NO_LIMIT)
    assert bring(buckets, 10_000, 0.0) == 10_000
    assert len(buckets) == 0


def test_hours_of_many_devices_are_not_remembered() -> None:
    """A thousand devices, a frame a second each and others every minute, for three hours."""
    buckets = Buckets(Rates(), sweep_from=64)
    most = 0
    for second in range(3 * 3_600):
        for n in range(10):
            device = 1_000 * (second // 60) + 10 * (second % 60) + n
            assert not buckets.wait_s(device, second)
            buckets.take(device, 100, 1_000, second)
        most = max(most, len(buckets))
    assert most <= 64


def test_who_is_in_debt_is_remembered_however_many_come() -> None:
    buckets = Buckets(Rates(4, 0, 0, 8.0), sweep_from=2)
    bring(buckets, 100, 50.0)
    for device in range(10, 1_000):
        buckets.take(device, 1, 1, 51.0 + device / 1_024)
    assert buckets.wait_s(ROOF, 50.0) > 0


class Step(NamedTuple):
    """Some time passes, and a frame of a device comes."""

    after_s: float
    device: int
    readings: int
    text_bytes: int


@dataclass
class Level:
    """A bucket as one would draw it: what is in it, and when that was."""

    per_s: int
    burst_s: int
    content: float
    at_s: float = 0.0

    def fill(self, now_s: float) -> None:
        self.content = min(
            self.burst_s * self.per_s, self.content + (now_s - self.at_s) * self.per_s
        )
        self.at_s = now_s


steps = st.lists(
    st.builds(
        Step,
        st.integers(0, 64).map(lambda quarters: quarters / 4) | st.just(0.0),
        st.sampled_from([ROOF, CELLAR]),
        st.integers(0, 300),
        st.integers(1, 5_000),
    ),
    max_size=60,
)
powers = st.integers(0, 6).map(lambda n: 2**n)


@given(powers, powers, powers.map(lambda n: 64 * n), st.integers(1, 8), steps)
def test_they_let_in_whom_buckets_with_a_level_would_let_in(
    frames: int, readings: int, of_bytes: int, burst_s: int, steps: list[Step]
) -> None:
    buckets = Buckets(Rates(frames, readings, of_bytes, burst_s))
    rates = (frames, readings, of_bytes)
    drawn = {
        device: [Level(per_s, burst_s, per_s * burst_s) for per_s in rates]
        for device in (ROOF, CELLAR)
    }
    now_s = 0.0
    for step in steps:
        now_s += step.after_s
        levels = drawn[step.device]
        for level in levels:
            level.fill(now_s)
        wait_s = buckets.wait_s(step.device, now_s)
        assert (wait_s == 0) == all(level.content > 0 for level in levels)
        assert wait_s >= 0
        if not wait_s:
            buckets.take(step.device, step.readings, step.text_bytes, now_s)
            for level, taken in zip(levels, (1, step.readings, step.text_bytes), strict=True):
                level.content -= taken


@given(steps)
def test_whoever_waits_as_long_as_it_was_told_is_let_in(steps: list[Step]) -> None:
    buckets = Buckets(Rates(2, 16, 256, 1.0))
    now_s = 0.0
    for step in steps:
        now_s += step.after_s
        now_s += buckets.wait_s(step.device, now_s)
        assert buckets.wait_s(step.device, now_s) == 0
        buckets.take(step.device, step.readings, step.text_bytes, now_s)


@given(steps)
def test_nobody_can_tell_whether_full_buckets_were_forgotten(steps: list[Step]) -> None:
    rates = Rates(2, 16, 256, 4.0)
    forgetful, mindful = Buckets(rates, sweep_from=1), Buckets(rates, sweep_from=1_000)
    now_s = 0.0
    for step in steps:
        now_s += step.after_s
        waits_s = [buckets.wait_s(step.device, now_s) for buckets in (forgetful, mindful)]
        assert waits_s[0] == waits_s[1]
        if not waits_s[0]:
            for buckets in (forgetful, mindful):
                buckets.take(step.device, step.readings, step.text_bytes, now_s)


@given(st.lists(st.integers(0, 16), max_size=200), powers)
def test_in_the_long_run_a_device_brings_its_rate_and_a_burst(
    quarters: list[int], per_s: int
) -> None:
    buckets = frames_only(per_s)
    let_in, now_s = 0, 0.0
    for quarter in quarters:
        now_s += quarter / 4
        let_in += bring(buckets, 40, now_s)
    assert let_in < per_s * (now_s + 8.0) + 1


@given(st.lists(st.integers(4, 64), max_size=100))
def test_a_device_that_keeps_to_its_rate_never_waits(quarters: list[int]) -> None:
    buckets = frames_only(1, burst_s=1.0)
    now_s = 0.0
    for quarter in quarters:
        now_s += quarter / 4
        assert bring(buckets, 1, now_s) == 1
