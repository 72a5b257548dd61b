"""What the profile makes of py-spy's stacks."""

from __future__ import annotations

from benchmarks.profile import hottest


def test_a_function_has_its_own_share_and_that_of_what_it_calls() -> None:
    stacks = ["main (a.py);send (b.py) 30", "main (a.py) 10"]
    assert hottest(stacks, 2) == [
        ("send (b.py)", 0.75, 0.75),
        ("main (a.py)", 0.25, 1.0),
    ]


def test_threads_that_wait_for_work_are_left_out() -> None:
    stacks = ["run (a.py);_worker (concurrent/futures/thread.py) 90", "main (a.py) 10"]
    assert hottest(stacks, 5) == [("main (a.py)", 1.0, 1.0)]
