"""What a reading is: its time, its kind, its limits, and the names of the ways it can be refused.

The innermost module of the line; it knows no form of a frame, no connection and no database.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from math import isfinite
from typing import Final

# Kinds, as `devices.models.Kind` numbers them. Not an enum: a member look-up costs more than the
# comparison it serves, and one is made for each reading.
NUMBER: Final = 0
BOOLEAN: Final = 1
TEXT: Final = 2

_METRIC: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.:/-]{0,127}")
METRICS_REMEMBERED: Final = 16_384  # names that were looked at; the fleet's are few and repeat
METRIC_MAX_CHARACTERS: Final = 128  # the protocol's own; a hub may ask for shorter ones
NUMBER_MAX: Final = 1e300  # leaves room to sum a hundred million of them in a double
INTEGER_MAX: Final = 2**53  # beyond it a double cannot hold each integer
TEXT_MAX_CHARACTERS: Final = 1_024  # as above
VALUE_SHOWN_CHARACTERS: Final = 200  # of a refused value, for people
SECONDS_BELOW: Final = 10**11  # a time below it is seconds sent as milliseconds
FAR_MS: Final = 10**15  # beyond any calendar, in milliseconds; what lies farther is not multiplied
EARLIEST_US: Final = -62_135_596_800_000_000  # year 1, the first that both databases read back
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class Code(StrEnum):
    """Why a reading was refused: the closed list that `docs/protocol.md` explains."""

    BAD_FRAME = "bad_frame"
    BAD_SAMPLE = "bad_sample"
    BAD_METRIC = "bad_metric"
    BAD_VALUE = "bad_value"
    NOT_FINITE = "not_finite"
    OUT_OF_RANGE = "out_of_range"
    TEXT_TOO_LONG = "text_too_long"
    BAD_TEXT = "bad_text"
    TS_MISSING = "ts_missing"
    TS_INVALID = "ts_invalid"
    TS_UNIT = "ts_unit"
    TS_FUTURE = "ts_future"
    TOO_OLD = "too_old"
    UNSUPPORTED = "unsupported"
    KIND_MISMATCH = "kind_mismatch"
    SERIES_LIMIT = "series_limit"
    CONFLICT = "conflict"
    UNSTORABLE = "unstorable"


_METRIC_RULE: Final = (
    "a metric starts with a letter and goes on with letters, digits and _ . : / -,"
    " at most {} in all"
)
_TEXT_RULE: Final = "a text has at most {} characters"
MESSAGES: Final[dict[Code, str]] = {
    Code.BAD_FRAME: "the message is not a frame the hub knows",
    Code.BAD_SAMPLE: 'a sample must be an object with its readings in "values"',
    Code.BAD_METRIC: _METRIC_RULE.format(METRIC_MAX_CHARACTERS),
    Code.BAD_VALUE: "value must be a number, a boolean or a text",
    Code.NOT_FINITE: "value must be a finite number",
    Code.OUT_OF_RANGE: "value must be at most 1e300 in magnitude, an integer at most 2^53",
    Code.TEXT_TOO_LONG: _TEXT_RULE.format(TEXT_MAX_CHARACTERS),
    Code.BAD_TEXT: "a text must not hold NUL or a lone surrogate",
    Code.TS_MISSING: "only one sample of a frame can go without ts",
    Code.TS_INVALID: "ts must be Unix time in milliseconds or an ISO 8601 text with an offset",
    Code.TS_UNIT: "ts looks like seconds: send Unix time in milliseconds",
    Code.TS_FUTURE: "ts lies in the future: check the clock of the device",
    Code.TOO_OLD: "ts lies before what the hub keeps",
    Code.UNSUPPORTED: "this hub does not take this form",
    Code.KIND_MISMATCH: "the series began with another kind of value",
    Code.SERIES_LIMIT: "the device has as many metrics as the hub lets it have",
    Code.CONFLICT: "another value is stored for this time; the first one stays",
    Code.UNSTORABLE: "the database refuses this reading",
}


@dataclass(slots=True)
class Refusal:
    """`count` readings refused: those of `metric` in `sample`, or all of it where metric is None.

    `sample` is None where the frame as a whole was refused. `value` is what was sent, shortened.
    """

    code: Code
    sample: int | None = None
    metric: str | None = None
    count: int = 1
    value: str = ""
    message: str = ""
    through: int | None = None

    def __post_init__(self) -> None:
        self.message = self.message or MESSAGES[self.code]
        self.through = self.sample if self.through is None else self.through


@dataclass(slots=True)
class Run:
    """Readings of one metric and one kind in one frame, in the order they were sent.

    `times_us[i]` and `values[i]` make a reading, sent in sample `samples[i]`. The lists may be
    shared between runs and must not be changed.
    """

    metric: str
    kind: int
    times_us: list[int]
    values: list[float] | list[str]
    samples: Sequence[int]


@dataclass(slots=True)
class Frame:
    """What a message came to: `readings` in all, to store in `runs`, refused in `refusals`."""

    runs: list[Run] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    readings: int = 0


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one frame may hold. `latest_us` is the newest time taken, `earliest_us` the oldest."""

    latest_us: int
    earliest_us: int = EARLIEST_US
    readings: int = 10_000
    metric_characters: int = METRIC_MAX_CHARACTERS
    text_characters: int = TEXT_MAX_CHARACTERS

    def reason(self, code: Code) -> str:
        """What is said to whoever is refused for `code`, with the limits that hold here."""
        if code is Code.TEXT_TOO_LONG:
            return _TEXT_RULE.format(self.text_characters)
        if code is Code.BAD_METRIC:
            return _METRIC_RULE.format(self.metric_characters)
        return MESSAGES[code]


