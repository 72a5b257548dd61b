"""A reliable connection: order, duplicates, nacks, resume, and the window."""

from __future__ import annotations

import json

import pytest

from ingest.messages import SEQ_MAX
from ingest.settlement import Settlement
from tests.unit.ingest.frames import NOW_MS
from tests.unit.ingest.speech import LIMITS, Speech, frame, hello, opened, plain, reliable

W = LIMITS.in_flight


def ack(seq: int, stored: int = 0) -> dict[str, object]:
    return {"type": "ack", "seq": seq, "stored": stored, "duplicate": 0, "rejected": 0}


def out_of_order(seq: int, expected: int) -> dict[str, object]:
    return {"type": "nack", "seq": seq, "code": "out_of_order", "expected": expected}


def busy(seq: int, retry_after_ms: int = LIMITS.busy_retry_ms) -> dict[str, object]:
    return {"type": "nack", "seq": seq, "code": "busy", "retry_after_ms": retry_after_ms}


def flow(window: int) -> dict[str, object]:
    return {"type": "flow", "in_flight": window}


def test_hello_names_a_stream_and_what_is_held() -> None:
    speech = plain()
    assert speech.say(hello(38, 45)) == []
    said = speech.hello
    assert said is not None
    assert (said.stream, said.first, said.last, said.token) == ("s1", 38, 45, None)


def test_welcome_tells_where_the_stream_goes_on() -> None:
    speech = plain()
    speech.say(hello(38, 45))
    [welcome] = speech.welcome(opened(41, lost=2, stored=500, duplicate=3, rejected=1))
    assert welcome["time"] == NOW_MS
    assert welcome["resume"] == {
        "stream": "s1",
        "committed": 41,
        "lost": 2,
        "stored": 500,
        "duplicate": 3,
        "rejected": 1,
    }
    speech.send(42)
    assert speech.seqs == [42]


@pytest.mark.parametrize(
    "held",
    [
        {"first": 1, "last": 0},
        {"first": 1, "last": 1},
        {"first": 46, "last": 45},
        {"first": SEQ_MAX, "last": SEQ_MAX},
    ],
)
def test_holding_nothing_first_is_one_past_last(held: object) -> None:
    speech = plain()
    speech.say({"type": "hello", "stream": "s1", "held": held})
    assert speech.hello is not None


@pytest.mark.parametrize(
    "held",
    [
        None,
        5,
        [],
        {},
        {"first": 1},
        {"last": 1},
        {"first": 0, "last": 0},
        {"first": 47, "last": 45},
        {"first": 1, "last": -1},
        {"first": 1.0, "last": 1},
        {"first": "1", "last": 1},
        {"first": True, "last": True},
        {"first": 1, "last": SEQ_MAX + 1},
    ],
)
def test_held_of_another_form_closes(held: object) -> None:
    speech = plain()
    [error] = speech.say({"type": "hello", "stream": "s1", "held": held})
    assert speech.closed == 4400
    assert "held" in error["message"]
    assert speech.hello is None


@pytest.mark.parametrize("name", ["a", "Z9_-", "x" * 64])
def test_a_streams_name_is_letters_digits_and_two_signs(name: str) -> None:
    speech = plain()
    speech.say(hello() | {"stream": name})
    assert speech.hello is not None
    assert speech.hello.stream == name


@pytest.mark.parametrize("name", ["", "x" * 65, "a b", "ä", "a\n", 5, True, ["a"]])
def test_a_stream_of_another_name_closes(name: object) -> None:
    speech = plain()
    speech.say(hello() | {"stream": name})
    assert speech.closed == 4400


def test_frames_are_taken_in_order() -> None:
    speech = reliable()
    assert speech.send(1, 2, 3) == []
    assert speech.seqs == [1, 2, 3]


@pytest.mark.parametrize("seq", [None, 0, -1, 1.0, "1", True, [1], SEQ_MAX + 1])
def test_each_frame_has_a_seq_and_the_error_tells_which_is_due(seq: object) -> None:
    speech = reliable(41)
    [error] = speech.say({"seq": seq, "t": 1})
    assert speech.closed == 4400
    assert error["seq"] == 42


def test_an_array_has_no_place_for_a_seq() -> None:
    speech = reliable()
    speech.say([{"values": {"t": 1}}])
    assert speech.closed == 4400


def test_what_was_committed_is_acked_at_once_with_zero_counts() -> None:
    speech = reliable(41)
    assert speech.send(41) == [ack(41)]
    assert speech.send(3) == [ack(41)]
    assert speech.seqs == []


