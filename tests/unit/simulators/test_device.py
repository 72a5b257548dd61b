"""A device's rules: what it says, sends, keeps and gives up."""

from __future__ import annotations

import itertools
from typing import Any

import orjson
import pytest

from simulators.device import Device
from simulators.notes import Dropped, Frame, Outcome, Renamed, Resumed, SetAside, Settled
from tests.schema import is_what_a_hub_says
from tests.unit.simulators.hub import LIMITS

CLEAN_OUTCOME = {"stored": 0, "duplicate": 0, "rejected": 0}


class Bench:
    """A device, and a hub's answers in words; the clock stands unless told."""

    def __init__(self, **options: Any) -> None:
        names = itertools.count(1)
        self.device = Device("d1", name=lambda: f"name{next(names)}", **options)
        self.now_s = 100.0

    def make(self, count: int = 1) -> None:
        for _ in range(count):
            self.device.add(b'"readings":[{"ts":1,"values":{"a":1}}]}', 1, self.now_s)

    def hear(self, **message: Any) -> None:
        self.device.received(orjson.dumps(is_what_a_hub_says(message)), self.now_s)

    def connect(self) -> dict[str, Any]:
        self.device.connected()
        (hello,) = self.device.take_control()
        answer: dict[str, Any] = orjson.loads(hello)
        return answer

    def welcome(self, committed: int = 0, in_flight: int = 4, **counts: int) -> None:
        resume = {"stream": self.device.stream, "committed": committed, "lost": 0}
        self.hear(
            type="welcome",
            session="s",
            time=1,
            resume=resume | CLEAN_OUTCOME | counts,
            limits=LIMITS | {"in_flight": in_flight},
        )

    def ack(self, seq: int, stored: int = 0, **fields: Any) -> None:
        self.hear(**({"type": "ack", "seq": seq} | CLEAN_OUTCOME | {"stored": stored} | fields))

    def sent(self) -> list[int]:
        return [frame.seq for frame in self.device.take_frames(self.now_s)]


@pytest.fixture
def bench() -> Bench:
    return Bench()


def online(**options: Any) -> Bench:
    bench = Bench(**options)
    bench.connect()
    bench.welcome()
    bench.device.take_notes()
    return bench


def test_the_first_hello_holds_nothing(bench: Bench) -> None:
    assert bench.connect() == {
        "type": "hello",
        "stream": "name1",
        "held": {"first": 1, "last": 0},
    }


def test_hello_names_what_is_held(bench: Bench) -> None:
    bench.make(3)
    assert bench.connect()["held"] == {"first": 1, "last": 3}


def test_nothing_is_sent_before_the_welcome(bench: Bench) -> None:
    bench.make()
    bench.connect()
    assert bench.sent() == []
    bench.welcome()
    assert bench.sent() == [1]


def test_a_body_begins_with_its_number() -> None:
    bench = online()
    bench.make(2)
    bodies = [frame.body for frame in bench.device.take_frames(bench.now_s)]
    assert bodies[1] == b'{"seq":2,"readings":[{"ts":1,"values":{"a":1}}]}'
    assert orjson.loads(bodies[0])["seq"] == 1


def test_no_more_than_the_window_is_in_flight() -> None:
    bench = online()
    bench.make(6)
    assert bench.sent() == [1, 2, 3, 4]
    assert bench.sent() == []
    bench.ack(2)
    assert bench.sent() == [5, 6]


def test_the_device_may_keep_a_smaller_window_than_announced() -> None:
    bench = online(window_cap=2)
    bench.make(6)
    assert bench.sent() == [1, 2]


def test_flow_of_zero_pauses_and_flow_resumes() -> None:
    bench = online()
    bench.hear(type="flow", in_flight=0)
    bench.make(3)
    assert bench.sent() == []
    bench.hear(type="flow", in_flight=2)
    assert bench.sent() == [1, 2]


def test_a_pause_stops_what_is_sent_again_too() -> None:
    bench = online()
    bench.make(4)
    bench.sent()
    bench.hear(type="flow", in_flight=0)
    bench.hear(type="nack", seq=2, code="busy", retry_after_ms=10)
    bench.now_s += 60
    assert bench.sent() == []
    bench.ack(1)
    bench.hear(type="flow", in_flight=4)
    assert bench.sent() == [2, 3, 4]


def test_a_hub_may_welcome_with_a_pause() -> None:
    bench = Bench()
    bench.make()
    bench.connect()
    bench.welcome(in_flight=0)
    assert bench.sent() == []
    bench.hear(type="flow", in_flight=1)
    assert bench.sent() == [1]


