"""The writer's waiting room: what comes in goes out in order, once, and is counted."""

from __future__ import annotations

import pytest

from ingest.buffer import Buffer, Submission
from ingest.reading import Frame


def submission(seq: int, readings: int = 10, taken_s: float = 0.0) -> Submission:
    return Submission("connection", 1, 1, seq, Frame(readings=readings), taken_s)


def filled(*seqs: int) -> Buffer:
    buffer = Buffer()
    for seq in seqs:
        buffer.add(submission(seq))
    return buffer


def seqs(batch: list[Submission]) -> list[int]:
    return [s.seq for s in batch]


def drained(buffer: Buffer) -> list[int]:
    batch = buffer.take(10**9)
    buffer.settle()
    return seqs(batch)


def test_frames_are_taken_in_the_order_they_came() -> None:
    assert seqs(filled(1, 2, 3).take(1_000)) == [1, 2, 3]


def test_a_batch_ends_with_the_frame_that_fills_it() -> None:
    buffer = filled(1, 2, 3, 4)
    assert seqs(buffer.take(20)) == [1, 2]
    buffer.settle()
    assert seqs(buffer.take(11)) == [3, 4]


def test_a_frame_larger_than_a_batch_is_a_batch() -> None:
    buffer = Buffer()
    buffer.add(submission(1, readings=5_000))
    buffer.add(submission(2))
    assert seqs(buffer.take(20)) == [1]


def test_what_is_kept_goes_back_in_front_in_order() -> None:
    buffer = filled(1, 2)
    batch = buffer.take(1_000)
    buffer.add(submission(3))
    buffer.keep(batch)
    assert drained(buffer) == [1, 2, 3]


def test_what_is_kept_in_part_goes_back_in_front_in_order() -> None:
    buffer = filled(1, 2, 3)
    batch = buffer.take(1_000)
    buffer.add(submission(4))
    buffer.keep(batch[1:])
    assert drained(buffer) == [2, 3, 4]


def test_a_kept_frame_may_have_been_mended() -> None:
    buffer = filled(1, 2)
    batch = buffer.take(1_000)
    buffer.keep([submission(1), batch[1]])
    assert buffer.readings == 20
    assert drained(buffer) == [1, 2]


def test_readings_are_counted_until_they_are_settled() -> None:
    buffer = filled(1, 2, 3)
    assert (len(buffer), buffer.readings) == (3, 30)
    batch = buffer.take(20)
    assert (len(buffer), buffer.readings) == (3, 30)
    buffer.keep(batch[1:])
    assert (len(buffer), buffer.readings) == (2, 20)
    buffer.keep(buffer.take(1_000))
    assert (len(buffer), buffer.readings) == (2, 20)
    assert drained(buffer) == [2, 3]
    assert (len(buffer), buffer.readings) == (0, 0)


def test_one_batch_is_lent_at_a_time() -> None:
    buffer = filled(1, 2)
    buffer.take(10)
    with pytest.raises(AssertionError):
        buffer.take(10)


@pytest.mark.parametrize(("now_s", "due"), [(1.0, False), (1.4, False), (1.5, True)])
def test_a_batch_is_due_when_its_oldest_frame_has_waited_enough(now_s: float, due: bool) -> None:
    buffer = Buffer()
    buffer.add(submission(1, taken_s=1.0))
    buffer.add(submission(2, taken_s=1.375))
    assert buffer.is_due(now_s, 100, 0.5) is due


def test_a_batch_is_due_when_enough_waits() -> None:
    assert not filled(1, 2).is_due(0, 21, 500)
    assert filled(1, 2, 3).is_due(0, 21, 500)


def test_nothing_is_due_when_nothing_waits() -> None:
    buffer = filled(1)
    assert not Buffer().is_due(10**9, 0, 0)
    buffer.take(1_000)
    assert not buffer.is_due(10**9, 0, 0)


def test_frames_without_readings_are_due_by_age_too() -> None:
    buffer = Buffer()
    buffer.add(submission(1, readings=0))
    assert buffer.is_due(500, 100, 500)
    assert drained(buffer) == [1]
