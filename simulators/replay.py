"""`replay`: recorded samples sent again, in their order, each with its own time.

At a speed a sample is sent when its time has come, by its distance from the first; as fast as the
window allows (`speed` None) a frame takes as many as are allowed. A clock that went back in the
recording holds nothing up: what follows is sent at once, with the times as recorded.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import orjson

from simulators import Trouble
from simulators.device import Device, Limits
from simulators.encoding import Form
from simulators.fleet import Fleet
from simulators.recordings import Sample
from simulators.session import Session, pump
from simulators.tokens import Credential

SPARE_BYTES = 64
"""Room left in a frame for its number and brackets."""


@dataclass(frozen=True, slots=True)
class Playback:
    """How to replay."""

    speed: float | None
    shift_to_now: bool
    form: Form
    samples: int
    """At most so many samples a frame."""


def assign(
    nodes: Sequence[str], credentials: list[Credential], uid: str | None, prefix: str | None
) -> dict[str, Credential]:
    """Who speaks for each node: the device named, prefix and node, or by the tokens' order."""
    by_uid = {credential.uid: credential for credential in credentials}
    if uid is not None and len(nodes) > 1:
        raise Trouble(f"The recording has {len(nodes)} nodes: name devices by --device-prefix.")
    if uid is None and prefix is None:
        if len(credentials) < len(nodes):
            raise Trouble(
                f"The recording has {len(nodes)} nodes, the tokens file {len(credentials)} devices."
            )
        return dict(zip(nodes, credentials, strict=False))
    wanted = {node: uid if uid is not None else f"{prefix}{node}" for node in nodes}
    missing = [name for name in wanted.values() if name not in by_uid]
    if missing:
        raise Trouble(f"The tokens file has no device {', '.join(missing)}.")
    return {node: by_uid[name] for node, name in wanted.items()}


def shift_us(samples: Sequence[Sample], playback: Playback, now_us: int) -> int:
    """How much later than recorded the times are: the most that sends none before its time."""
    if not playback.shift_to_now or not samples:
        return 0
    first_us = samples[0].time_us
    span_us = max(sample.time_us for sample in samples) - first_us
    taking_us = 0 if playback.speed is None else round(span_us / playback.speed)
    return now_us - first_us + min(0, taking_us - span_us)


def frame_text(samples: Iterable[Sample], form: Form, later_us: int) -> tuple[bytes, int]:
    """A frame's text after its `seq`, and how many readings are in it."""
    samples = list(samples)
    readings = sum(value is not None for sample in samples for value in sample.values.values())
    if form == "columns":
        names = dict.fromkeys(name for sample in samples for name in sample.values)
        columns = [_pair("ts", _list(_ts(sample, later_us) for sample in samples))]
        for name in names:
            values = (sample.values.get(name) or "null" for sample in samples)
            columns.append(_pair(name, _list(values)))
        return f'"columns":{{{",".join(columns)}}}}}'.encode(), readings
    texts = (_sample_text(sample, later_us) for sample in samples)
    return f'"readings":{_list(texts)}}}'.encode(), readings


def _sample_text(sample: Sample, later_us: int) -> str:
    values = (_pair(name, value) for name, value in sample.values.items() if value is not None)
    return f'{{"ts":{_ts(sample, later_us)},"values":{{{",".join(values)}}}}}'


def _ts(sample: Sample, later_us: int) -> str:
    ms, us = divmod(sample.time_us + later_us, 1000)
    if not us:
        return str(ms)
    return f"{ms}.{us:03d}" if ms >= 0 else repr((sample.time_us + later_us) / 1000)


def _pair(name: str, text: str) -> str:
    return f"{orjson.dumps(name).decode()}:{text}"


def _list(texts: Iterable[str]) -> str:
    return f"[{','.join(texts)}]"


class Tape:
    """What one device has still to send."""

    def __init__(self, device: Device, playback: Playback, later_us: int) -> None:
        self.left: deque[Sample] = deque()
        self._device = device
        self._playback = playback
        self._later_us = later_us

    def add_frame(self, due_s: float) -> None:
        """Cut one frame from what is left, within the hub's limits, and give it to the device."""
        count = self._cut(self._device.limits)
        samples = [self.left.popleft() for _ in range(count)]
        text, readings = frame_text(samples, self._playback.form, self._later_us)
        self._device.add(text, readings, due_s)

    def _cut(self, limits: Limits) -> int:
        most_bytes = (limits.frame_bytes or 1 << 20) - SPARE_BYTES
        most_readings = limits.frame_readings or 1 << 20
        count = size_bytes = readings = 0
        for sample in self.left:
            size_bytes += len(_sample_text(sample, self._later_us)) + 1
            readings += len(sample.values)
            if count and (size_bytes > most_bytes or readings > most_readings):
                break
            count += 1
            if count == self._playback.samples:
                break
        return count


async def produce(
    fleet: Fleet, samples: list[Sample], sessions: dict[str, Session], playback: Playback
) -> None:
    """The producer of `replay`, for `Fleet.run`; `sessions` by node."""
    later_us = shift_us(samples, playback, time.time_ns() // 1000)
    tapes = {node: Tape(s.device, playback, later_us) for node, s in sessions.items()}
    fleet.tally.skipped = sum(v is None for sample in samples for v in sample.values.values())
    if playback.speed is None:
        await _as_fast_as_it_goes(samples, sessions, tapes)
    else:
        await _at_speed(fleet, samples, sessions, tapes, playback.speed)


async def _as_fast_as_it_goes(
    samples: list[Sample], sessions: dict[str, Session], tapes: dict[str, Tape]
) -> None:
    loop, finished = asyncio.get_running_loop(), asyncio.Event()
    by_session = {id(session): tapes[node] for node, session in sessions.items()}
    for sample in samples:
        tapes[sample.node].left.append(sample)

    def fill(session: Session) -> None:
        tape = by_session[id(session)]
        while tape.left and session.device.room > 0:
            tape.add_frame(loop.time())
        if not any(tape.left for tape in tapes.values()):
            finished.set()

    for session in sessions.values():
        session.on_room = fill
        session.pump()
    await finished.wait()


async def _at_speed(
    fleet: Fleet,
    samples: list[Sample],
    sessions: dict[str, Session],
    tapes: dict[str, Tape],
    speed: float,
) -> None:
    loop = asyncio.get_running_loop()
    began_s, latest_us, at = loop.time(), samples[0].time_us, 0
    first_us = latest_us

    def due_s() -> float:
        return began_s + (max(latest_us, samples[at].time_us) - first_us) / 1e6 / speed

    while at < len(samples):
        await asyncio.sleep(max(0.0, due_s() - loop.time()))
        now_s, behind_due_s, fed = loop.time(), due_s(), dict[str, float]()
        fleet.tally.behind_s = max(fleet.tally.behind_s, now_s - behind_due_s)
        while at < len(samples) and due_s() <= now_s:
            sample = samples[at]
            fed.setdefault(sample.node, due_s())
            tapes[sample.node].left.append(sample)
            latest_us, at = max(latest_us, sample.time_us), at + 1
        for node, when_s in fed.items():
            while tapes[node].left:
                tapes[node].add_frame(when_s)
        pump(sessions[node] for node in fed)
