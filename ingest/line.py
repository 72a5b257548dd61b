"""The line of one hub process, as its connections see it: gate, writer, relay, who is connected.

All of it on the event loop but what the writer's thread does; the writer's deliveries cross over
here, once for each commit.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from contextlib import suppress
from math import ceil
from typing import Final

from devices.tokens import Bearer
from ingest import metrics
from ingest.admission import Admission
from ingest.buffer import Submission
from ingest.connections import Connection, Connections, Sender
from ingest.delivery import Delivery
from ingest.endings import Endings
from ingest.flow import Budget, cost_bytes, retry_after_ms
from ingest.gate import Gate, Unavailable
from ingest.limits import Limits
from ingest.places import Places
from ingest.rates import Buckets, Rates
from ingest.relay import Relay
from ingest.session import Refused, Taken
from ingest.storage import Engine, Outcome, StreamAnswer, StreamRequest
from ingest.windows import Windows
from ingest.writer import Writer, WriterOptions

logger = logging.getLogger(__name__)

# How long a connection that repeats itself too often is not read: it may have left meanwhile.
REPEAT_WAIT_MOST_S: Final = 1.0
LOOK_S: Final = 0.25  # how often it looks whether windows are to change
CLOCK_WAIT_S: Final = 5.0  # for the newest commit to be looked up, at the start
PAUSE_RETRY_MS: Final = 1_000
# A database that hangs says nothing at all, and a device that hears nothing does not know better
# than to wait. What it opens after that is taken over by the device's next hello.
HELLO_WITHIN_S: Final = 15.0


def now_us() -> int:
    return time.time_ns() // 1_000


class Line:
    """See the module. `open_engine` is called in the writer's thread."""

    def __init__(
        self,
        open_engine: Callable[[], Engine],
        options: WriterOptions,
        limits: Limits,
        gate: Gate,
        relay: Relay,
        budget: Budget | None = None,
        rate_burst_s: float = 60.0,
        places: Places | None = None,
        hello_timeout_s: float = 5.0,
    ) -> None:
        self.limits = limits
        self.hello_timeout_s = hello_timeout_s
        self.gate = gate
        self.relay = relay
        self.tally = metrics.Tally()
        self.budget = budget or Budget()
        self.places = places or Places()
        self.windows = Windows(self.budget, limits.in_flight, random.random)
        self.admission = Admission()
        self.buckets = Buckets(
            Rates(
                limits.frames_per_s, limits.readings_per_s, limits.bytes_per_s, burst_s=rate_burst_s
            )
        )
        self.writer = Writer(open_engine, options, self._cross_over, now_us)
        gate.clock = self.writer.clock
        self.stopping = False  # what comes now is not taken: its sender has it still
        self.connections = Connections()
        self.endings = Endings()
        self._looked = asyncio.Event()
        self._clock_doubted = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._watch_task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.writer.start()
        self.gate.start()
        self.relay.start()
        self._watch_task = self._loop.create_task(self._watch(), name="weir-windows")

    async def stop(self, timeout_s: float = 10.0) -> bool:
        """Flush, ack, say goodbye and end; False where readings are left that were not written.

        `timeout_s` is for the flush; while the database is in trouble it takes much less.
        """
        self.stopping = True
        if self._watch_task is not None:
            self._watch_task.cancel()
            await asyncio.gather(self._watch_task, return_exceptions=True)
        flushed = await asyncio.to_thread(self.writer.stop, timeout_s)
        await asyncio.sleep(0)  # what the writer delivered last is handled now
        await self.connections.say_goodbye(self.retry_after_ms)
        await self.relay.stop()
        await self.gate.stop()
        return flushed

    async def admit(self, token: str, address: str) -> Bearer:
        """Whom a token lets in, once it is known whether this machine's clock can be right.

        As `Gate.admit`.
        """
        if not self.writer.clock.is_known:
            with suppress(TimeoutError):
                async with asyncio.timeout(CLOCK_WAIT_S):
                    await self._looked.wait()
            if not self.writer.clock.is_known:
                raise Unavailable("the newest commit is not known yet")
        return await self.gate.admit(token, address)

    def refusal(self, bearer: Bearer, now_us: int) -> Refused | None:
        """Why no frame of this device can be taken now. Asked for each message."""
        # `is_paused`, without its calls: with a rate and the budget that a frame is charged to, a
        # message costs 7 µs on this side of the writer, where it cost 5.5 without any of them.
        if self.stopping or not self.windows.current or now_us < self.writer.clock.floor_us:
            return "busy", self.retry_after_ms(PAUSE_RETRY_MS)
        if not self.budget.has_room:
            metrics.BOUNDS_MET.labels("buffer").inc()
            return "busy", self.retry_after_ms(self.limits.busy_retry_ms)
        wait_s = self.buckets.wait_s(bearer.device_id, time.monotonic())
        if wait_s:
            metrics.BOUNDS_MET.labels(f"{self.buckets.scarcest(bearer.device_id)}_per_s").inc()
            return "rate_limited", ceil(wait_s * 1_000)
        return None

    def repeat(self, bearer: Bearer, size_bytes: int) -> float:
        """The device has sent a frame again for nothing: how long not to read it, in seconds.

        Such a frame is never nacked, or a device might send it for ever; but it is paid for.
        """
        now_s = time.monotonic()
        self.buckets.take(bearer.device_id, 0, size_bytes, now_s)
        return min(self.buckets.wait_s(bearer.device_id, now_s), REPEAT_WAIT_MOST_S)

    def is_paused(self, now_us: int) -> bool:
        """Whether nobody's frames are taken: the database is away, or the clock is wrong."""
        return self.stopping or self.windows.current == 0 or self.writer.clock.is_behind(now_us)

    def time_ms(self) -> int:
        """What devices are told the time is: not before a commit, where the clock is behind it."""
        return self.writer.clock.stamp(now_us()) // 1_000

    def retry_after_ms(self, least_ms: int = PAUSE_RETRY_MS) -> int:
        """When to come again: drawn, and later the more there are to come."""
        return retry_after_ms(least_ms, len(self.connections), random.random())

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                self.look()
            except Exception:
                logger.exception("a bug in working out windows; they stay as they are")

    def look(self) -> None:
        """Open, close or change the windows as things are now, and let in who waits for it."""
        in_trouble = self.writer.condition.trouble is not None or not self.writer.is_alive
        self.windows.look(paused=self._doubts_clock() or in_trouble)
        self.admission.let_in()

    def _doubts_clock(self) -> bool:
        clock, at_us = self.writer.clock, now_us()
        behind = clock.is_behind(at_us)
        if behind and not self._clock_doubted:
            logger.error(
                "this machine's clock is %.0f s behind the newest commit: nothing is taken until it"
                " is right. If it is the commit whose time is wrong: manage.py trustclock",
                clock.behind_s(at_us),
            )
        elif self._clock_doubted and not behind:
            logger.warning("this machine's clock is past the newest commit again")
        self._clock_doubted = behind
        return behind

    def submit(
        self,
        sender: Sender,
        bearer: Bearer,
        taken: Taken,
        stream: tuple[int, int] | None,
    ) -> None:
        """A taken frame goes to the writer; `stream` is (id, epoch) of a reliable connection."""
        readings = taken.frame.readings
        size_bytes = cost_bytes(taken.size_bytes)
        at_s = time.monotonic()
        self.tally.take(readings)
        self.budget.take(size_bytes, readings)
        self.buckets.take(bearer.device_id, readings, taken.size_bytes, at_s)
        metrics.TAKEN.inc()
        stream_id, epoch = stream or (None, 0)
        self.writer.submit(
            Submission(
                sender,
                bearer.device_id,
                bearer.token_id,
                taken.seq,
                taken.frame,
                at_s,
                stream_id,
                epoch,
                size_bytes,
            )
        )

    async def open_stream(self, request: StreamRequest) -> StreamAnswer | None:
        """The answer to a hello, once every earlier batch has settled; None if it can't be had."""
        answer: asyncio.Future[StreamAnswer | None] = asyncio.get_running_loop().create_future()
        self.writer.open_stream(
            StreamRequest((answer, request.key), request.device_id, request.hello)
        )
        with suppress(TimeoutError):
            async with asyncio.timeout(HELLO_WITHIN_S):
                return await answer
        return None

    def enter(self, connection: Connection) -> None:
        self.gate.enter(connection)
        self.connections.enter(connection)
        self.windows.enter(connection)

    def leave(self, connection: Connection) -> None:
        self.gate.leave(connection)
        self.connections.leave(connection)
        self.windows.leave(connection)

    def _cross_over(self, delivery: Delivery) -> None:
        """From the writer's thread to the event loop."""
        assert self._loop is not None
        try:
            self._loop.call_soon_threadsafe(self._deliver, delivery)
        except RuntimeError:  # the loop is closed: nobody is left to be told
            logger.info("the event loop ended before the writer's last delivery")

    def _deliver(self, delivery: Delivery) -> None:
        for request, answer in delivery.streams:
            future, _ = request.key
            if not future.done():
                future.set_result(answer)
        if delivery.looked:
            self.look()
            self._looked.set()
        for connection in delivery.broken:
            connection.break_off()
        if delivery.outcome is not None and delivery.flush is not None:
            metrics.BATCH_FRAMES.observe(delivery.flush.frames)
            metrics.BATCH_READINGS.observe(delivery.flush.readings)
            metrics.FLUSH_SECONDS.observe(delivery.flush.write_s)
            metrics.COMMIT_SECONDS.observe(delivery.outcome.commit_s)
            flush = delivery.flush
            self.budget.settle(flush.frames, flush.size_bytes, flush.readings)
            if self.windows.current == 0:
                self.look()  # the database is back
            self.admission.let_in()  # before those whose own acks make room: they came first
            self._settle(delivery.outcome)

    def _settle(self, outcome: Outcome) -> None:
        for settlement in outcome.settlements:
            if settlement.fenced:
                self.tally.fence(settlement.readings)
            else:
                self.tally.settle(
                    settlement.readings,
                    settlement.stored,
                    settlement.duplicate,
                    settlement.rejected,
                )
            for _, refusal in settlement.refusals:
                metrics.REFUSED.labels(refusal.code).inc(refusal.count)
            settlement.connection.settle(settlement)
        if outcome.written:
            metrics.ACK_SECONDS.observe(time.monotonic() - outcome.written[0].taken_s)
        if outcome.refusals_dropped:
            metrics.BOUNDS_MET.labels("refused_kept").inc(outcome.refusals_dropped)
        self.relay.note(outcome)
