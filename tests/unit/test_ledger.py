"""What a ledger says became of each reading."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ingest.ledger import NO_TIME_US, TEXT, BrokenLedger, Fate, Ledger, readings_of

TS = 1_795_326_596_000


def frame(seq: int, *values: dict[str, Any], stream: str = "s") -> dict[str, Any]:
    samples = [{"ts": TS + seq * 1000 + n, "values": each} for n, each in enumerate(values)]
    body = json.dumps({"seq": seq, "readings": samples})
    return {"frame": {"device": "d", "stream": stream, "seq": seq, "sent_ms": TS, "body": body}}


def settled(
    through: int, stored: int, rejected: int = 0, *errors: dict[str, Any]
) -> dict[str, Any]:
    counts = {"stored": stored, "duplicate": 0, "rejected": rejected}
    whose = {"device": "d", "stream": "s"}
    return {"settled": {**whose, "through": through, **counts, "errors": list(errors)}}


def resumed(committed: int, stored: int, rejected: int = 0) -> dict[str, Any]:
    counts = {"stored": stored, "duplicate": 0, "rejected": rejected}
    whose = {"device": "d", "stream": "s", "committed": committed, "lost": 0}
    return {"resumed": {**whose, **counts, "news": counts}}


def error(seq: int, code: str, **where: Any) -> dict[str, Any]:
    return {"seq": seq, "code": code, "message": "…", **where}


def fates(*said: dict[str, Any]) -> list[tuple[Any, str]]:
    return [(value, fate.name) for _, _, _, _, value, fate, _ in read(*said)[1]]


def read(*said: dict[str, Any]) -> tuple[Ledger, list[Any]]:
    ledger = Ledger()
    lines = [json.dumps(each).encode() + b"\n" for each in said]
    return ledger, [*ledger.read(lines, "ledger"), *ledger.rest()]


def test_a_reading_is_kept_once_its_frame_is_settled() -> None:
    said = [frame(1, {"a": 1}), frame(2, {"a": 2}), settled(1, 1)]
    assert fates(*said) == [(1.0, "KEPT"), (2.0, "UNKNOWN")]


def test_a_welcome_settles_what_was_committed_before_the_connection_broke() -> None:
    said = [frame(1, {"a": 1}), frame(2, {"a": 2}), resumed(1, 1)]
    assert fates(*said) == [(1.0, "KEPT"), (2.0, "UNKNOWN")]


def test_an_error_names_one_reading_a_sample_or_a_frame() -> None:
    said = [
        frame(1, {"a": 1, "b": 2}, {"a": 3, "b": 4}),
        frame(2, {"a": 5}),
        frame(3, {"a": 6}),
        settled(
            3,
            1,
            4,
            error(1, "conflict", sample=0, metric="b"),
            error(1, "ts_unit", sample=1, count=2),
            error(2, "bad_frame"),
        ),
    ]
    named = [(1.0, "KEPT"), (2.0, "CONFLICT"), (3.0, "REFUSED"), (4.0, "REFUSED")]
    assert fates(*said) == [*named, (5.0, "REFUSED"), (6.0, "KEPT")]


def test_an_error_names_a_run_of_samples() -> None:
    values = [{"a": n} for n in range(4)]
    run = error(1, "conflict", sample=1, through=2, metric="a", count=2)
    said = [frame(1, *values), settled(1, 2, 2, run)]
    assert [fate for _, fate in fates(*said)] == ["KEPT", "CONFLICT", "CONFLICT", "KEPT"]


def test_refusals_without_a_name_may_be_any_of_their_group() -> None:
    ledger, attempts = read(
        frame(1, {"a": 1}, {"a": 2}), frame(2, {"a": 3}), resumed(1, 1, 1), settled(2, 1)
    )
    assert [attempt.fate.name for attempt in attempts] == ["UNNAMED", "UNNAMED", "KEPT"]
    assert ledger.unnamed == {attempts[0].group: 1}
    assert ledger.miscounted() == {}


def test_a_dropped_frame_has_no_fate_and_a_frame_set_aside_must_not_be_stored() -> None:
    whose = {"device": "d", "stream": "s"}
    said = [
        frame(1, {"a": 1}),
        frame(2, {"a": 2}),
        {"dropped": {**whose, "first": 1, "last": 1, "why": "spool full"}},
        {"set_aside": {**whose, "seq": 2}},
        frame(2),
        resumed(2, 0),
    ]
    assert fates(*said) == [(1.0, "UNKNOWN"), (2.0, "REFUSED")]


@pytest.mark.parametrize(("told", "off"), [(2, 0), (1, 1), (3, 1)])
def test_acks_must_count_the_readings_of_their_frames(told: int, off: int) -> None:
    ledger, _ = read(frame(1, {"a": 1, "b": None, "c": True}), settled(1, told))
    assert ledger.miscounted() == ({"d": off} if off else {})
    assert ledger.told_stored == {"d": told}


def test_an_ack_must_not_name_more_than_it_counts() -> None:
    conflict = error(1, "conflict", sample=0, metric="a")
    ledger, _ = read(frame(1, {"a": 1}), settled(1, 1, 0, conflict))
    assert ledger.miscounted() == {"d": 1}


def test_streams_of_one_device_are_settled_apart() -> None:
    said = [frame(1, {"a": 1}), frame(1, {"a": 2}, stream="t"), settled(1, 1)]
    assert fates(*said) == [(1.0, "KEPT"), (2.0, "UNKNOWN")]


def test_a_last_line_cut_short_was_never_sent_and_another_one_is_named() -> None:
    whole = json.dumps(frame(1, {"a": 1})).encode()
    ledger = Ledger()
    assert [*ledger.read([whole + b"\n", whole[:40]], "l"), *ledger.rest()][0].value == 1.0
    with pytest.raises(BrokenLedger, match=r"^l, line 1: "):
        list(Ledger().read([whole[:40] + b"\n"], "l"))


@pytest.mark.parametrize(
    "body",
    [
        '{"seq":1,"readings":[{"ts":1795326596000.125,"values":{"a":1,"b":null}}]}',
        '{"columns":{"ts":[1795326596000.125],"a":[1],"b":[null]}}',
        '[{"ts":"2026-11-22T05:49:56.000125Z","values":{"a":1.0}}]',
        '{"ts":1795326596000.125,"values":{"a":1}}',
        '{"ts":1795326596000.125,"a":1,"seq":4}',
    ],
)
def test_every_form_gives_the_same_reading(body: str) -> None:
    ((sample, metric, time_us, kind, value),) = readings_of(body)
    assert (sample, metric, kind, value) == (0, "a", 0, 1.0)
    assert time_us == 1_795_326_596_000_125


def test_what_cannot_be_stored_is_still_an_attempt() -> None:
    body = '{"ts":true,"values":{"a":NaN,"b":[],"c":"\\ud800","d":9e999,"e":"ok"}}'
    readings = readings_of(body)
    assert {reading.time_us for reading in readings} == {NO_TIME_US}
    assert [reading.kind for reading in readings] == [-1, -1, -1, -1, TEXT]


@pytest.mark.parametrize("body", ["nonsense", "3", '{"readings":7}', '{"columns":{"a":1}}', "[1]"])
def test_a_frame_that_is_none_holds_nothing(body: str) -> None:
    assert readings_of(body) == []


def test_a_reading_without_a_time_has_none() -> None:
    assert [reading.time_us for reading in readings_of('{"a":1}')] == [None]


def test_fates_are_counted() -> None:
    ledger, _ = read(frame(1, {"a": 1}), frame(2, {"a": 2}), settled(1, 1))
    assert ledger.fates == {Fate.KEPT: 1, Fate.UNKNOWN: 1}
    assert ledger.frames == 2