def test_a_flow_does_not_widen_the_devices_own_window() -> None:
    bench = online(window_cap=2)
    bench.make(6)
    bench.hear(type="flow", in_flight=32)
    assert bench.sent() == [1, 2]


def test_a_window_that_shrinks_lets_acks_come_before_more_is_sent() -> None:
    bench = online()
    bench.make(8)
    assert bench.sent() == [1, 2, 3, 4]
    bench.hear(type="flow", in_flight=2)
    bench.ack(2)
    assert bench.sent() == []
    bench.ack(3)
    assert bench.sent() == [5]


def test_room_counts_what_waits_in_the_spool() -> None:
    bench = online()
    assert bench.device.room == 4
    bench.make(3)
    assert bench.device.room == 1
    bench.sent()
    bench.ack(3)
    assert bench.device.room == 4


def test_an_ack_settles_every_frame_up_to_its_number() -> None:
    bench = online()
    bench.make(3)
    bench.sent()
    bench.ack(2, stored=1, duplicate=1)
    (note,) = bench.device.take_notes()
    assert isinstance(note, Settled)
    assert note.through == 2
    assert note.outcome == Outcome(1, 1, 0)
    assert [frame.seq for frame in note.frames] == [1, 2]
    assert [frame.seq for frame in bench.device.spool] == [3]


def test_refusals_in_an_ack_are_counted_by_code() -> None:
    bench = online()
    bench.make()
    bench.sent()
    conflicts = {"seq": 1, "code": "conflict", "message": "…", "count": 3}
    seconds = {"seq": 1, "code": "ts_unit", "message": "…"}
    bench.ack(1, rejected=4, errors=[conflicts, seconds])
    assert bench.device.errors == {"conflict": 3, "ts_unit": 1}


@pytest.mark.parametrize("code", ["busy", "rate_limited"])
def test_a_nack_goes_back_to_its_frame_after_the_time_asked_for(code: str) -> None:
    bench = online()
    bench.make(4)
    bench.sent()
    bench.ack(1)
    bench.hear(type="nack", seq=2, code=code, retry_after_ms=750)
    assert bench.sent() == []
    bench.now_s += 0.74
    assert bench.sent() == []
    bench.now_s += 0.02
    assert bench.sent() == [2, 3]


def test_an_out_of_order_nack_goes_back_to_what_is_expected() -> None:
    bench = online()
    bench.make(4)
    bench.sent()
    bench.hear(type="nack", seq=4, code="out_of_order", expected=2)
    assert bench.sent() == [2]


def test_a_nack_halves_the_frames_in_flight_and_acks_bring_them_back() -> None:
    bench = online()
    bench.make(20)
    assert len(bench.sent()) == 4
    bench.hear(type="nack", seq=1, code="busy", retry_after_ms=1)
    bench.now_s += 1
    assert bench.sent() == [1, 2]
    in_flight = []
    for seq in range(1, 12):
        bench.ack(seq)
        bench.sent()
        in_flight.append(bench.device.in_flight)
    assert in_flight == sorted(in_flight)
    assert in_flight[-1] == 4


def test_a_nack_of_a_settled_frame_is_ignored() -> None:
    bench = online()
    bench.make(2)
    bench.sent()
    bench.ack(2)
    bench.hear(type="nack", seq=1, code="busy", retry_after_ms=750)
    bench.make()
    assert bench.sent() == [3]


def test_a_reconnect_forgets_the_pause_of_a_nack() -> None:
    bench = online()
    bench.make(2)
    bench.sent()
    bench.hear(type="nack", seq=1, code="busy", retry_after_ms=60_000)
    bench.device.disconnected(1006)
    bench.connect()
    bench.welcome()
    assert bench.sent() == [1, 2]


def test_after_a_reconnect_what_is_committed_is_dropped_and_the_rest_resent_in_order() -> None:
    bench = online()
    bench.make(4)
    before = bench.device.take_frames(bench.now_s)
    bench.device.disconnected(1006)
    assert bench.connect()["held"] == {"first": 1, "last": 4}
    bench.welcome(committed=2, stored=2)
    after = bench.device.take_frames(bench.now_s)
    assert [frame.seq for frame in after] == [3, 4]
    assert [frame.body for frame in after] == [frame.body for frame in before[2:]]


def test_a_resume_tells_the_counts_whose_ack_was_lost() -> None:
    bench = online()
    bench.make(4)
    bench.sent()
    bench.ack(1, stored=1)
    bench.device.take_notes()
    bench.device.disconnected(1006)
    bench.connect()
    bench.welcome(committed=3, stored=2, rejected=1)
    (note,) = bench.device.take_notes()
    assert isinstance(note, Resumed)
    assert note.totals == Outcome(2, 0, 1)
    assert note.news == Outcome(1, 0, 1)
    assert [frame.seq for frame in note.frames] == [2, 3]


