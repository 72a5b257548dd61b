"""What the board knows of the hubs that it hears."""

from __future__ import annotations

from dashboards.live.hubs import HUBS_KEPT, Hubs


def test_a_gap_in_a_hubs_numbers_is_a_summary_that_was_lost() -> None:
    hubs = Hubs(1.0, 30.0)
    heard = [hubs.hear(hub, number, None, 0.0) for hub, number in
             [("a", 7), ("a", 8), ("b", 1), ("a", 10), ("b", 2), ("a", 11), ("a", 11)]]  # fmt: skip
    assert heard == [False, False, False, True, False, False, False]


def test_the_slowest_commit_of_the_hubs_that_spoke_lately_is_told() -> None:
    hubs = Hubs(1.0, 30.0)
    assert hubs.commit_ms(0.0) is None
    hubs.hear("a", 1, 9.0, 0.0)
    hubs.hear("b", 1, 4.0, 2.0)
    assert hubs.commit_ms(2.0) == 9.0
    assert hubs.commit_ms(4.0) == 4.0
    hubs.hear("b", 2, None, 4.5)
    assert hubs.commit_ms(4.5) is None


def test_a_hub_that_fell_silent_is_gone_once() -> None:
    hubs = Hubs(1.0, 30.0)
    hubs.hear("a", 1, None, 0.0)
    hubs.hear("b", 1, None, 0.0)
    assert hubs.several
    hubs.hear("b", 2, None, 31.0)
    assert hubs.lose_silent(31.0) == ["a"]
    assert hubs.lose_silent(31.0) == []
    assert not hubs.several


def test_hubs_that_start_again_for_ever_are_not_all_remembered() -> None:
    hubs = Hubs(1.0, 30.0)
    for number in range(3 * HUBS_KEPT):
        hubs.hear(f"hub-{number}", 1, 1.0, 0.0)
    assert hubs.lose_silent(1.0) == [f"hub-{number}" for number in range(2 * HUBS_KEPT)]
    assert hubs.lose_silent(1.0) == []


def test_a_hub_that_spoke_before_it_was_heard_was_missed() -> None:
    hubs = Hubs(1.0, 30.0)
    assert not hubs.missed("new", 1)
    assert hubs.missed("older", 7)
    hubs.hear("older", 7, None, 0.0)
    assert not hubs.missed("older", 9)  # that is a gap
    hubs.forget("older")
    assert hubs.missed("older", 10)
