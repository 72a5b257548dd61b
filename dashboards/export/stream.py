"""Parts that are made in a thread of their own, one when it is asked for."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from django.db import Error as DatabaseTrouble
from django.db import connection

from dashboards.api.problems import BUGS

logger = logging.getLogger(__name__)


class Stream:
    """`parts` as Django sends them: an asynchronous iterator, and a `close` for when nobody takes
    the rest.

    Its thread and that one's database connection end as soon as the part at hand is made; then
    `ended` is called, once, in that thread.
    """

    def __init__(self, parts: Iterator[bytes], ended: Callable[[], None]) -> None:
        self._parts = parts
        self._ended = ended
        self._first: bytes | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="weir-export")
        self._closing = threading.Lock()  # taken by whoever closes first, and never given back

    async def begin(self) -> None:
        """Make the first part, so that what fails at once can still be told in words."""
        self._first = await self._part()

    def __aiter__(self) -> Stream:
        return self

    async def __anext__(self) -> bytes:
        part, self._first = self._first, None
        try:
            part = part or await self._part()
        except BUGS:
            raise
        except DatabaseTrouble as error:
            logger.warning("an export was cut off, the database cannot be read: %s", error)
            # Django then ends without the end of the answer, and the server cuts the connection.
            # It does so for any error, but takes others for bugs.
            raise asyncio.CancelledError from None
        if part is None:
            raise StopAsyncIteration
        return part

    def close(self) -> None:
        """From any thread, and more than once."""
        if self._closing.acquire(blocking=False):
            with suppress(RuntimeError):  # Python itself ends
                self._thread.submit(self._end)
            self._thread.shutdown(wait=False)

    def __del__(self) -> None:
        self.close()  # Django does not, of an answer that is given up before it is sent

    async def _part(self) -> bytes | None:
        """The next one that is not empty; None after the last."""
        part: bytes | None = b""
        try:
            while part == b"" and not self._closing.locked():
                # An empty one is a moment in which the receiver may turn out to have left.
                loop = asyncio.get_running_loop()
                part = await loop.run_in_executor(self._thread, next, self._parts, None)
        except BaseException:
            self.close()
            raise
        if not part:
            self.close()
        return part or None

    def _end(self) -> None:
        try:
            connection.close()
        finally:
            self._ended()
