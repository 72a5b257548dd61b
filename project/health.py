"""`/healthz` and `/readyz`: for whoever restarts a hub, and for whoever sends it devices.

Answered before Django: a probe calls a hub by an address, not by one of its names, and is to hear
of a database that hangs within seconds. It looks at the writer and asks the database, in a thread
of its own, and knows nothing else of the line.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final, Protocol

import orjson
from django.db import DatabaseError, connection

from devices.models import Device
from ingest.clock import Clock
from ingest.condition import Condition
from ingest.storage import Reason

logger = logging.getLogger(__name__)

ANSWER_WITHIN_S: Final = 2.0  # probes commonly wait five seconds, some only three

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Application = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]


class Writer(Protocol):
    """What is looked at of the line."""

    clock: Clock
    condition: Condition

    @property
    def is_alive(self) -> bool: ...


class Probe:
    """Puts one question at a time to something that may hang, however many wait for the answer."""

    def __init__(self, ask: Callable[[], bool], within_s: float = ANSWER_WITHIN_S) -> None:
        """`ask` runs in a thread that nobody waits for at the end; a new one for each question."""
        self._ask = ask
        self._within_s = within_s
        self._asked: asyncio.Future[bool] | None = None

    async def answer(self) -> bool:
        """What `ask` says; False where it does not say anything in time."""
        if self._asked is None:
            self._asked = asyncio.get_running_loop().create_future()
            threading.Thread(target=self._run, args=[self._asked], daemon=True).start()
        try:
            async with asyncio.timeout(self._within_s):
                return await asyncio.shield(self._asked)
        except TimeoutError:
            return False

    def _run(self, asked: asyncio.Future[bool]) -> None:
        answer = False
        try:
            answer = self._ask()
        finally:
            with suppress(RuntimeError):  # the loop has ended, and with it everybody who asked
                asked.get_loop().call_soon_threadsafe(self._tell, asked, answer)

    def _tell(self, asked: asyncio.Future[bool], answer: bool) -> None:
        self._asked = None
        asked.set_result(answer)


def database_answers() -> bool:
    """Whether a row can be read, over a connection opened for it. Blocks, maybe for long."""
    try:
        Device.objects.exists()
    except DatabaseError:
        return False
    finally:
        connection.close()
    return True


async def healthz(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """The process lives, and its event loop turns: that it can answer is the answer."""
    await _answer(scope, send, 200, {"alive": True})


def readyz(
    writer: Writer, database: Probe, details: Callable[[dict[str, Any]], bool]
) -> Application:
    """200 where frames are taken and acked, else 503; with what was looked at for those who may.

    In general words: a driver's message tells names and addresses.
    """

    async def ready(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        reached = await database.answer()
        if not writer.is_alive:
            state = "has ended: restart the hub"
        elif writer.condition.trouble is Reason.DAMAGED:
            state = f"cannot write: {writer.condition.trouble}, see docs/operations.md"
        elif writer.condition.trouble is not None:
            state = f"cannot write: {writer.condition.trouble}, acks wait"
        else:
            state = "ok"
        behind = writer.clock.is_behind(time.time_ns() // 1_000)
        found = {
            "writer": state,
            "database": "ok" if reached else "does not answer",
            "clock": "is behind the newest commit: nothing is taken" if behind else "ok",
        }
        is_ready = all(word == "ok" for word in found.values())
        told = {"ready": is_ready, **(found if details(scope) else {})}
        await _answer(scope, send, 200 if is_ready else 503, told)

    return ready


async def _answer(scope: dict[str, Any], send: Send, status: int, found: dict[str, Any]) -> None:
    headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
    if scope["method"] not in ("GET", "HEAD"):
        status, found = 405, {"error": "ask by GET"}
        headers.append((b"allow", b"GET, HEAD"))
    body = orjson.dumps(found)
    headers.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