def test_what_was_settled_on_this_connection_is_acked_at_once_too() -> None:
    speech = reliable()
    speech.send(1, 2)
    speech.settle(2, stored=2)
    assert speech.send(1) == [ack(2)]


def test_what_is_in_flight_already_is_ignored() -> None:
    speech = reliable()
    speech.send(1, 2)
    assert speech.send(1, 2) == []
    assert speech.seqs == [1, 2]
    assert speech.session.ignored == 2


def test_a_gap_is_nacked_and_moves_nothing() -> None:
    speech = reliable(41)
    assert speech.send(44) == [out_of_order(44, expected=42)]
    assert speech.seqs == []
    speech.send(42)
    assert speech.seqs == [42]


def test_a_gap_of_any_width_is_nacked() -> None:
    assert reliable(41).send(10_000) == [out_of_order(10_000, expected=42)]


def test_after_a_nack_everything_above_is_dropped_until_the_expected_frame_comes() -> None:
    speech = reliable()
    speech.send(1)
    assert len(speech.send(3)) == 1
    assert speech.send(4, 5) == []
    speech.send(2)
    assert speech.send(4) == [out_of_order(4, expected=3)]
    assert speech.seqs == [1, 2]


def test_what_was_dropped_after_a_nack_is_taken_when_it_is_sent_again() -> None:
    speech = reliable()
    speech.send(2, 3)
    assert speech.send(1, 2, 3) == []
    assert speech.seqs == [1, 2, 3]


def test_a_nack_does_not_hide_what_was_committed() -> None:
    speech = reliable(5)
    speech.send(8)
    assert speech.send(5) == [ack(5)]


def test_above_the_window_a_frame_is_nacked_as_busy_and_stays_expected() -> None:
    speech = reliable()
    speech.send(*range(1, W + 1))
    assert speech.send(W + 1) == [busy(W + 1)]
    assert speech.send(W + 2) == []
    speech.settle(1)
    assert speech.send(W + 1) == []
    assert speech.seqs == list(range(1, W + 2))


def test_a_frame_that_is_sent_again_too_early_is_nacked_again() -> None:
    speech = reliable()
    speech.send(*range(1, W + 1))
    assert speech.send(W + 1, W + 1) == [busy(W + 1), busy(W + 1)]


def test_a_frame_is_nacked_as_busy_when_the_hub_has_no_room() -> None:
    speech = reliable()
    speech.refusal = ("busy", 700)
    assert speech.send(1, 2) == [busy(1, 700)]
    speech.refusal = None
    speech.send(1, 2)
    assert speech.seqs == [1, 2]


def test_a_taken_frame_is_never_nacked() -> None:
    speech = reliable()
    speech.send(1, 2)
    speech.refusal = ("busy", 700)
    assert speech.send(1, 2) == []


def test_why_the_hub_takes_nothing_is_told_in_the_nack() -> None:
    speech = reliable()
    speech.refusal = ("rate_limited", 1_234)
    [nack] = speech.send(1, 2)
    assert nack == busy(1, 1_234) | {"code": "rate_limited"}
    assert speech.seqs == []


def test_a_new_window_is_told_once_and_held_to() -> None:
    speech = reliable()
    assert speech.flow(1) == [flow(1)]
    assert speech.flow(1) == []
    assert speech.send(1, 2) == [busy(2)]
    assert speech.flow(2) == [flow(2)]
    assert speech.send(2) == []


def test_a_window_of_nothing_pauses_and_closes_nobody_who_keeps_trying() -> None:
    speech = reliable()
    speech.send(1)
    assert speech.flow(0) == [flow(0)]
    for _ in range(10):
        assert speech.send(*range(2, W + 1)) == [busy(2)]
    assert speech.settle(1) == [ack(1)]
    assert speech.flow(W) == [flow(W)]
    assert speech.send(2) == []
    assert speech.closed is None


def test_what_was_on_its_way_when_the_window_closed_is_within_the_largest_it_was_told() -> None:
    speech = reliable()
    speech.flow(0)
    assert len(speech.send(*range(1, 2 * W + 1))) == 1
    [error] = speech.send(2 * W + 1)
    assert (speech.closed, error["code"]) == (4429, "window_exceeded")


def test_a_window_that_grew_counts_as_the_largest_from_then_on() -> None:
    speech = reliable()
    speech.flow(2 * W)
    speech.flow(1)
    speech.send(*range(1, 4 * W + 1))
    assert speech.closed is None
    speech.send(4 * W + 1)
    assert speech.closed == 4429


def test_a_window_that_was_never_told_counts_for_nothing() -> None:
    speech = Speech()
    speech.flow(0)
    speech.say(hello())
    [welcome] = speech.welcome(opened())
    assert welcome["limits"]["in_flight"] == 0
    assert len(speech.send(1, 2)) == 1
    speech.send(3)
    assert speech.closed == 4429


