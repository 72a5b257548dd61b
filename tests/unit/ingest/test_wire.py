"""From text to a message and back: what can be read at all, and what an ack says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ingest import wire
from ingest.reading import MESSAGES, Code, Refusal
from tests.unit.ingest.frames import decoded

CONFLICT = MESSAGES[Code.CONFLICT]


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "hello",
        '{"t":1',
        "{'t':1}",
        '{"t":01}',
        '{"t":1}{"t":2}',
        '{"t":1,}',
        '{"t":"\n"}',
        r'{"t":"\ud800"',
        "\ufeff{}",
        "[" * 2_000 + "]" * 2_000,
        '{"t":' * 100_000,
        "[" * 2_000,
    ],
    ids=lambda text: repr(text)[:20],
)
def test_what_is_not_json_cannot_be_read(text: str) -> None:
    with pytest.raises(wire.NotJson, match="not JSON"):
        wire.parse(text)


@pytest.mark.parametrize("text", ["5", "null", "true", '"t"', "NaN"])
def test_only_an_object_or_an_array_is_a_message(text: str) -> None:
    with pytest.raises(wire.NotJson, match="object or array"):
        wire.parse(text)


def test_nesting_of_two_hundred_is_read() -> None:
    assert wire.parse("[" * 200 + "]" * 200)


def test_blanks_around_a_message_do_not_matter() -> None:
    assert wire.parse(' {"t" :\n1}\t') == {"t": 1}


def entries(*refusals: tuple[int, Refusal]) -> list[dict[str, Any]]:
    ack = json.loads(wire.encode_ack(9, 0, 0, sum(r.count for _, r in refusals), refusals))
    errors: list[dict[str, Any]] = ack["errors"]
    return errors


def test_an_ack_counts() -> None:
    assert json.loads(wire.encode_ack(42, 119, 2, 0, ())) == {
        "type": "ack",
        "seq": 42,
        "stored": 119,
        "duplicate": 2,
        "rejected": 0,
    }


def test_an_ack_names_each_refused_reading() -> None:
    refusal = Refusal(Code.CONFLICT, 7, "temperature")
    assert json.loads(wire.encode_ack(42, 119, 0, 1, [(42, refusal)])) == {
        "type": "ack",
        "seq": 42,
        "stored": 119,
        "duplicate": 0,
        "rejected": 1,
        "errors": [
            {
                "seq": 42,
                "sample": 7,
                "metric": "temperature",
                "code": "conflict",
                "message": CONFLICT,
            }
        ],
    }


def test_a_run_of_neighbours_is_one_entry() -> None:
    run = [(3, Refusal(Code.CONFLICT, sample, "t")) for sample in (4, 5, 6)]
    assert entries(*run) == [
        {
            "seq": 3,
            "sample": 4,
            "through": 6,
            "metric": "t",
            "code": "conflict",
            "message": CONFLICT,
            "count": 3,
        }
    ]


def test_whole_samples_that_are_neighbours_are_one_entry() -> None:
    run = [(3, Refusal(Code.TS_FUTURE, sample, count=2)) for sample in (0, 1)]
    assert entries(*run) == [
        {
            "seq": 3,
            "sample": 0,
            "through": 1,
            "code": "ts_future",
            "message": MESSAGES[Code.TS_FUTURE],
            "count": 4,
        }
    ]


def test_several_readings_of_one_sample_are_counted_without_through() -> None:
    [entry] = entries((3, Refusal(Code.TS_UNIT, 5, count=3)))
    assert (entry["sample"], entry["count"]) == (5, 3)
    assert "through" not in entry
    assert "metric" not in entry


def test_a_whole_frame_is_refused_without_a_sample() -> None:
    [refusal] = decoded({"readings": 5}).refusals
    assert entries((3, refusal)) == [
        {"seq": 3, "code": "bad_frame", "message": "readings must be an array of samples"}
    ]


@pytest.mark.parametrize(
    "other",
    [
        (4, Refusal(Code.CONFLICT, 5, "t")),
        (3, Refusal(Code.CONFLICT, 6, "t")),
        (3, Refusal(Code.CONFLICT, 5, "h")),
        (3, Refusal(Code.CONFLICT, 4, "t")),
        (3, Refusal(Code.NOT_FINITE, 5, "t")),
        (3, Refusal(Code.BAD_FRAME)),
    ],
    ids=["frame", "gap", "metric", "same sample", "code", "whole frame"],
)
def test_what_is_not_a_neighbour_of_the_same_kind_is_an_entry_of_its_own(
    other: tuple[int, Refusal],
) -> None:
    assert len(entries((3, Refusal(Code.CONFLICT, 4, "t")), other)) == 2


def test_thirty_two_entries_are_all_told() -> None:
    refusals = [(1, Refusal(Code.CONFLICT, 2 * i, "t")) for i in range(32)]
    ack = json.loads(wire.encode_ack(1, 0, 0, 32, refusals))
    assert len(ack["errors"]) == 32
    assert "errors_truncated" not in ack


def test_more_entries_are_truncated_and_the_counts_stay_exact() -> None:
    refusals = [(1, Refusal(Code.CONFLICT, 2 * i, "t")) for i in range(33)]
    ack = json.loads(wire.encode_ack(1, 0, 0, 33, refusals))
    assert len(ack["errors"]) == 32
    assert ack["errors_truncated"] is True
    assert ack["rejected"] == 33


def test_a_long_run_is_not_truncated() -> None:
    refusals = [(1, Refusal(Code.CONFLICT, i, "t")) for i in range(1_000)]
    ack = json.loads(wire.encode_ack(1, 0, 0, 1_000, refusals))
    assert ack["errors"][0]["count"] == 1_000
    assert "errors_truncated" not in ack


def test_every_code_has_its_message() -> None:
    assert set(MESSAGES) == set(Code)
