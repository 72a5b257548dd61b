"""Whatever a device sends is a frame that adds up, or cannot be read; there is no third."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ingest import wire
from ingest.limits import Limits
from ingest.reading import (
    EARLIEST_US,
    INTEGER_MAX,
    NUMBER_MAX,
    TEXT,
    TEXT_MAX_CHARACTERS,
    Bounds,
    Code,
    Frame,
    is_metric,
    is_storable,
)
from ingest.session import Session, Taken
from tests.unit.ingest.frames import FUTURE_MS, NOW_MS, NOW_US, adds_up
from tests.unit.ingest.speech import hello, opened

BOUNDS = Bounds(NOW_US + FUTURE_MS * 1_000, readings=12)

# How fast examples are drawn is the machine's affair.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

texts = st.text(st.characters() | st.sampled_from("\0\ud800\udfff\x7f"), max_size=4)
numbers = (
    st.floats()
    | st.integers()
    | st.sampled_from([2**53, -(2**53) - 1, 10**30, -(10**400), 1e300, 1.1e300, 1e306])
)
scalars = st.none() | st.booleans() | numbers | texts | st.just("x" * 1_025)
times = (
    st.sampled_from([NOW_MS, NOW_MS - 1, NOW_MS + FUTURE_MS + 1, 5, -1, NOW_MS + 0.125, 10**16])
    | st.sampled_from(["2026-11-22T05:49:56Z", "2026-11-22T05:49:56", "0000-01-01T00:00:00Z"])
    | scalars
)
metrics = st.sampled_from(["t", "h", "t 0", "t 2", "ts", "type", "a" * 129, "\ud800"]) | texts
values = st.dictionaries(metrics, scalars | st.lists(scalars, max_size=2), max_size=4)
samples = st.fixed_dictionaries({}, optional={"ts": times, "values": values | scalars}) | scalars
columns = st.integers(0, 4).flatmap(
    lambda length: st.dictionaries(
        metrics,
        st.lists(scalars, min_size=length, max_size=length)
        | st.lists(numbers, min_size=length, max_size=length)
        | st.lists(times, min_size=length, max_size=length)
        | scalars,
        max_size=4,
    )
)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(metrics, inner, max_size=3),
    max_leaves=12,
)
frames = st.fixed_dictionaries(
    {},
    optional={
        "seq": st.integers(0, 4) | scalars,
        "readings": st.lists(samples, max_size=6) | anything,
        "columns": columns | anything,
        "senml": anything,
        "ts": times,
        "values": values | anything,
        "age_ms": numbers | scalars,
        "type": st.just("hello") | anything,
        "t": scalars,
    },
)
messages = frames | st.lists(samples, max_size=4) | anything


@st.composite
def mangled(draw: st.DrawFn) -> str:
    """The text of a frame with something cut out, put in or doubled."""
    text = json.dumps(draw(frames))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(text)))
        until = draw(st.integers(at, min(len(text), at + 8)))
        put = draw(
            st.sampled_from(["", "[", "]", "{", "}", ",", ":", '"', "\\", "1e999", "NaN", "null"])
            | texts
        )
        text = text[:at] + put + text[until:] + (text[at:until] if draw(st.booleans()) else "")
    return text


def check(frame: Frame) -> None:
    """What may be said of any frame at all."""
    assert adds_up(frame)
    for run in frame.runs:
        assert is_metric(run.metric)
        assert all(EARLIEST_US <= at_us <= BOUNDS.latest_us for at_us in run.times_us)
        assert list(run.samples) == sorted(run.samples)
        for value in run.values:
            if run.kind == TEXT:
                assert isinstance(value, str)
                assert len(value) <= TEXT_MAX_CHARACTERS
                assert is_storable(value)
            else:
                assert not isinstance(value, str)
                assert abs(value) <= (INTEGER_MAX if isinstance(value, int) else NUMBER_MAX)
    for refusal in frame.refusals:
        assert isinstance(refusal.code, Code)
        assert refusal.count > 0
        for kept, characters in ((refusal.metric or "", 128), (refusal.value, 200)):
            assert len(kept) <= characters
            assert is_storable(kept)
    told = wire.encode_ack(1, 0, 0, frame.readings, [(1, refusal) for refusal in frame.refusals])
    ack: dict[str, Any] = json.loads(told)
    if not ack.get("errors_truncated"):
        entries = ack.get("errors", [])
        assert sum(e.get("count", 1) for e in entries) == sum(r.count for r in frame.refusals)


@settings(unhurried, max_examples=400)
@given(messages)
@example({"ts": 10**400, "t": 1})
@example({"ts": 1e306, "t": 1})
@example({"columns": {"t": [10**400, 1.5]}})
@example({"\ud800": []})
def test_any_json_becomes_a_frame_that_adds_up(message: object) -> None:
    try:
        parsed = wire.parse(json.dumps(message))
    except wire.NotJson:
        assert not isinstance(message, dict | list)
        return
    check(wire.decode(parsed, NOW_US, BOUNDS))


@settings(unhurried, max_examples=300)
@given(mangled())
def test_any_text_becomes_a_frame_that_adds_up_or_cannot_be_read(text: str) -> None:
    try:
        parsed = wire.parse(text)
    except wire.NotJson:
        return
    check(wire.decode(parsed, NOW_US, BOUNDS))


@settings(unhurried, max_examples=200)
@given(st.booleans(), st.lists(mangled() | messages.map(json.dumps), max_size=6))
def test_any_texts_are_answered_or_close_the_connection(is_reliable: bool, said: list[str]) -> None:
    session = Session(Limits(in_flight=2), authenticated=True)
    if is_reliable:
        session.receive(json.dumps(hello()), NOW_US)
        session.welcome("session", NOW_MS, opened())
    taken = []
    for text in said:
        was_closed = session.close is not None
        came = session.receive(text, NOW_US)
        if isinstance(came, Taken):
            assert not was_closed
            taken.append(came.seq)
    assert taken == list(range(1, len(taken) + 1))
    replies = [json.loads(reply) for reply in session.replies]
    assert all(reply["type"] in {"welcome", "ack", "nack", "error"} for reply in replies)
    assert [reply["type"] for reply in replies].count("error") == (session.close is not None)
    assert session.close is None or replies[-1]["type"] == "error"
