"""The published schema is the code's, and what it promises a device holds."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from ingest import wire
from ingest.hello import Hello
from ingest.messages import SEQ_MAX
from ingest.reading import Code
from ingest.schema import published
from ingest.session import Session
from tests.schema import DEVICE, PUBLISHED, is_what_a_hub_says
from tests.unit.ingest.frames import NOW_US
from tests.unit.ingest.speech import LIMITS
from tests.unit.ingest.test_any_message import BOUNDS, messages, unhurried

PAGE = (PUBLISHED.parent / "protocol.md").read_text()
LINES = re.findall(r"^([→←]) ([{\[].*)$", PAGE, re.MULTILINE)

# What can be refused of a message that the schema allows, and why no schema can say it.
UNSAYABLE = {
    Code.BAD_FRAME,  # columns of different lengths, and too many readings in all
    Code.BAD_METRIC,  # a line break at the end, for Python's regular expressions
    Code.BAD_TEXT,  # half of a surrogate pair
    Code.OUT_OF_RANGE,  # an integer that 2.5e20 would also be
    Code.TOO_OLD,
    Code.TS_FUTURE,
    Code.TS_INVALID,  # the form of a text
    Code.TS_MISSING,  # the second of a frame
}


def test_the_published_file_is_what_the_code_makes() -> None:
    remedy = "make it anew: python manage.py protocolschema docs/weir.v1.schema.json"
    assert PUBLISHED.read_text() == published(), remedy


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(json.loads(published()))


def test_the_hub_says_on_the_page_what_the_schema_has() -> None:
    said = [json.loads(text) for side, text in LINES if side == "←"]
    assert len(said) > 20
    for message in said:
        is_what_a_hub_says(message)


def test_what_is_taken_whole_on_the_page_is_in_the_schema() -> None:
    taken = [
        json.loads(text)
        for (side, text), (_, answer) in pairwise(LINES)
        if side == "→"
        and re.search(r'"welcome"|"stored": \d+, "duplicate": 0, "rejected": 0', answer)
    ]
    assert len(taken) > 20
    for message in taken:
        assert DEVICE.is_valid(message), message


@pytest.mark.parametrize(
    "message",
    [
        [],
        [None, {"values": None}, {"values": {"t": 1}, "note": 1}],
        {"columns": {"ts": None, "t": None}, "readings": None},
        {"columns": {"t": [1.5, None, "x", True]}, "values": 7},
        {"readings": [], "columns": 5, "type": "hello"},
        {"ts": -1, "seq": 1, "age_ms": None, "type": None, "t": 1},
        {"ts": "2026-11-22T05:49:56Z", "values": {}},
        {"type": "hello", "stream": None, "held": 5},
        {"type": "hello", "stream": "s", "held": {"first": 1, "last": 0}, "more": 1},
    ],
)
def test_it_has_every_form_that_is_taken(message: object) -> None:
    assert DEVICE.is_valid(message)


@pytest.mark.parametrize(
    "message",
    [
        5,
        [5],
        [{"values": {"a b": 1}}],
        [{"n": "t", "v": 1, "values": {}}],
        {"readings": 5, "columns": {}},
        {"columns": {"t": 5}},
        {"senml": []},
        {"t": [1]},
        {"t": 1e301},
        {"t": "x" * 1_025},
        {"t": "\0"},
        {"ts": 5, "t": 1},
        {"age_ms": -1, "t": 1},
        {"type": "flow"},
        {"seq": 0, "readings": []},
        {"type": "hello", "stream": "a b", "held": {"first": 1, "last": 0}},
        {"type": "hello", "stream": "s"},
    ],
)
def test_it_has_nothing_that_is_refused_for_its_form(message: object) -> None:
    assert not DEVICE.is_valid(message)


def is_hello(message: Any) -> bool:
    return (
        isinstance(message, dict)
        and message.get("type") == "hello"
        and not wire.has_readings(message)
    )


@settings(unhurried, max_examples=400)
@given(messages)
@example({"t\n": 1})
def test_what_it_has_is_refused_for_nothing_that_it_could_say(message: Any) -> None:
    if not DEVICE.is_valid(message) or is_hello(message):
        return
    frame = wire.decode(wire.parse(json.dumps(message)), NOW_US, BOUNDS)
    assert {refusal.code for refusal in frame.refusals} <= UNSAYABLE


seqs = st.sampled_from([0, 1, 2, SEQ_MAX, SEQ_MAX + 1, -1, 1.5, True, "1", None])
hellos = st.fixed_dictionaries(
    {"type": st.just("hello")},
    optional={
        "token": st.sampled_from([None, "weir_x", 5, ""]),
        "stream": st.sampled_from([None, "s", "a b", "", "x" * 64, "x" * 65, 5]),
        "held": st.sampled_from([None, 5, {"first": 1}])
        | st.fixed_dictionaries({"first": seqs, "last": seqs}),
    },
)


@settings(unhurried, max_examples=300)
@given(hellos)
def test_a_hello_is_understood_if_the_schema_has_it(said: dict[str, Any]) -> None:
    understood = isinstance(Session(LIMITS).receive(json.dumps(said), NOW_US), Hello)
    held = said.get("held")
    if said.get("stream") is not None and DEVICE.is_valid(said) and isinstance(held, dict):
        assert understood == (held["first"] <= held["last"] + 1)
    else:
        assert understood == DEVICE.is_valid(said)
