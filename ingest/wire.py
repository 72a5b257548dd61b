"""From the text of a message to a frame, and from what the hub has to say to text.

Which form a message has is decided here; `samples` and `columns` decode them. Nothing that a device
can send raises anything but `NotJson`.

pydantic's own parser reads the JSON: it keeps integers exact and takes NaN and 1e999, which are
then refused by name, where stricter ones would cost the whole frame (`docs/decisions/decoding.md`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson
from pydantic_core import from_json

from ingest.columns import decode_columns
from ingest.messages import SEQ_MAX
from ingest.reading import Bounds, Code, Frame, Refusal, refused_whole
from ingest.samples import decode_samples

FORMS: Final = ("readings", "columns", "senml", "values")  # where readings are, in this order
RESERVED: Final = frozenset(("ts", "seq", "age_ms", "type"))  # in the bare form, not metrics
ERRORS_MAX: Final = 32  # entries of one ack; the counts stay exact beyond it
AGE_MAX_MS: Final = 1e14  # three thousand years; what is older than the calendar is `too_old`
BAD_AGE: Final = "age_ms must be a number of milliseconds, not negative"
SENML_UNSUPPORTED: Final = "this hub does not take SenML yet: send samples or columns"


class NotJson(ValueError):
    """The message cannot be read at all; its text says why."""


def parse(text: str) -> dict[str, Any] | list[Any]:
    """The object or array in `text`. Raises NotJson."""
    try:
        message = from_json(text, cache_strings="keys")
    except (ValueError, TypeError) as error:  # TypeError: what is no UTF-8, half a surrogate pair
        message = _parse_leniently(text, str(error))
    if isinstance(message, dict | list):
        return message
    raise NotJson("a message must be a JSON object or array")


def _parse_leniently(text: str, reason: str) -> Any:
    """Python's parser takes lone surrogates and deeper nesting: they are refused by name."""
    try:
        return json.loads(text, parse_int=_clipped)
    except (ValueError, RecursionError):
        raise NotJson(f"not JSON: {reason}") from None


def _clipped(digits: str) -> int:
    return int(digits[:32])  # out of range either way, and never a costly conversion


def decode(message: dict[str, Any] | list[Any], now_us: int, bounds: Bounds) -> Frame:
    """The frame in a message received at `now_us`; what cannot be taken is in `refusals`."""
    if isinstance(message, list):
        if (
            message
            and isinstance(message[0], dict)
            and not message[0].keys().isdisjoint(("n", "bn"))
        ):
            return refused_whole(Code.UNSUPPORTED, SENML_UNSUPPORTED, message)
        return decode_samples(message, now_us, bounds)
    age_ms = message.get("age_ms")
    if age_ms is not None:
        if not _is_age(age_ms):
            frame = _decode_object(message, now_us, bounds)
            return refused_whole(Code.BAD_FRAME, BAD_AGE, message, frame.readings)
        now_us -= round(age_ms * 1_000)
    return _decode_object(message, now_us, bounds)


def is_seq(seq: Any) -> bool:
    """Whether it can be a frame's number."""
    return seq.__class__ is int and 1 <= seq <= SEQ_MAX


def has_readings(message: Mapping[str, Any]) -> bool:
    """Whether it is a frame by its form, whatever its `type`."""
    return any(message.get(form) is not None for form in FORMS)


def _is_age(age_ms: object) -> bool:
    return (
        isinstance(age_ms, int | float)
        and not isinstance(age_ms, bool)
        and 0 <= age_ms <= AGE_MAX_MS
    )


def _decode_object(message: dict[str, Any], now_us: int, bounds: Bounds) -> Frame:
    """A form whose value is null is not there, as null is no reading anywhere."""
    if (samples := message.get("readings")) is not None:
        return decode_samples(samples, now_us, bounds)
    if (columns := message.get("columns")) is not None:
        return decode_columns(columns, now_us, bounds)
    if message.get("senml") is not None:
        return refused_whole(Code.UNSUPPORTED, SENML_UNSUPPORTED, message)
    if message.get("values") is not None:
        return decode_samples([message], now_us, bounds)
    if message.get("type") is not None:
        return refused_whole(Code.BAD_FRAME, "the hub knows no message of this type", message)
    values = {metric: value for metric, value in message.items() if metric not in RESERVED}
    sample = {"values": values, "ts": message["ts"]} if "ts" in message else {"values": values}
    return decode_samples([sample], now_us, bounds)


def encode(message: Mapping[str, Any]) -> str:
    """The text of a message from the hub."""
    return orjson.dumps(message).decode()


def encode_ack(
    seq: int, stored: int, duplicate: int, rejected: int, refusals: Iterable[tuple[int, Refusal]]
) -> str:
    """An ack through `seq`; `refusals` are (seq of the frame, refusal), in order."""
    counts = f'"seq":{seq},"stored":{stored},"duplicate":{duplicate},"rejected":{rejected}'
    if not rejected:
        return f'{{"type":"ack",{counts}}}'
    entries: list[dict[str, Any]] = []
    truncated = False
    for frame_seq, refusal in refusals:
        if entries and _joins(entries[-1], frame_seq, refusal):
            entries[-1]["count"] += refusal.count
            entries[-1]["through"] = refusal.through
        elif len(entries) == ERRORS_MAX:
            truncated = True
            break
        else:
            entries.append(_entry(frame_seq, refusal))
    for entry in entries:
        if entry["count"] == 1:
            del entry["count"]
        if entry.get("through") == entry.get("sample"):
            entry.pop("through", None)
    errors = orjson.dumps(entries).decode()
    tail = ',"errors_truncated":true' if truncated else ""
    return f'{{"type":"ack",{counts},"errors":{errors}{tail}}}'


def _entry(seq: int, refusal: Refusal) -> dict[str, Any]:
    entry: dict[str, Any] = {"seq": seq}
    if refusal.sample is not None:
        entry["sample"] = refusal.sample
        entry["through"] = refusal.through
    if refusal.metric is not None:
        entry["metric"] = refusal.metric
    return entry | {"code": refusal.code, "message": refusal.message, "count": refusal.count}


def _joins(entry: dict[str, Any], seq: int, refusal: Refusal) -> bool:
    """Whether a refusal goes on with the entry: same kind, metric and frame, the next sample."""
    return (
        refusal.sample is not None
        and entry["seq"] == seq
        and entry["code"] == refusal.code
        and entry.get("metric") == refusal.metric
        and entry.get("through") == refusal.sample - 1
    )
