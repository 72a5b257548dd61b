"""Frames out of a trace: what counts, once, and for which frame."""

from __future__ import annotations

from typing import Any

from benchmarks.frames import BEGIN, Frame, frames, share


def event(name: str, ts: int, dur: int = 0, *, tid: int = 1, on_us: int | None = None) -> Any:
    on_us = dur if on_us is None else on_us
    return {"name": name, "ph": "X", "pid": 1, "tid": tid, "ts": ts, "dur": dur, "tdur": on_us}


def begin(ts: int, tid: int = 1) -> Any:
    name, phase = BEGIN
    return {"name": name, "ph": phase, "pid": 1, "tid": tid, "ts": ts}


def test_time_counts_for_the_frame_that_it_begins_in() -> None:
    trace = [begin(0), event("TimerFire", 10, 2000), begin(5000), event("Layout", 5001, 1000)]
    assert frames([*trace, begin(9000)]) == [Frame(2, 0), Frame(0, 1)]


def test_what_is_inside_another_counts_once() -> None:
    inside = [event("FunctionCall", 20, 500), event("Layout", 600, 300)]
    trace = [begin(0), event("FireAnimationFrame", 10, 2000), *inside, begin(5000)]
    assert frames(trace) == [Frame(2, 0)]


def test_time_that_the_thread_did_not_have_is_not_its_own() -> None:
    trace = [begin(0), event("TimerFire", 10, 9000, on_us=1000), begin(20_000)]
    assert frames(trace) == [Frame(1, 0)]


def test_other_threads_do_not_count() -> None:
    trace = [begin(0), event("FunctionCall", 10, 2000, tid=2), begin(5000)]
    assert frames([*trace, begin(1, tid=2)]) == [Frame(0, 0)]


def test_a_page_that_draws_nothing_has_no_frames() -> None:
    assert frames([event("TimerFire", 10, 2000)]) == []


def test_a_share_is_a_value_that_was_measured() -> None:
    values = [float(number) for number in range(1, 101)]
    assert (share(values, 0.5), share(values, 0.95), share(values, 1)) == (51, 96, 100)
