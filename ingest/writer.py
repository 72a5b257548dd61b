"""The one writer of a hub process: takes frames from the buffer, commits them, then says so.

    consumers ─submit▶ buffer ─take▶ [thread: transactions.write ▶ commit] ─deliver▶ consumers: ack
                                     [between batches: hellos, one slice of sealing]

It runs in a thread of its own with a database connection of its own; nothing here waits on the
event loop, and nothing on the event loop waits for the database. What is delivered is committed.
Our own trouble keeps the batch and withholds the acks; a reading that the database refuses is
found, refused by name, and the rest of the batch goes on. On a database that is damaged nothing
more is tried. What it does between batches is `upkeep`'s, what it says `delivery`'s.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from ingest.buffer import Buffer, Submission
from ingest.clock import Clock
from ingest.condition import Condition
from ingest.delivery import Delivery, Parts, broken_off, flush_of
from ingest.hellos import Hellos, Waiting, sort_answers
from ingest.poison import without_poison
from ingest.storage import (
    Collision,
    Damaged,
    Engine,
    Outcome,
    OutcomeUnknown,
    Poison,
    StreamAnswer,
    StreamRequest,
    Trouble,
)
from ingest.storage.transaction import Transactions
from ingest.upkeep import SEAL_LOOK_S, Upkeep

logger = logging.getLogger(__name__)

HELLO_RETRY_S: Final = 0.05
LAST_TRY_S: Final = 0.5  # of a writer that is told to give up; one that hangs is left behind
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
        self.condition = Condition()
        self._open_engine = open_engine
        self._deliver = deliver
        self._now_us = now_us
        self._hellos = Hellos()
        self._changed = threading.Condition()
        self._stopping = False
        self._abandoned = threading.Event()
        self._thread = threading.Thread(target=self._run, name="weir-writer", daemon=True)

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
            if self.condition.trouble is not None and waited_s >= STOP_IN_TROUBLE_S:
                break
            self._thread.join(STOP_LOOK_S)
        self._abandoned.set()
        self._thread.join(LAST_TRY_S)
        return not self.buffer

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
            self._hellos.add(request, time.monotonic())
            self._changed.notify()

    def _run(self) -> None:
        engine = self._open_engine()
        try:
            self._work(engine)
            if self.condition.is_damaged:
                self._refuse_hellos()
        except BaseException:
            logger.exception("the writer died; the hub takes nothing more")
            raise
        finally:
            engine.close()

    def _work(self, engine: Engine) -> None:
        """Until it is stopped, or the database turns out to be damaged."""
        transactions = Transactions(engine, self.options.refused_kept, self.options.metrics)
        grace_s = self.options.seal_grace_s
        upkeep = Upkeep(engine, self.clock, self.condition, grace_s, self._now_us, self._deliver)
        upkeep.look_up_clock()
        if not self.buffer:
            upkeep.can_write()  # a database that cannot be is known before a frame comes
        while not self._abandoned.is_set() and not self.condition.is_damaged:
            hellos, batch = self._next(upkeep)
            if hellos:
                self._answer(transactions, hellos)
            if batch:
                self._flush(transactions, batch)
            if self._stopping and not self.buffer and not self._hellos:
                return
            upkeep.seal(bool(self.buffer))

    def _refuse_hellos(self) -> None:
        """All that is left to do with a database that is damaged, until the hub is stopped."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._hellos or self._stopping)
                hellos = self._hellos.take()
            if hellos:
                self._deliver(Delivery(streams=[(waiting.request, None) for waiting in hellos]))
            if self._stopping:
                return

    def _next(self, upkeep: Upkeep) -> tuple[list[Waiting], list[Submission]]:
        """Wait until there is something to do, and lend a batch if one is due."""
        options = self.options
        with self._changed:
            while True:
                now_s = time.monotonic()
                due = self.buffer.is_due(now_s, options.flush_readings, options.flush_interval_s)
                hellos = self._hellos.take()
                if due or self._stopping:
                    return hellos, self.buffer.take(options.flush_readings) if self.buffer else []
                if hellos or upkeep.is_due(now_s):
                    return hellos, []
                timeout_s = options.flush_interval_s if self.buffer else SEAL_LOOK_S
                self._changed.wait(timeout_s)

    def _answer(self, transactions: Transactions, hellos: list[Waiting]) -> None:
        now_s = time.monotonic()
        at_us = self._stamp_us()
        try:
            answers: Sequence[StreamAnswer | None] = transactions.open_streams(
                [waiting.request for waiting in hellos], self.options.streams, at_us
            )
            self.clock.committed(at_us)
            self.condition.recovered(transactions.engine.weakness)
        except (Trouble, Poison) as error:
            self.condition.meet(error)
            answers = [None] * len(hellos)
        except Exception:
            logger.exception("a bug in opening streams; the devices are told to come again")
            answers = [None] * len(hellos)
        answered, again = sort_answers(hellos, answers, now_s)
        self._deliver(Delivery(streams=answered))
        if again:
            with self._changed:
                self._hellos.keep(again)
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

    def _flush_first(self, transactions: Transactions, parts: Parts) -> Parts:
        """Commit the first part and deliver it, or divide it; the parts still to be written."""
        part, *rest = parts
        started = time.perf_counter()
        try:
            outcome = self._write(transactions, part)
        except Trouble:
            raise
        except Exception as error:
            return self._divide(transactions, parts, error)
        self.condition.recovered(transactions.engine.weakness)
        flush = flush_of(part, time.perf_counter() - started)
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
            self.condition.meet(error)
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
                self.condition.meet(error)
        return None

    def _keep(self, parts: Parts, error: Trouble) -> None:
        """What is not committed goes back in front, so that what comes meanwhile goes behind it."""
        with self._changed:
            self.buffer.keep([submission for part in parts for submission in part])
        if not isinstance(error, Collision):
            self.condition.meet(error)
            self._abandoned.wait(self.options.retry_interval_s)

    def _divide(self, transactions: Transactions, parts: Parts, error: Exception) -> Parts:
        """What to write where the first part cannot be: its halves, or its one frame mended.

        A frame that meets a bug of ours cannot be mended; its connection is broken off.
        """
        part, *rest = parts
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
        delivery, kept = broken_off(submission.connection, parts)
        self._deliver(delivery)
        return kept

    def _stamp_us(self) -> int:
        return self.clock.stamp(self._now_us())
