"""Ledger, tally, back-off, tokens: what is written down and waited for."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest

from simulators import Trouble
from simulators.backoff import FIRST_S, LONGEST_S, Backoff
from simulators.device import Device
from simulators.ledger import Ledger
from simulators.notes import Dropped, Frame, Note, Outcome, Renamed, Resumed, SetAside, Settled
from simulators.tally import Latencies, Tally
from simulators.tokens import read_tokens

FRAME = Frame(3, '{"seq":3,"readings":[{"ts":1,"values":{"a":"ü"}}]}'.encode(), 1, 10.0)


def written(path: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def test_a_frame_line_holds_the_body_verbatim(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "l")
    ledger.frame("d", "s", FRAME, 12)
    ledger.flush()
    (line,) = written(tmp_path / "l")
    assert line["frame"] == {
        "device": "d",
        "stream": "s",
        "seq": 3,
        "sent_ms": 12,
        "body": FRAME.body.decode(),
    }


@pytest.mark.parametrize(
    ("note", "line"),
    [
        (
            Settled("s", 3, Outcome(1, 2, 1), [{"seq": 3, "code": "conflict"}], True, [FRAME]),
            {
                "settled": {
                    "device": "d",
                    "stream": "s",
                    "through": 3,
                    "stored": 1,
                    "duplicate": 2,
                    "rejected": 1,
                    "errors": [{"seq": 3, "code": "conflict"}],
                    "errors_truncated": True,
                }
            },
        ),
        (
            Resumed("s", 3, 1, 1, Outcome(5, 0, 0), Outcome(2, 0, 0), []),
            {
                "resumed": {
                    "device": "d",
                    "stream": "s",
                    "committed": 3,
                    "lost": 1,
                    "stored": 5,
                    "duplicate": 0,
                    "rejected": 0,
                    "news": {"stored": 2, "duplicate": 0, "rejected": 0},
                }
            },
        ),
        (
            Dropped("s", FRAME),
            {
                "dropped": {
                    "device": "d",
                    "stream": "s",
                    "first": 3,
                    "last": 3,
                    "why": "spool full",
                }
            },
        ),
        (
            Renamed("s", 3, 9),
            {"dropped": {"device": "d", "stream": "s", "first": 3, "last": 9, "why": "renamed"}},
        ),
        (SetAside("s", FRAME), {"set_aside": {"device": "d", "stream": "s", "seq": 3}}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_became_of_a_frame_is_a_line(tmp_path: Path, note: Note, line: dict[str, Any]) -> None:
    ledger = Ledger(tmp_path / "l")
    ledger.note("d", note)
    ledger.close()
    assert written(tmp_path / "l") == [line]


def test_a_ledger_is_appended_to(tmp_path: Path) -> None:
    for seq in (1, 2):
        ledger = Ledger(tmp_path / "l")
        ledger.note("d", SetAside("s", Frame(seq, b"{}", 0, 0.0)))
        ledger.close()
    assert [line["set_aside"]["seq"] for line in written(tmp_path / "l")] == [1, 2]


def test_a_ledger_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(Trouble, match="cannot be written"):
        Ledger(tmp_path / "missing" / "l")


def test_percentiles_are_right_to_one_in_a_hundred() -> None:
    latencies = Latencies()
    for ms in range(1, 1001):
        latencies.add(ms / 1000)
    for share in (0.5, 0.95, 0.99):
        assert latencies.percentile_s(share) == pytest.approx(share, rel=0.011)
    assert latencies.longest_s == 1.0


def test_nothing_has_no_percentile() -> None:
    assert Latencies().percentile_s(0.5) is None


def test_a_reading_counts_as_sent_once_however_often_its_frame_goes_out() -> None:
    tally = Tally()
    tally.sending(Frame(1, b"", 3, 0.0, tries=1))
    tally.sending(Frame(1, b"", 3, 0.0, tries=2))
    assert (tally.readings_sent, tally.frames_sent, tally.frames_resent) == (3, 1, 1)


def test_latency_counts_from_the_intended_time() -> None:
    tally = Tally()
    tally.note(Settled("s", 3, Outcome(1), [], False, [FRAME]), now_s=10.5)
    result = tally.result([Device("d")], 10.0, 11.0)
    assert result["ack_p50_ms"] == pytest.approx(500, rel=0.01)
    assert result["stored"] == result["acked"] == 1
    assert result["readings_per_s"] == 2.0


def test_back_off_doubles_up_to_a_bound_and_is_jittered() -> None:
    backoff = Backoff(Random(7))
    waits = [backoff.next_s() for _ in range(12)]
    assert 0.2 * FIRST_S <= waits[0] <= FIRST_S
    assert 0.2 * LONGEST_S <= waits[-1] <= LONGEST_S
    assert len(set(waits)) == 12


def test_back_off_honours_what_the_hub_asked_for_and_begins_anew_after_a_reset() -> None:
    backoff = Backoff(Random(7))
    for _ in range(6):
        assert backoff.next_s(retry_after_ms=1800) > 1.8
    backoff.reset()
    assert backoff.next_s() <= FIRST_S


def test_tokens_are_read_in_order(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    path.write_text('{"uid":"b","token":"1"}\n\n{"uid":"a","token":"2","name":"A"}\n')
    assert [credential.uid for credential in read_tokens(path)] == ["b", "a"]


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "is empty"), ('{"uid":"a","token":"1"}\nnonsense\n', "line 2"), ('{"uid":1}', "line 1")],
)
def test_a_wrong_tokens_file_is_one_sentence(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "tokens"
    path.write_text(text)
    with pytest.raises(Trouble, match=said):
        read_tokens(path)


def test_a_missing_tokens_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(Trouble, match="makefleet"):
        read_tokens(tmp_path / "missing")
