"""A plain connection: every message a frame, numbered by the hub; and how any connection begins."""

from __future__ import annotations

import pytest

from tests.unit.ingest.frames import NOW_MS
from tests.unit.ingest.speech import LIMITS, Speech, frame, hello, plain

ACK = {"type": "ack", "stored": 0, "duplicate": 0, "rejected": 0}


def test_frames_are_numbered_by_the_hub() -> None:
    speech = plain()
    for _ in range(3):
        assert speech.say({"t": 1}) == []
    assert speech.seqs == [1, 2, 3]


def test_an_ack_comes_when_the_writer_has_settled_and_not_before() -> None:
    speech = plain()
    speech.say({"t": 1})
    speech.say({"t": 1})
    assert speech.settle(1, stored=1) == [ACK | {"seq": 1, "stored": 1}]
    assert speech.settle(2, stored=1) == [ACK | {"seq": 2, "stored": 1}]


def test_one_ack_may_settle_many_frames() -> None:
    speech = plain()
    for _ in range(3):
        speech.say({"t": 1})
    assert speech.settle(3, stored=3) == [ACK | {"seq": 3, "stored": 3}]


def test_a_frame_with_nothing_to_store_is_settled_too() -> None:
    speech = plain()
    speech.say({})
    assert speech.seqs == [1]
    assert speech.settle(1) == [ACK | {"seq": 1}]


def test_an_array_is_a_frame() -> None:
    speech = plain()
    speech.say([{"values": {"t": 1}}])
    assert speech.taken[0].frame.readings == 1


def test_a_seq_belongs_to_reliable_connections() -> None:
    speech = plain()
    [error] = speech.say(frame(1))
    assert speech.closed == 4400
    assert error["type"] == "error"
    assert error["code"] == "bad_message"
    assert "hello with a stream" in error["message"]
    assert "seq" not in error


@pytest.mark.parametrize("text", ["", "5", '"t"', "{", '{"t":1'])
def test_what_cannot_be_read_closes(text: str) -> None:
    speech = plain()
    [error] = speech.say(text)
    assert speech.closed == 4400
    assert error["code"] == "bad_message"
    assert "seq" not in error


def test_a_frame_larger_than_announced_closes() -> None:
    speech = plain()
    assert speech.say(" " * (LIMITS.frame_bytes - 2) + "{}") == []
    [error] = speech.say(" " * (LIMITS.frame_bytes - 1) + "{}")
    assert (speech.closed, error["code"]) == (4413, "frame_too_large")
    assert str(LIMITS.frame_bytes) in error["message"]


def test_the_size_of_a_frame_is_in_bytes() -> None:
    speech = plain()
    speech.say('{"t":"' + "ü" * (LIMITS.frame_bytes // 2) + '"}')
    assert speech.closed == 4413


def test_a_plain_frame_is_never_nacked_beyond_its_window_it_is_held() -> None:
    speech = plain()
    for _ in range(LIMITS.in_flight):
        assert speech.say({"t": 1}) == []
    assert speech.held == 0
    for held in (1, 2, 3):
        assert speech.say({"t": 1}) == []
        assert speech.held == held
    assert len(speech.taken) == LIMITS.in_flight
    assert speech.closed is None


def test_acks_make_room_in_the_window() -> None:
    speech = plain()
    for _ in range(LIMITS.in_flight):
        speech.say({"t": 1})
    speech.say({"t": 2})
    speech.settle(1)
    speech.say({"t": 2})
    assert speech.seqs == list(range(1, LIMITS.in_flight + 2))


@pytest.mark.parametrize("code", ["busy", "rate_limited"])
def test_a_plain_frame_is_held_while_the_hub_takes_none(code: str) -> None:
    speech = plain()
    speech.refusal = (code, 100)
    assert speech.say({"t": 1}) == []
    assert (speech.held, speech.seqs, speech.closed) == (1, [], None)
    speech.refusal = None
    assert speech.say({"t": 1}) == []
    assert (speech.held, speech.seqs) == (1, [1])


def test_a_plain_connection_hears_of_no_window_and_keeps_to_it() -> None:
    speech = plain()
    assert speech.flow(0) == []
    speech.say({"t": 1})
    assert speech.held == 1
    assert speech.flow(1) == []
    speech.say({"t": 1})
    assert speech.seqs == [1]


def test_what_is_no_frame_closes_and_is_not_held() -> None:
    speech = plain()
    speech.refusal = ("busy", 100)
    assert len(speech.say("{")) == 1
    assert (speech.held, speech.closed) == (0, 4400)


def test_nothing_is_taken_before_a_token_was_shown() -> None:
    speech = Speech(authenticated=False)
    [error] = speech.say({"t": 1})
    assert (speech.closed, error["code"]) == (4401, "token_missing")
    assert speech.taken == []


def test_hello_shows_a_token() -> None:
    speech = Speech(authenticated=False)
    assert speech.say({"type": "hello", "token": "weir_x"}) == []
    assert speech.hello is not None
    assert (speech.hello.token, speech.hello.stream) == ("weir_x", None)


def test_a_welcome_without_a_stream_tells_the_time_and_the_limits() -> None:
    speech = Speech(authenticated=False)
    speech.say({"type": "hello", "token": "weir_x"})
    assert speech.welcome(None) == [
        {
            "type": "welcome",
            "session": "session",
            "time": NOW_MS,
            "limits": LIMITS.announced(),
        }
    ]
    speech.say({"t": 1})
    assert speech.seqs == [1]


def test_hello_comes_once() -> None:
    speech = plain()
    speech.say({"type": "hello"})
    speech.welcome(None)
    speech.say({"type": "hello"})
    assert speech.closed == 4400


def test_hello_comes_before_any_frame() -> None:
    speech = plain()
    speech.say({"t": 1})
    speech.say(hello())
    assert speech.closed == 4400


def test_an_unreadable_message_is_no_hello() -> None:
    speech = Speech(authenticated=False)
    speech.say("x")
    assert speech.closed == 4400


@pytest.mark.parametrize("token", [5, True, ["x"], {}])
def test_a_token_is_a_text(token: object) -> None:
    speech = Speech(authenticated=False)
    speech.say({"type": "hello", "token": token})
    assert speech.closed == 4400


def test_after_a_close_nothing_is_taken_and_nothing_is_said() -> None:
    speech = plain()
    speech.say({"t": 1})
    speech.session.fail(4403, "token_revoked", "this token has been revoked")
    assert [reply["code"] for reply in speech.hear()] == ["token_revoked"]
    assert speech.say({"t": 1}) == []
    assert speech.say("not JSON") == []
    assert speech.welcome(None) == []
    assert speech.settle(1, stored=1) == []
    assert speech.seqs == [1]
    assert speech.closed == 4403


def test_the_first_reason_to_close_stands() -> None:
    speech = plain()
    speech.session.fail(4403, "token_revoked", "this token has been revoked")
    speech.session.fail(4409, "replaced", "another connection has taken this stream over")
    assert speech.closed == 4403
    assert len(speech.hear()) == 1


def test_trouble_of_the_hubs_own_says_when_to_come_back() -> None:
    speech = plain()
    speech.session.fail(4503, "unavailable", "not now", retry_after_ms=1_000)
    [error] = speech.hear()
    assert error["retry_after_ms"] == 1_000
