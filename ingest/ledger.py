"""Reads the simulators' ledger: what was attempted, and what the hub said became of it.

The format is described in `simulators/ledger.py`. Pure, and kept apart from the line on purpose:
it shares no code with the hub's own decoding, so that a mistake there shows when the two are
compared (`ingest.reconciliation`).
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Any, NamedTuple

# Kinds as the protocol has them; a value of none of them can only be refused.
NUMBER, BOOLEAN, TEXT, NO_KIND = 0, 1, 2, -1
# A time that cannot be read: such a reading can only be refused.
NO_TIME_US = -(2**63)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_METRIC = re.compile(r"[A-Za-z][A-Za-z0-9_.:/-]{0,127}")
_NOT_METRICS = frozenset({"ts", "seq", "age_ms", "type"})
# Refusals whose count is not that of the readings we see in the frame.
_COUNTED_OTHERWISE = frozenset({"bad_frame", "bad_sample", "unsupported"})


class Fate(IntEnum):
    """What the hub said of a reading."""

    KEPT = 0
    """Acked and not refused: it must be stored."""
    CONFLICT = 1
    """Refused because another value is stored for its time."""
    REFUSED = 2
    """Refused by name for what it is, or in a frame that the hub could not read."""
    UNNAMED = 3
    """Settled, in a group of frames of which some readings were refused without their names."""
    UNKNOWN = 4
    """Never settled, or given up before it was: stored or not, both are right."""


class BrokenLedger(Exception):
    """A line that is none; the message says which."""


class Sent(NamedTuple):
    """One reading of a frame; `time_us` is None where it was sent without a time."""

    sample: int
    metric: str
    time_us: int | None
    kind: int
    value: float | str


class Attempt(NamedTuple):
    """One reading with its fate. `group` tells apart the groups of `Ledger.unnamed`."""

    device: str
    metric: str
    time_us: int | None
    kind: int
    value: float | str
    fate: Fate
    group: int


@dataclass(slots=True)
class _Stream:
    device: str
    pending: deque[tuple[int, list[Sent]]] = field(default_factory=deque)
    told: int = 0
    settled: int = 0
    overnamed: int = 0
    """Refusals named beyond those counted."""
    exact: bool = True
    """Whether the counts told can be held against the frames settled."""


@dataclass(slots=True)
class Ledger:
    """What one or more ledger files come to, as they are read."""

    frames: int = 0
    fates: Counter[Fate] = field(default_factory=Counter)
    told_stored: Counter[str] = field(default_factory=Counter)
    """Readings acked as stored, by device."""
    unnamed: dict[int, int] = field(default_factory=dict)
    """How many readings of a group were refused without their names."""
    _streams: dict[tuple[str, str], _Stream] = field(default_factory=dict)

    def read(self, lines: Iterable[bytes], name: str) -> Iterator[Attempt]:
        """The attempts whose fate these lines of the file `name` tell. Raises BrokenLedger."""
        for number, line in enumerate(lines, start=1):
            try:
                ((what, said),) = json.loads(line).items()
                yield from self._take(what, said)
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                if not line.endswith(b"\n"):
                    return  # its writer was killed at this line, before it sent the frame
                raise BrokenLedger(f"{name}, line {number}: not a line of a ledger.") from error

    def rest(self) -> Iterator[Attempt]:
        """After the last line: the attempts whose fate nothing told."""
        for stream in self._streams.values():
            while stream.pending:
                _, readings = stream.pending.popleft()
                yield from self._attempts(stream, readings, Fate.UNKNOWN)

    def miscounted(self) -> dict[str, int]:
        """By device: by how many readings acks said more or less than their frames held."""
        off: Counter[str] = Counter()
        for stream in self._streams.values():
            off[stream.device] += stream.overnamed
            if stream.exact:
                off[stream.device] += abs(stream.told - stream.settled)
        return {device: readings for device, readings in off.items() if readings}

    def _take(self, what: str, said: dict[str, Any]) -> Iterator[Attempt]:
        key = (said["device"], said["stream"])
        stream = self._streams.get(key)
        if stream is None:
            stream = self._streams[key] = _Stream(said["device"])
        if what == "frame":
            self.frames += 1
            stream.pending.append((said["seq"], readings_of(said["body"])))
        elif what == "settled":
            yield from self._settle(stream, said["through"], said, said["errors"])
        elif what == "resumed":
            yield from self._settle(stream, said["committed"], said["news"], [])
        elif what == "dropped":
            stream.exact = False
            given_up = range(said["first"], said["last"] + 1)
            yield from self._take_out(stream, given_up, Fate.UNKNOWN)
        elif what == "set_aside":
            yield from self._take_out(stream, range(said["seq"], said["seq"] + 1), Fate.REFUSED)
        else:
            raise ValueError(what)

    def _settle(
        self,
        stream: _Stream,
        through: int,
        counts: dict[str, int],
        errors: list[dict[str, Any]],
    ) -> Iterator[Attempt]:
        self.told_stored[stream.device] += counts["stored"]
        stream.told += counts["stored"] + counts["duplicate"] + counts["rejected"]
        unnamed = counts["rejected"] - sum(error.get("count", 1) for error in errors)
        stream.overnamed -= min(unnamed, 0)
        if unnamed > 0 or any(error["code"] in _COUNTED_OTHERWISE for error in errors):
            # Which form the unnamed refusals took is not told: their counts may be of frames.
            stream.exact = False
        group = len(self.unnamed) + 1
        if unnamed > 0:
            self.unnamed[group] = unnamed
        otherwise = Fate.UNNAMED if unnamed > 0 else Fate.KEPT
        while stream.pending and stream.pending[0][0] <= through:
            seq, readings = stream.pending.popleft()
            stream.settled += len(readings)
            refusals = [error for error in errors if error["seq"] == seq]
            if not refusals:
                yield from self._attempts(stream, readings, otherwise, group)
                continue
            for reading in readings:
                fate = _fate(reading, refusals, otherwise)
                yield from self._attempts(stream, [reading], fate, group)

    def _take_out(self, stream: _Stream, seqs: range, fate: Fate) -> Iterator[Attempt]:
        kept: deque[tuple[int, list[Sent]]] = deque()
        for seq, readings in stream.pending:
            if seq in seqs:
                yield from self._attempts(stream, readings, fate)
            else:
                kept.append((seq, readings))
        stream.pending = kept

    def _attempts(
        self, stream: _Stream, readings: list[Sent], fate: Fate, group: int = 0
    ) -> Iterator[Attempt]:
        self.fates[fate] += len(readings)
        for _, metric, time_us, kind, value in readings:
            yield Attempt(stream.device, metric, time_us, kind, value, fate, group)


def readings_of(body: str) -> list[Sent]:
    """The readings in a frame of any form but SenML; none where the hub can make nothing of it."""
    try:
        frame = json.loads(body)
    except (ValueError, RecursionError):
        return []
    if isinstance(frame, list):
        return _of_samples(frame)
    if not isinstance(frame, dict):
        return []
    if "readings" in frame:
        return _of_samples(frame["readings"])
    if "columns" in frame:
        return _of_columns(frame["columns"])
    if "values" in frame:
        return _of_samples([frame])
    if "senml" in frame or "type" in frame:
        return []
    values = {name: value for name, value in frame.items() if name not in _NOT_METRICS}
    return _of_samples([{"ts": frame.get("ts"), "values": values}])


def _of_samples(samples: object) -> list[Sent]:
    if not isinstance(samples, list):
        return []
    readings = []
    for number, sample in enumerate(samples):
        if not isinstance(sample, dict) or not isinstance(sample.get("values"), dict):
            continue
        time_us = _time_us(sample.get("ts"))
        for metric, value in sample["values"].items():
            if value is not None:
                readings.append(Sent(number, metric, time_us, *_typed(value)))
    return readings


def _of_columns(columns: object) -> list[Sent]:
    if not isinstance(columns, dict) or not all(isinstance(c, list) for c in columns.values()):
        return []
    length = max(map(len, columns.values()), default=0)
    times = [_time_us(ts) for ts in columns.get("ts", [None] * length)]
    return [
        Sent(number, metric, times[number] if number < len(times) else NO_TIME_US, *_typed(value))
        for metric, column in columns.items()
        if metric != "ts"
        for number, value in enumerate(column)
        if value is not None
    ]


def _time_us(ts: object) -> int | None:
    match ts:
        case None:
            return None
        case bool():
            return NO_TIME_US
        case int():
            return ts * 1000 if abs(ts) < 2**53 else NO_TIME_US
        case float() if math.isfinite(ts) and abs(ts) < 2**53:
            whole = math.floor(ts)
            return whole * 1000 + round((ts - whole) * 1000)
        case str():
            try:
                moment = datetime.fromisoformat(ts)
                return (moment - _EPOCH) // _MICROSECOND
            except (ValueError, TypeError):  # TypeError: it has no offset
                return NO_TIME_US
    return NO_TIME_US


def _typed(value: object) -> tuple[int, float | str]:
    match value:
        case bool():
            return BOOLEAN, float(value)
        case int() if abs(value) <= 2**53:
            return NUMBER, float(value)
        case float() if math.isfinite(value):
            return NUMBER, value
        case str() if value.isascii() or _is_unicode(value):
            return TEXT, value
    return NO_KIND, repr(value)[:100].encode("ascii", "backslashreplace").decode()


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _fate(reading: Sent, refusals: list[dict[str, Any]], otherwise: Fate) -> Fate:
    for refusal in refusals:
        first = refusal.get("sample")
        metric = refusal.get("metric")
        if first is not None and not first <= reading.sample <= refusal.get("through", first):
            continue
        # The name in a `bad_metric` may be shortened, or made fit to be shown.
        unfit = refusal["code"] == "bad_metric" and not _METRIC.fullmatch(reading.metric)
        if unfit or metric in (None, reading.metric):
            return Fate.CONFLICT if refusal["code"] == "conflict" else Fate.REFUSED
    return otherwise