def test_a_stream_the_hub_had_forgotten_tells_no_news() -> None:
    bench = online()
    bench.make(2)
    bench.sent()
    bench.ack(2, stored=2)
    bench.device.disconnected(1006)
    bench.connect()
    bench.welcome(committed=2)
    note = bench.device.take_notes()[-1]
    assert isinstance(note, Resumed)
    assert note.news == Outcome()


def test_what_the_hub_counts_as_lost_is_news_once() -> None:
    bench = Bench(spool_frames=2)
    bench.make(5)
    told = []
    for _ in range(2):
        bench.connect()
        bench.welcome(committed=3, lost=3)
        told += [note for note in bench.device.take_notes() if isinstance(note, Resumed)]
        bench.device.disconnected(1006)
    assert [(note.lost, note.newly_lost) for note in told] == [(3, 3), (3, 0)]


def test_a_full_spool_drops_its_oldest_frame() -> None:
    bench = Bench(spool_frames=2)
    bench.make(3)
    (note,) = bench.device.take_notes()
    assert isinstance(note, Dropped)
    assert note.frame.seq == 1
    assert bench.connect()["held"] == {"first": 2, "last": 3}


def test_a_full_spool_that_dropped_the_next_number_due_hangs_up_once_there_is_room() -> None:
    bench = online(spool_frames=4)
    bench.hear(type="flow", in_flight=2)
    bench.make(4)
    assert bench.sent() == [1, 2]
    bench.make(3)
    assert bench.sent() == []
    assert not bench.device.hang_up
    bench.ack(2)
    assert bench.sent() == []
    assert bench.device.hang_up
    bench.device.disconnected(1000)
    assert bench.connect()["held"] == {"first": 4, "last": 7}
    bench.welcome(committed=3)
    assert bench.sent() == [4, 5, 6, 7]


def test_a_full_spool_makes_room_for_what_comes_before_the_welcome() -> None:
    bench = Bench(spool_frames=20)
    bench.make(20)
    assert bench.connect()["held"] == {"first": 3, "last": 20}
    bench.make(2)
    bench.welcome(committed=2)
    assert bench.sent() == [3, 4, 5, 6]


def test_a_nack_of_a_dropped_frame_hangs_up() -> None:
    bench = online(spool_frames=2)
    bench.make(2)
    bench.sent()
    bench.make()
    bench.hear(type="nack", seq=1, code="busy", retry_after_ms=1)
    bench.now_s += 1
    assert bench.sent() == []
    assert bench.device.hang_up


def test_a_frame_the_hub_cannot_parse_is_replaced_by_an_empty_one() -> None:
    bench = online()
    bench.make()
    bench.device.add(b"nonsense", 3, bench.now_s)
    bench.make()
    bench.sent()
    bench.ack(1)
    bench.device.take_notes()
    bench.hear(type="error", code="bad_message", message="not JSON", seq=2)
    bench.device.disconnected(4400)
    (note,) = bench.device.take_notes()
    assert isinstance(note, SetAside)
    assert note.frame.body == b'{"seq":2,nonsense'
    assert not bench.device.stopped
    bench.connect()
    bench.welcome(committed=1)
    frames = bench.device.take_frames(bench.now_s)
    assert frames[0].body == b'{"seq":2,"readings":[]}'
    assert [frame.seq for frame in frames] == [2, 3]


def test_a_frame_the_hub_cannot_parse_may_have_been_dropped_meanwhile() -> None:
    bench = online(spool_frames=2)
    bench.device.add(b"nonsense", 3, bench.now_s)
    bench.sent()
    bench.make(2)
    bench.hear(type="error", code="bad_message", message="not JSON", seq=1)
    bench.device.disconnected(4400)
    assert not bench.device.stopped
    assert bench.connect()["held"] == {"first": 2, "last": 3}


def test_4400_without_a_number_comes_back_only_while_a_nack_is_outstanding() -> None:
    bench = online()
    bench.make()
    bench.sent()
    bench.hear(type="nack", seq=1, code="busy", retry_after_ms=10)
    bench.device.disconnected(4400)
    assert not bench.device.stopped
    bench.connect()
    bench.welcome()
    bench.device.disconnected(4400)
    assert "4400" in bench.device.stopped


