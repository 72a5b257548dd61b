"""What levels off, and what goes on growing."""

from __future__ import annotations

from faults.levels import level


def test_what_grew_at_first_has_levelled_off() -> None:
    looks = [*range(100), *[100] * 200]
    assert level(looks) == (100, 100)
    assert level(looks).holds(0)


def test_what_goes_on_growing_has_not() -> None:
    assert not level(range(300)).holds(0)


def test_one_high_look_is_no_growth() -> None:
    assert level([10] * 290 + [1_000] * 3 + [10] * 7).holds(0)


def test_a_small_figure_may_grow_by_what_is_spare() -> None:
    looks = [3] * 200 + [5] * 100
    assert not level(looks).holds(0)
    assert level(looks).holds(2)
