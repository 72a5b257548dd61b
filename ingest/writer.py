"""The one writer of a hub process: takes frames from the buffer, commits them, then says so.

    consumers ─submit▶ buffer ─take▶ [thread: transactions.write ▶ commit] ─deliver▶ consumers: ack
                                     [between batches: hellos, one slice of sealing]

It runs in a thread of its own with a database connection of its own; nothing here waits on the
event loop, and nothing on the event loop waits for the database. What is delivered is committed.
Our own trouble keeps the batch and withholds the acks; a reading that the database refuses is
found, refused by name, and the rest of the batch goes on. On a database that is damaged nothing
more is tried.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from ingest.buffer import Buffer, Submission
from ingest.clock import Clock
from ingest.poison import without_poison
from ingest.storage import (
    Collision,
    Damaged,
    Engine,
    Outcome,
    OutcomeUnknown,
    Poison,
    Reason,
    Settlement,
    StreamAnswer,
    StreamLocked,
    StreamRequest,
    Trouble,
)
from ingest.storage.transaction import Transactions

logger = logging.getLogger(__name__)

HELLO_PATIENCE_S: Final = (
    2.0  # a stream that another hub's batch holds is asked for again this long
)
HELLO_RETRY_S: Final = 0.05
LAST_TRY_S: Final = 0.5  # of a writer that is told to give up; one that hangs is left behind
SEAL_LOOK_S: Final = 1.0  # how often it looks whether a minute has closed
# Sealing goes on for so long after a batch while more is due: a batch of 20,000 readings is written
# in half of it, so what is due never grows, and an ack waits at most one step more.
SEAL_SLOT_S: Final = 0.04
# What a stop goes on trying for while the database is in trouble: one more answer that is late.
STOP_IN_TROUBLE_S: Final = 2.0
STOP_LOOK_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class WriterOptions:
    """When the writer flushes, and how it meets trouble. Times in seconds."""

    flush_interval_s: float = 0.02
    flush_readings: int = 20_000
    retry_interval_s: float = 0.5
    seal_grace_s: float = 10.0
    refused_kept: int = 1_000
    streams: int = 8
    metrics: int = 2_000


@dataclass(slots=True)
class Flush:
    """Figures of the last committed batch, for the metrics."""

    frames: int
    readings: int
    size_bytes: int
    write_s: float


@dataclass(slots=True)
class _Waiting:
    request: StreamRequest
    until: float


@dataclass(slots=True)
class Delivery:
    """What the writer has to say to the event loop, in order."""

    outcome: Outcome | None = None
    flush: Flush | None = None
    streams: list[tuple[StreamRequest, StreamAnswer | None]] = field(default_factory=list)
    broken: list[Any] = field(default_factory=list)  # connections whose frame our own bug broke on
    looked: bool = False  # for the newest commit, the first time or after it could not


class Writer:
    """See the module. `deliver` is called in the writer's thread, once a commit, in order."""

    def __init__(
        self,
        open_engine: Callable[[], Engine],
        options: WriterOptions,
        deliver: Callable[[Delivery], None],
        now_us: Callable[[], int],
    ) -> None:
        self.options = options
        self.buffer = Buffer()
        self.clock = Clock()
        # What the database last said, while it cannot be written, and that in general words.
        self.in_trouble: str | None = None
        self.trouble: Reason | None = None
        # Why a power cut might lose what is acked, where a hub was told to live with that.
        self.weakness: str | None = None
        self._open_engine = open_engine
        self._deliver = deliver
        self._now_us = now_us
        self._hellos: list[_Waiting] = []
        self._changed = threading.Condition()
        self._stopping = False
        self._abandoned = threading.Event()
        self._thread = threading.Thread(target=self._run, name="weir-writer", daemon=True)
        self._seal_look = 0.0
        self._seal_due = False
        self._seal_trouble = ""

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout_s: float) -> bool:
        """Flush what waits and end; False where the database did not let it within the time.

        In trouble it waits less: what was not committed is the devices' to send again.
        """
        with self._changed:
            self._stopping = True
            self._changed.notify()
        began_s = time.monotonic()
        while self._thread.is_alive() and (waited_s := time.monotonic() - began_s) < timeout_s:
            if self.in_trouble is not None and waited_s >= STOP_IN_TROUBLE_S:
                break
            self._thread.join(STOP_LOOK_S)
        self._abandoned.set()
        self._thread.join(LAST_TRY_S)
        return not self.buffer

    @property
    def is_damaged(self) -> bool:
        """The database is damaged: nothing is written any more, until a hub is started anew."""
        return self.trouble is Reason.DAMAGED

    def submit(self, submission: Submission) -> None:
        """Put a frame on the line. Any thread; never waits for the database."""
        with self._changed:
            was_empty = not self.buffer
            self.buffer.add(submission)
            if was_empty or self.buffer.readings >= self.options.flush_readings:
                self._changed.notify()

    def open_stream(self, request: StreamRequest) -> None:
        """Ask for a stream; the answer is delivered, None where another hub holds it too long."""
        with self._changed:
            self._hellos.append(_Waiting(request, time.monotonic() + HELLO_PATIENCE_S))
            self._changed.notify()

    def _run(self) -> None:
        engine = self._open_engine()
        transactions = Transactions(engine, self.options.refused_kept, self.options.metrics)
        try:
            self._work(engine, transactions)
            if self.is_damaged:
                self._refuse_hellos()
        except BaseException:
            logger.exception("the writer died; the hub takes nothing more")
            raise
        finally:
            engine.close()

    def _work(self, engine: Engine, transactions: Transactions) -> None:
        """Until it is stopped, or the database turns out to be damaged."""
        self._look_up_clock(engine)
        self._is_over(engine)  # a database that cannot be written is known before a frame comes
        while not self._abandoned.is_set() and not self.is_damaged:
            hellos, batch = self._next()
            if hellos:
                self._answer(transactions, hellos)
            if batch:
                self._flush(transactions, batch)
            if self._stopping and not self.buffer and not self._hellos:
                return
            self._seal(engine)

    def _refuse_hellos(self) -> None:
        """All that is left to do with a database that is damaged, until the hub is stopped."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._hellos or self._stopping)
                hellos, self._hellos = self._hellos, []
            if hellos:
                self._deliver(Delivery(streams=[(waiting.request, None) for waiting in hellos]))
            if self._stopping:
                return

    def _look_up_clock(self, engine: Engine) -> None:
        """Learn from the database when the newest commit was; while in doubt, again and again."""
        was_known = self.clock.is_known
        try:
            self.clock.learn(engine.newest_commit_us())
        except Trouble as error:
            self._meet(error)
        except Exception:
            logger.exception("a bug in looking for the newest commit; the clock is taken as right")
            self.clock.learn(0)
        if not was_known:
            self._deliver(Delivery(looked=True))

    def _next(self) -> tuple[list[_Waiting], list[Submission]]:
        """Wait until there is something to do, and lend a batch if one is due."""
        options = self.options
        with self._changed:
            while True:
                due = self.buffer.is_due(
                    time.monotonic(), options.flush_readings, options.flush_interval_s
                )
                hellos, self._hellos = self._hellos, []
                if due or self._stopping:
                    return hellos, self.buffer.take(options.flush_readings) if self.buffer else []
                if hellos or self._seal_due or time.monotonic() >= self._seal_look:
                    return hellos, []
                timeout_s = options.flush_interval_s if self.buffer else SEAL_LOOK_S
                self._changed.wait(timeout_s)

    def _answer(self, transactions: Transactions, hellos: list[_Waiting]) -> None:
        now = time.monotonic()
        at_us = self._stamp_us()
        try:
            answers: Sequence[StreamAnswer | None] = transactions.open_streams(
                [waiting.request for waiting in hellos], self.options.streams, at_us
            )
            self.clock.committed(at_us)
            self._recovered(transactions.engine)
        except (Trouble, Poison) as error:
            self._meet(error)
            answers = [None] * len(hellos)
        except Exception:
            logger.exception("a bug in opening streams; the devices are told to come again")
            answers = [None] * len(hellos)
        delivery = Delivery()
        again: list[_Waiting] = []
        for waiting, answer in zip(hellos, answers, strict=True):
            locked = isinstance(answer, StreamLocked)
            if locked and now < waiting.until:
                again.append(waiting)
            else:
                delivery.streams.append((waiting.request, None if locked else answer))
        self._deliver(delivery)
        if again:
            with self._changed:
                self._hellos[:0] = again
                if not self.buffer:
                    self._changed.wait(HELLO_RETRY_S)

    def _flush(self, transactions: Transactions, batch: list[Submission]) -> None:
        """Commit the lent batch, in parts if it cannot be written whole. Never loses its order.

        What is committed is delivered part by part; trouble in the midst keeps the rest.
        """
        parts = [batch]
        while parts:
            try:
                parts = self._flush_first(transactions, parts)
            except Trouble as error:
                self._keep(parts, error)
                return
        with self._changed:
            self.buffer.settle()

    def _flush_first(
        self, transactions: Transactions, parts: list[list[Submission]]
    ) -> list[list[Submission]]:
        """Commit the first part and deliver it, or divide it; the parts still to be written."""
        part, *rest = parts
        started = time.perf_counter()
        try:
            outcome = self._write(transactions, part)
        except Trouble:
            raise
        except Exception as error:
            return self._divide(transactions, part, rest, error)
        self._recovered(transactions.engine)
        flush = _flush_of(part, time.perf_counter() - started)
        if not rest:
            with self._changed:
                self.buffer.settle()
        self._deliver(Delivery(outcome, flush))
        return rest

    def _write(self, transactions: Transactions, part: list[Submission]) -> Outcome:
        """Commit; where the answer to COMMIT was lost, ask until it is known what became of it."""
        at_us = self._stamp_us()
        try:
            outcome = transactions.write(part, at_us)
        except OutcomeUnknown as error:
            self._meet(error)
            resolved = self._resolve(transactions)
            if resolved is None:
                raise
            outcome = resolved
        self.clock.committed(at_us)
        return outcome

    def _resolve(self, transactions: Transactions) -> Outcome | None:
        while not self._abandoned.wait(self.options.retry_interval_s):
            try:
                return transactions.resolve()
            except Damaged:
                raise
            except Trouble as error:
                self._meet(error)
        return None

    def _keep(self, parts: list[list[Submission]], error: Trouble) -> None:
        """What is not committed goes back in front, so that what comes meanwhile goes behind it."""
        with self._changed:
            self.buffer.keep([submission for part in parts for submission in part])
        if not isinstance(error, Collision):
            self._meet(error)
            self._abandoned.wait(self.options.retry_interval_s)

    def _divide(
        self,
        transactions: Transactions,
        part: list[Submission],
        rest: list[list[Submission]],
        error: Exception,
    ) -> list[list[Submission]]:
        """What to write in place of a part that cannot be written: halves, or one frame mended.

        A frame that meets a bug of ours cannot be mended; its connection is broken off.
        """
        if not isinstance(error, Poison):
            logger.error("a bug in the writer; the frame it broke on is looked for", exc_info=error)
        if len(part) > 1:
            middle = len(part) // 2
            return [part[:middle], part[middle:], *rest]
        submission = part[0]
        if isinstance(error, Poison):
            takes = partial(transactions.takes, submission, self._stamp_us())
            try:
                mended = without_poison(submission, takes)
            except Trouble:
                raise
            except Exception:
                logger.exception("a bug in looking for poison")
                mended = None
            if mended is not None:
                logger.warning("the database refuses readings of a frame: %s", error)
                return [[mended], *rest]
        return self._break_off(submission.connection, [part, *rest])

    def _break_off(
        self, connection: object, parts: list[list[Submission]]
    ) -> list[list[Submission]]:
        """A connection our own bug broke on stores nothing more: its frames leave the batch."""
        left = [s for part in parts for s in part if s.connection is connection]
        flush = _flush_of(left, 0.0)
        gone = Settlement(connection, left[-1].seq, readings=flush.readings, fenced=True)
        self._deliver(Delivery(Outcome([gone], []), flush, broken=[connection]))
        kept = [[s for s in part if s.connection is not connection] for part in parts]
        return [part for part in kept if part]

    def _seal(self, engine: Engine) -> None:
        """Some steps of sealing, if they are due and the database is well."""
        now = time.monotonic()
        if not (self._seal_due or now >= self._seal_look):
            return
        self._seal_look = now + SEAL_LOOK_S
        if not self.clock.is_known or self.clock.is_behind(self._now_us()):
            self._look_up_clock(engine)  # what is over by this clock is sealed, or never was
            self._seal_due = False
            return
        if self.in_trouble is not None and not self._is_over(engine):
            self._seal_due = False
            return
        grace_us = round(self.options.seal_grace_s * 1_000_000)
        before_us = (self._now_us() - grace_us) // 60_000_000 * 60_000_000
        try:
            self._seal_due = engine.seal(before_us)
            while self._seal_due and time.monotonic() - now < SEAL_SLOT_S:
                self._seal_due = engine.seal(before_us)
            self._seal_trouble = ""
        except Damaged as error:
            self._seal_due = False
            self._meet(error)
        except Exception as error:
            self._seal_due = False
            if self._seal_trouble != str(error):
                self._seal_trouble = str(error)
                known = isinstance(error, Trouble | Poison)
                logger.warning("sealing waits: %s", error, exc_info=None if known else error)

    def _is_over(self, engine: Engine) -> bool:
        """Whether the database can be written; asked while no batch waits that would find out."""
        if self.buffer:
            return False
        try:
            engine.ping()
        except Exception as error:
            self._meet(error)
            return False
        self._recovered(engine)
        return True

    def _stamp_us(self) -> int:
        return self.clock.stamp(self._now_us())

    def _meet(self, error: Exception) -> None:
        """Say once what it is. Damage stays: what would be read next may be wrong."""
        if self.is_damaged:
            return
        reason = error.reason if isinstance(error, Trouble) else Reason.OTHER
        if reason is Reason.DAMAGED:
            logger.critical("%s, and nothing more is written: %s", reason, error)
        elif reason is not self.trouble:
            logger.error("%s, acks wait: %s", reason, error)
        self.in_trouble, self.trouble = str(error), reason

    def _recovered(self, engine: Engine) -> None:
        if self.is_damaged:
            return
        if self.in_trouble is not None:
            logger.warning("the database can be written again")
        self.in_trouble = self.trouble = None
        if engine.weakness is not None and engine.weakness != self.weakness:
            logger.warning("what is acked may be lost: %s", engine.weakness)
        self.weakness = engine.weakness


def _flush_of(part: list[Submission], write_s: float) -> Flush:
    readings = size_bytes = 0
    for submission in part:
        readings += submission.frame.readings
        size_bytes += submission.size_bytes
    return Flush(len(part), readings, size_bytes, write_s)


__all__ = ["Delivery", "Flush", "Settlement", "Writer", "WriterOptions"]