def test_a_reused_stream_comes_back_with_a_new_name_and_the_same_readings() -> None:
    bench = online()
    bench.make(3)
    bench.sent()
    bench.ack(1)
    bench.device.take_notes()
    bench.hear(type="error", code="stream_reused", message="…")
    bench.device.disconnected(4400)
    assert bench.device.take_notes() == [Renamed("name1", 2, 3)]
    assert bench.connect() == {
        "type": "hello",
        "stream": "name2",
        "held": {"first": 1, "last": 2},
    }
    bench.welcome()
    bodies = [frame.body for frame in bench.device.take_frames(bench.now_s)]
    assert bodies[0] == b'{"seq":1,"readings":[{"ts":1,"values":{"a":1}}]}'


def test_frames_under_a_new_name_are_not_yet_in_the_ledger() -> None:
    bench = online()
    bench.make()
    (frame,) = bench.device.take_frames(bench.now_s)
    frame.written = True
    bench.hear(type="error", code="stream_reused", message="…")
    bench.device.disconnected(4400)
    assert not bench.device.spool[0].written


@pytest.mark.parametrize("code", [1000, 1001, 1006, 1011, 1013, 4408, 4409, 4429, 4500, 4503])
def test_it_comes_back_after_close_codes_that_allow_it(code: int) -> None:
    bench = online()
    bench.device.disconnected(code)
    assert not bench.device.stopped


@pytest.mark.parametrize("code", [4401, 4403, 4406, 4413])
def test_it_stays_away_after_close_codes_that_forbid_it(code: int) -> None:
    bench = online()
    bench.hear(type="error", code="token_revoked", message="the token was revoked")
    bench.device.disconnected(code)
    assert "the token was revoked" in bench.device.stopped


def test_a_bye_hangs_up_and_is_waited_for() -> None:
    bench = online()
    bench.make()
    bench.hear(type="bye", code="restart", retry_after_ms=1800)
    assert bench.device.hang_up
    assert bench.sent() == []
    bench.device.disconnected(4503)
    assert not bench.device.stopped
    assert bench.device.errors == {}
    assert bench.device.take_retry_after_ms() == 1800
    assert bench.device.take_retry_after_ms() == 0


def test_an_error_may_say_when_to_come_back() -> None:
    bench = Bench()
    bench.connect()
    bench.hear(type="error", code="unavailable", message="…", retry_after_ms=1200)
    bench.device.disconnected(4503)
    assert not bench.device.stopped
    assert bench.device.take_retry_after_ms() == 1200
    bench.connect()
    assert bench.device.take_retry_after_ms() == 0


@pytest.mark.parametrize(
    ("status", "stays_away"), [(401, True), (403, True), (404, True), (429, False), (503, False)]
)
def test_a_refused_handshake_is_final_only_where_it_says_so(status: int, stays_away: bool) -> None:
    device = Device("d1")
    device.turned_away(status, 2)
    assert bool(device.stopped) is stays_away
    assert device.retry_after_ms == 2000


@pytest.mark.parametrize(
    "answer",
    [
        b"nonsense",
        b"[]",
        b'{"type":"ack"}',
        b'{"type":"ack","seq":9,"stored":0,"duplicate":0,"rejected":0}',
    ],
)
def test_an_answer_that_makes_no_sense_hangs_up(answer: bytes) -> None:
    bench = online()
    bench.device.received(answer, bench.now_s)
    assert bench.device.hang_up
    assert bench.device.errors["unreadable_answer"] == 1


def test_an_unknown_kind_of_message_is_ignored() -> None:
    bench = online()
    bench.device.received(b'{"type":"from_the_future"}', bench.now_s)
    assert not bench.device.hang_up


def test_a_plain_device_says_no_hello_and_numbers_nothing() -> None:
    bench = Bench(reliable=False)
    bench.device.connected()
    assert bench.device.take_control() == []
    bench.make(6)
    frames = bench.device.take_frames(bench.now_s)
    assert frames[0].body == b'{"readings":[{"ts":1,"values":{"a":1}}]}'
    assert len(frames) == 4


def test_a_plain_device_counts_each_connection_from_one_again() -> None:
    bench = Bench(reliable=False)
    bench.device.connected()
    bench.make(3)
    bench.sent()
    bench.ack(2)
    assert bench.device.stream == "plain:name1"
    bench.device.disconnected(1006)
    assert bench.device.stream == "plain:name2"
    bench.device.connected()
    assert bench.sent() == [1]


def test_a_device_that_sends_twice_gives_each_frame_two_numbers() -> None:
    bench = Bench(reliable=False, twice=True)
    bench.device.connected()
    bench.make()
    frames: list[Frame] = bench.device.take_frames(bench.now_s)
    assert [frame.seq for frame in frames] == [1, 2]
    assert frames[0].body == frames[1].body
