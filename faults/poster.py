"""A device that posts its frames, and some readings among them that are to be refused."""

from __future__ import annotations

import json
import random
import threading
import time
from pathlib import Path
from typing import Self

from simulators.ledger import Ledger
from simulators.notes import Frame, Outcome, Settled
from tests.hubs import Hub

REFUSED_SHARE = 0.2
TOO_LONG = "x" * 5_000


class Poster:
    """Posts in a thread of its own while the context lasts; `ledger` holds what it was told."""

    def __init__(
        self, hub: Hub, uid: str, token: str, path: Path, rng: random.Random, interval_s: float
    ) -> None:
        self.path = path
        self.answers = 0
        self.refused = 0
        self._hub = hub
        self._uid = uid
        self._headers = {"Authorization": f"Bearer {token}"}
        self._ledger = Ledger(path)
        self._rng = random.Random(rng.random())
        self._interval_s = interval_s
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="poster", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._ended.set()
        self._thread.join()
        self._ledger.close()

    def _run(self) -> None:
        while not self._ended.wait(self._interval_s):
            self._post()

    def _post(self) -> None:
        now_ms = time.time_ns() // 1_000_000
        values: dict[str, object] = {"level": round(self._rng.gauss(20, 5), 3)}
        if self._rng.random() < REFUSED_SHARE:
            values["note"] = TOO_LONG
        body = json.dumps({"ts": now_ms, "values": values}, separators=(",", ":"))
        stream = f"plain:{self._rng.randbytes(8).hex()}"
        frame = Frame(1, body.encode(), len(values), time.monotonic())
        self._ledger.frame(self._uid, stream, frame, now_ms)
        self._ledger.flush()
        answer = self._hub.ask("/ingest/", body, headers=self._headers)
        if answer.status != 200:
            return  # busy, say: what became of it is unknown, and nobody was promised anything
        told = answer.json
        outcome = Outcome(told["stored"], told["duplicate"], told["rejected"])
        self._ledger.note(self._uid, Settled(stream, 1, outcome, told.get("errors", []), False, []))
        self.answers += 1
        self.refused += outcome.rejected
