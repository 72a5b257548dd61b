"""Each run's readings have a stretch of time of their own, with a minute's end in its midst."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from benchmarks.timeline import FIRST_FRAME_S, Timeline

SPANS = st.tuples(st.floats(0, 120), st.floats(0, 120), st.floats(0, 60))


@given(st.floats(1e9, 2e9), st.lists(SPANS, max_size=8))
def test_runs_never_overlap_and_meet_the_end_of_a_minute(
    now_s: float, spans: list[tuple[float, float, float]]
) -> None:
    timeline = Timeline(now_s)
    for pause_s, run_s, minute_ends_after_s in spans:
        now_s += pause_s
        behind_s = timeline.behind_s(now_s, minute_ends_after_s)
        assert behind_s >= 0
        assert now_s - behind_s >= timeline.free_from_s + FIRST_FRAME_S - 1e-3
        into_minute_s = (now_s + minute_ends_after_s - behind_s) % 60
        assert min(into_minute_s, 60 - into_minute_s) < 1e-3
        now_s += run_s
        timeline.used_until(now_s - behind_s)