def is_metric(name: str, most_characters: int = METRIC_MAX_CHARACTERS) -> bool:
    """Whether `name` can be a metric's. What is too long to be one is not remembered either."""
    return len(name) <= most_characters and _matches(name)


@lru_cache(maxsize=METRICS_REMEMBERED)
def _matches(name: str) -> bool:
    return _METRIC.fullmatch(name) is not None


def kind_of(value: object, text_characters: int = TEXT_MAX_CHARACTERS) -> int | Code:
    """The kind of a decoded JSON value, or why it cannot be one."""
    match value:
        case bool():
            return BOOLEAN
        case float():
            if not isfinite(value):
                return Code.NOT_FINITE
            return NUMBER if abs(value) <= NUMBER_MAX else Code.OUT_OF_RANGE
        case int():
            return NUMBER if abs(value) <= INTEGER_MAX else Code.OUT_OF_RANGE
        case str():
            if len(value) > text_characters:
                return Code.TEXT_TOO_LONG
            return TEXT if is_storable(value) else Code.BAD_TEXT
    return Code.BAD_VALUE


def is_storable(text: str) -> bool:
    """Whether both databases can keep `text`: no NUL (PostgreSQL), no lone surrogate (UTF-8)."""
    if text.isascii():
        return "\0" not in text
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def time_us(ts: object, bounds: Bounds) -> int | Code:
    """Microseconds since 1970 of a `ts` as sent, or why it is refused."""
    if isinstance(ts, bool) or not isinstance(ts, int | float | str):
        return Code.TS_INVALID
    if isinstance(ts, str):
        at_us = _parsed(ts)
        if at_us is None:
            return Code.TS_INVALID
    elif isinstance(ts, float) and not isfinite(ts):
        return Code.TS_INVALID
    elif 0 <= ts < SECONDS_BELOW:
        return Code.TS_UNIT
    elif abs(ts) > FAR_MS:
        return Code.TS_FUTURE if ts > 0 else Code.TOO_OLD
    else:
        at_us = round(ts * 1_000)
    if at_us > bounds.latest_us:
        return Code.TS_FUTURE
    return at_us if at_us >= bounds.earliest_us else Code.TOO_OLD


def _parsed(text: str) -> int | None:
    if "\0" in text:  # for Python 3.11 a time may end there
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment - _EPOCH) // _MICROSECOND if moment.tzinfo is not None else None


def shown(value: object, characters: int = VALUE_SHOWN_CHARACTERS) -> str:
    """What was sent, shortened, in characters that any database and page can take."""
    try:
        text = value if isinstance(value, str) else repr(value)
    except RecursionError:
        text = "nested too deep to show"
    text = text[:characters].encode("utf-8", "backslashreplace").decode()
    return text.replace("\0", "\\0")[:characters]


def refused_whole(code: Code, reason: str, sent: object = "", readings: int = 1) -> Frame:
    """A frame of which nothing can be taken; it counts as `readings` refused, and at least one."""
    readings = max(1, readings)
    refusal = Refusal(code, count=readings, value=shown(sent), message=reason)
    return Frame(refusals=[refusal], readings=readings)


def too_many(readings: int, bounds: Bounds) -> Frame:
    """A frame refused for its size."""
    reason = f"a frame has at most {bounds.readings} readings, this one has {readings}"
    return refused_whole(Code.BAD_FRAME, reason, readings=readings)
