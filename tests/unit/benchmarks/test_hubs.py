"""What is worked out of several hubs' runs."""

from __future__ import annotations

from benchmarks.hubs import PARTS, Figures, medians, spread, table


def run(processes: int, cpu: float) -> Figures:
    """One that spent so much in each part."""
    return Figures(processes, 50_000.0, 9.5, 21.0, dict.fromkeys(PARTS, cpu), 0.0)


def test_there_is_a_row_for_each_number_of_hubs_with_the_medians() -> None:
    measured = [run(4, 2.0), run(1, 1.0), run(1, 9.0), run(1, 1.5)]
    rows = medians(measured)
    assert [(row.processes, row.total) for row in rows] == [(1, 6.0), (4, 8.0)]


def test_the_spread_is_between_the_dearest_and_the_cheapest() -> None:
    assert round(spread([run(1, 1.1), run(2, 1.0), run(4, 1.15)]), 6) == 0.15


def test_a_row_says_who_spent_what() -> None:
    head, row = table([run(2, 1.25)]).splitlines()
    assert len(head) == len(row)
    assert row.split() == ["2", "50,000", "5.00", *["1.25"] * 4, "9.5", "21.0", "0%"]
