"""Reading takes its share of the time, whatever it costs."""

from __future__ import annotations

import pytest

from dashboards.live.duty import Duty


@pytest.mark.parametrize("one_s", [0.0002, 0.003, 0.05, 0.7])
def test_reading_as_much_as_is_afforded_takes_its_share_of_the_time(one_s: float) -> None:
    duty, now_s, spent_s = Duty(0.1, 0.2, 0.0), 0.0, 0.0
    for _ in range(10_000):
        now_s += 0.1
        count = min(duty.affords(now_s), 250)
        if count:
            spent_s += count * one_s
            duty.spend(count, count * one_s)
    assert spent_s < 0.11 * now_s
    assert spent_s > 0.08 * now_s


def test_time_that_was_not_spent_is_kept_for_a_moment_only() -> None:
    duty = Duty(0.1, 0.2, 0.0)
    once = duty.affords(0.0)
    assert duty.affords(1_000.0) == once