def test_beyond_twice_the_window_it_closes() -> None:
    speech = reliable()
    assert len(speech.send(*range(1, 2 * W + 1))) == 1
    [error] = speech.send(2 * W + 1)
    assert (speech.closed, error["code"]) == (4429, "window_exceeded")


def test_a_device_that_never_sends_what_is_expected_is_closed_in_the_end() -> None:
    speech = reliable()
    speech.send(*range(2, 2 * W + 2))
    assert speech.closed is None
    speech.send(2 * W + 2)
    assert speech.closed == 4429


def test_a_device_that_keeps_to_its_window_is_nacked_as_often_as_need_be() -> None:
    speech = reliable()
    speech.refusal = ("busy", 700)
    for _ in range(10):
        assert speech.send(*range(1, W + 1)) == [busy(1, 700)]
    assert speech.closed is None


def test_what_cannot_be_read_closes_and_tells_which_seq_is_due() -> None:
    speech = reliable(41)
    speech.send(42)
    [error] = speech.say("{")
    assert speech.closed == 4400
    assert (error["type"], error["code"], error["seq"]) == ("error", "bad_message", 43)


def test_while_a_nack_is_outstanding_no_seq_is_told() -> None:
    speech = reliable()
    speech.send(2)
    [error] = speech.say("{")
    assert speech.closed == 4400
    assert "seq" not in error


def test_when_the_expected_frame_has_come_the_seq_is_told_again() -> None:
    speech = reliable()
    speech.send(2, 1)
    [error] = speech.say("{")
    assert error["seq"] == 2


def test_a_binary_message_is_one_that_cannot_be_read() -> None:
    speech = reliable()
    speech.session.refuse_form("a message is JSON in a text frame, this one is binary")
    [error] = speech.hear()
    assert (speech.closed, error["seq"]) == (4400, 1)


def test_a_second_hello_closes_and_blames_no_frame() -> None:
    speech = reliable()
    [error] = speech.say(hello())
    assert speech.closed == 4400
    assert "seq" not in error


def test_a_frame_that_can_be_read_is_always_settled_if_need_be_all_refused() -> None:
    speech = reliable()
    assert speech.say({"seq": 1, "readings": 5}) == []
    assert speech.say({"seq": 2, "type": "goodbye"}) == []
    assert speech.say({"seq": 3, "senml": [{"n": "t", "v": 1}]}) == []
    assert speech.seqs == [1, 2, 3]
    codes = [[r.code.value for r in taken.frame.refusals] for taken in speech.taken]
    assert codes == [["bad_frame"], ["bad_frame"], ["unsupported"]]


def test_the_ack_names_what_the_writer_says_was_refused() -> None:
    speech = reliable()
    speech.say({"seq": 1, "t": [], "h": 1})
    [refusal] = speech.taken[0].frame.refusals
    speech.session.settle(Settlement(None, 1, 1, 0, 1, refusals=[(1, refusal)]))
    [told] = speech.hear()
    assert (told["stored"], told["rejected"]) == (1, 1)
    assert [(e["seq"], e["sample"], e["metric"], e["code"]) for e in told["errors"]] == [
        (1, 0, "t", "bad_value")
    ]


def test_what_another_hub_took_over_is_not_acked() -> None:
    speech = reliable()
    speech.send(1)
    speech.session.settle(Settlement(None, 1, fenced=True))
    [error] = speech.hear()
    assert (speech.closed, error["code"]) == (4409, "replaced")


def test_the_writer_settles_in_order() -> None:
    speech = reliable()
    speech.send(1, 2)
    speech.settle(2)
    for through in (1, 2, 3):
        with pytest.raises(AssertionError):
            speech.settle(through)


def test_a_hello_for_a_token_alone_makes_no_stream() -> None:
    speech = Speech(authenticated=False)
    speech.say({"type": "hello", "token": "weir_x", "stream": None})
    speech.welcome(None)
    assert speech.say(frame()) == []
    assert speech.seqs == [1]


def test_frames_are_bounded_by_the_announced_readings() -> None:
    speech = reliable()
    columns = {"ts": [NOW_MS] * 101, "t": [1] * 101}
    text = json.dumps({"seq": 1, "columns": columns}).replace(" ", "")
    speech.session.limits = type(LIMITS)(frame_bytes=10_000, frame_readings=100)
    speech.say(text)
    [refusal] = speech.taken[0].frame.refusals
    assert (refusal.code.value, refusal.count) == ("bad_frame", 101)
