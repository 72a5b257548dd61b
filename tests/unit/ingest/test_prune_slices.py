"""What is due is cut into slices that together are all of it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ingest.prune import slices as module
from ingest.prune.dues import Due
from ingest.prune.slices import slices
from ingest.retention import HOUR_US

MOST = 10
counts = st.lists(st.integers(1, 15), max_size=8)


@given(st.lists(counts, min_size=1, max_size=5), st.integers(2, 4))
def test_slices_are_all_that_is_due_and_none_is_large(
    of_series: list[list[int]], most: int
) -> None:
    dues = [Due(number, 0, 20 * HOUR_US) for number in range(len(of_series))]
    readings = {
        (number, 2 * hour * HOUR_US): count
        for number, its in enumerate(of_series)
        for hour, count in enumerate(its)
    }

    def inside(due: Due) -> list[tuple[int, int]]:
        return [
            (start_us, count)
            for (series_id, start_us), count in sorted(readings.items())
            if series_id == due.series_id and due.from_us <= start_us < due.to_us
        ]

    was, module.HOURS_AT_ONCE = module.HOURS_AT_ONCE, most  # type: ignore[misc]
    try:
        found = list(slices(dues, lambda due: inside(due)[:most], MOST))
    finally:
        module.HOURS_AT_ONCE = was  # type: ignore[misc]
    reached = dict.fromkeys(range(len(dues)), 0)
    for some in found:
        hours = [count for due in some for _, count in inside(due)]
        assert sum(hours) <= MOST or len(hours) == 1
        for due in some:
            assert reached[due.series_id] == due.from_us < due.to_us
            reached[due.series_id] = due.to_us
    assert set(reached.values()) == {20 * HOUR_US}
