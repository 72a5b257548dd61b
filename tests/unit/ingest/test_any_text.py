"""Any text, JSON or nearly: it cannot be read, or it is a frame in which every reading counts.

Written as text, because what breaks a decoder cannot be written down from values: keys that come
twice, numbers that are too long, halves of surrogate pairs, nesting without end.

`WEIR_TEST_PROFILE=thorough` tries many more.
"""

from __future__ import annotations

import os
import re
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from ingest import wire
from tests.schema import PUBLISHED
from tests.unit.ingest.frames import NOW_MS, NOW_US
from tests.unit.ingest.test_any_message import BOUNDS, check, unhurried

MANY = 20 if os.environ.get("WEIR_TEST_PROFILE") == "thorough" else 1

_PAGE = (PUBLISHED.parent / "protocol.md").read_text()
_REASONS = _PAGE.split("### Every reason to refuse a reading", 1)[1].split("\n## ", 1)[0]
DOCUMENTED = set(re.findall(r"^\| `(\w+)` \|", _REASONS, re.MULTILINE))

NUMBERS = [
    *("0", "-0", "1.5", "-1e-400", "9007199254740992", "9007199254740993", "-9007199254740993"),
    *("1e300", "1.0000001e300", "1e999", "-1e999", "NaN", "Infinity", "-Infinity", "4" * 5_000),
    *("1" + "0" * 400, "0." + "3" * 3_000, "1E+2", "99999999999", "1e11", f"{NOW_MS}"),
    *(f"{NOW_MS}.125", f"{NOW_MS + 10**7}", "-62135596800001", "1e15", "1e16"),
]
TEXTS = [
    *(
        '""',
        '"on"',
        '"\\ud800"',
        '"\\udc00\\ud800"',
        '"\\ud83d\\ude00"',
        '"\\u0000"',
        '"a\\u0000b"',
    ),
    *('"\U0001f600"', '"\x7f"', '"2026-11-22T05:49:56Z"', '"2026-11-22T05:49:56\\u0000Z"'),
    *('"0001-01-01T00:00:00+23:59"', '"9999-12-31T23:59:59-23:59"', f'"{"x" * 1_025}"'),
]
BROKEN = ["01", "+1", ".5", "1.", "nul", '"\\x"', '"\n"', '"', "'a'", "{,}", "[1,]", "", "\ufeff1"]
KEYS = [
    *(
        '"t"',
        '"h"',
        '"ts"',
        '"\\u0074s"',
        '"values"',
        '"readings"',
        '"columns"',
        '"senml"',
        '"seq"',
    ),
    *('"age_ms"', '"type"', '"n"', '"bn"', '""', '"\\ud800"', '"a b"', f'"{"m" * 129}"', '"t\\n"'),
]

scalars = st.sampled_from(NUMBERS) | st.sampled_from(TEXTS) | st.sampled_from(["null", "true"])
keys = st.sampled_from(KEYS)


def array(of: st.SearchStrategy[str], most: int = 4) -> st.SearchStrategy[str]:
    return st.lists(of, max_size=most).map(lambda parts: f"[{','.join(parts)}]")


def an_object(
    of: st.SearchStrategy[str], names: st.SearchStrategy[str] = keys, most: int = 4
) -> st.SearchStrategy[str]:
    """With keys that may come twice."""
    pairs = st.tuples(names, of).map(":".join)
    return st.lists(pairs, max_size=most).map(lambda parts: f"{{{','.join(parts)}}}")


def nested(inner: str, depth: int, opening: str) -> str:
    closing = "]" if opening == "[" else "}"
    return opening * depth + inner + closing * depth


deep = st.builds(
    nested,
    scalars,
    st.sampled_from([1, 10, 198, 199, 200, 201, 202, 900, 1_100, 50_000]),
    st.sampled_from(["[", '{"t":', '{"values":']),
)
anything = st.recursive(
    scalars, lambda inner: array(inner, 3) | an_object(inner, most=3), max_leaves=8
)
values = an_object(scalars | anything)
sample = st.tuples(scalars, values).map(lambda s: f'{{"ts":{s[0]},"values":{s[1]}}}') | anything
columns = st.integers(0, 3).flatmap(
    lambda rows: an_object(
        st.lists(scalars, min_size=rows, max_size=rows).map(lambda column: f"[{','.join(column)}]")
    )
)
members = st.one_of(
    array(sample).map(lambda text: f'"readings":{text}'),
    columns.map(lambda text: f'"columns":{text}'),
    values.map(lambda text: f'"values":{text}'),
    st.tuples(keys, scalars | anything | deep).map(":".join),
)
frames = st.lists(members, max_size=4).map(lambda parts: f"{{{','.join(parts)}}}")
texts = frames | array(sample) | anything | deep


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A frame in which a few characters are others, gone, or there twice."""
    text = draw(frames | array(sample))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text)))
        until = at + draw(st.integers(0, 6))
        put = draw(
            st.sampled_from([*BROKEN, *'[]{},:"\\', text[at:until] * 2])
            | st.characters(codec=None).map(str)
        )
        text = text[:at] + put + text[until:]
    return text


def readings_in(message: dict[str, Any] | list[Any]) -> int | None:
    """How many readings a message has, by the page; None where the whole of it may be refused."""
    if isinstance(message, list):
        return None if _is_senml(message) else sum(map(_in_sample, message))
    if message.get("age_ms") is not None or message.get("columns") is not None:
        return None
    if (samples := message.get("readings")) is not None:
        return sum(map(_in_sample, samples)) if isinstance(samples, list) else None
    if message.get("senml") is not None:
        return None
    if message.get("values") is not None:
        return _in_sample(message)
    if message.get("type") is not None:
        return None
    reserved = ("ts", "seq", "age_ms", "type")
    return sum(key not in reserved and value is not None for key, value in message.items())


def _is_senml(message: list[Any]) -> bool:
    first = message[0] if message else None
    return isinstance(first, dict) and ("n" in first or "bn" in first)


def _in_sample(sample: Any) -> int:
    values = sample.get("values", "missing") if isinstance(sample, dict) else sample
    if values is None:
        return 0
    if values is sample or not isinstance(values, dict):
        return 1
    return sum(value is not None for value in values.values())


@settings(unhurried, max_examples=600 * MANY)
@given(texts | mutated())
@example('{"t":1,"t":2,"t":null}')
@example('{"readings":[{"values":{"t":1}}],"readings":null,"t":5}')
@example(nested("", 100_000, "["))
@example(nested("1", 990, '{"t":'))
@example('{"ts":' + "9" * 5_000 + ',"t":1}')
@example('{"age_ms":1e999,"t":1}')
@example('{"columns":{"t":[NaN,Infinity],"ts":[NaN,null]}}')
@example("\ud800")
@example("\x00")
@example("")
def test_every_reading_of_any_text_counts_once(text: str) -> None:
    try:
        message = wire.parse(text)
    except wire.NotJson:
        return
    frame = wire.decode(message, NOW_US, BOUNDS)
    check(frame)
    assert {str(refusal.code) for refusal in frame.refusals} <= DOCUMENTED
    counted = readings_in(message)
    assert counted is None or frame.readings == counted
