"""A device's end of a `Session`, with the writer's settling in the test's hands."""

from __future__ import annotations

import json
from typing import Any

from ingest.hello import Hello, Opened
from ingest.limits import Limits
from ingest.session import Hold, Refused, Session, Taken
from ingest.settlement import Settlement
from tests.unit.ingest.frames import NOW_MS, NOW_US

LIMITS = Limits(frame_bytes=1_024, frame_readings=100, in_flight=4)


def opened(committed: int = 0, **counts: int) -> Opened:
    tale = {"lost": 0, "stored": 0, "duplicate": 0, "rejected": 0} | counts
    return Opened(7, 12_345, "s1", committed, **tale)


def hello(first: object = 1, last: object = 0, **more: object) -> dict[str, object]:
    return {"type": "hello", "stream": "s1", "held": {"first": first, "last": last}, **more}


def frame(seq: int | None = None, readings: int = 1) -> dict[str, object]:
    samples = [{"ts": NOW_MS + i, "values": {"t": 1}} for i in range(readings)]
    return {"readings": samples} if seq is None else {"seq": seq, "readings": samples}


class Speech:
    """What the device says goes in by `say`; what the hub answers comes back from it, decoded."""

    def __init__(self, *, authenticated: bool = True, limits: Limits = LIMITS) -> None:
        self.session = Session(limits, authenticated=authenticated)
        self.refusal: Refused | None = None  # why the hub takes nothing, if it does not
        self.held = 0  # texts that the hub could not take at once
        self.taken: list[Taken] = []
        self.hello: Hello | None = None

    def say(self, message: object) -> list[dict[str, Any]]:
        text = message if isinstance(message, str) else json.dumps(message)
        came = self.session.receive(text, NOW_US, self.refusal)
        if isinstance(came, Taken):
            self.taken.append(came)
        elif isinstance(came, Hold):
            self.held += 1
        elif isinstance(came, Hello):
            self.hello = came
        return self.hear()

    def send(self, *seqs: int) -> list[dict[str, Any]]:
        """Frames of one reading."""
        return [reply for seq in seqs for reply in self.say(frame(seq))]

    def welcome(self, stream: Opened | None) -> list[dict[str, Any]]:
        self.session.welcome("session", NOW_MS, stream)
        return self.hear()

    def settle(self, through: int, stored: int = 0) -> list[dict[str, Any]]:
        self.session.settle(Settlement(None, through, stored))
        return self.hear()

    def flow(self, window: int) -> list[dict[str, Any]]:
        self.session.flow(window)
        return self.hear()

    def hear(self) -> list[dict[str, Any]]:
        replies, self.session.replies = self.session.replies, []
        return [json.loads(reply) for reply in replies]

    @property
    def seqs(self) -> list[int]:
        return [taken.seq for taken in self.taken]

    @property
    def closed(self) -> int | None:
        return self.session.close.closes if self.session.close else None


def plain() -> Speech:
    return Speech()


def reliable(committed: int = 0) -> Speech:
    speech = Speech()
    speech.say(hello(committed + 1, committed))
    speech.welcome(opened(committed))
    return speech
