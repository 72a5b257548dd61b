"""The writer with a real engine that fails when it is told to: order, acks, poison, bugs, the end.

Nothing here sleeps and hopes: a test waits until the writer has delivered, with a deadline.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from django.db import connection

from devices.models import Device
from ingest.buffer import Submission
from ingest.delivery import Delivery
from ingest.fields import from_us
from ingest.hello import Hello, Opened
from ingest.models import LineState, Rollup, Stream
from ingest.storage import Collision, Damaged, Settlement, StreamRequest, Trouble
from ingest.storage.postgres import PostgresEngine
from ingest.writer import Writer, WriterOptions
from tests.integration.engine import engine, engine_url  # noqa: F401
from tests.integration.storage.aggregation import assert_one_mind
from tests.integration.storage.conftest import no_fsync, stage  # noqa: F401
from tests.integration.storage.failing import Bug, failing
from tests.integration.storage.stage import (
    NOW_US,
    Plain,
    Reliable,
    Stage,
    counts,
    named,
    run,
    stored,
)

DEADLINE_S = 60.0
LOOK_S = 0.05  # for what no delivery tells of
QUICK = WriterOptions(flush_interval_s=0.005, retry_interval_s=0.01)
NEVER_S = 1e6  # a flush interval that does not pass in a test


class Clock:
    """The writer's clock, which a test sets."""

    def __init__(self) -> None:
        self.now_us = NOW_US

    def __call__(self) -> int:
        return self.now_us


class Bench:
    """A writer on a failing engine, and all that it delivered."""

    def __init__(self, stage: Stage) -> None:  # noqa: F811
        self.failures, self._engine = failing(stage.open_engine())
        self.hub = stage.hub()  # for hellos, and the tests' own looks
        self.clock = Clock()
        self.deliveries: list[Delivery] = []
        self.writer: Writer | None = None
        self._delivered = threading.Condition()

    def start(self, options: WriterOptions = QUICK, clock: Callable[[], int] | None = None) -> None:
        self.writer = Writer(lambda: self._engine, options, self._deliver, clock or self.clock)
        self.writer.start()

    def _deliver(self, delivery: Delivery) -> None:
        with self._delivered:
            if not delivery.looked:
                self.deliveries.append(delivery)
            self._delivered.notify_all()

    def submit(self, *frames: Submission) -> None:
        assert self.writer is not None
        for frame in frames:
            self.writer.submit(frame)
        self.clock.now_us += 1_000_000  # the oldest has waited long enough

    def wait_until(self, true: Callable[[], object], what: str) -> None:
        deadline_s = time.monotonic() + DEADLINE_S
        with self._delivered:
            while not self._delivered.wait_for(true, LOOK_S):
                assert time.monotonic() < deadline_s, f"waited in vain: {what}"

    def settled(self, connection: object, through: int) -> list[Settlement]:
        """Wait until `connection` is settled through its frame; all settlements of it."""
        self.wait_until(lambda: self._through(connection) >= through, f"frame {through}")
        return self.settlements(connection)

    def settlements(self, connection: object) -> list[Settlement]:
        return [
            settlement
            for delivery in self.deliveries
            if delivery.outcome is not None
            for settlement in delivery.outcome.settlements
            if settlement.connection is connection
        ]

    def broken(self) -> list[Any]:
        return [connection for delivery in self.deliveries for connection in delivery.broken]

    def flushes(self) -> list[int]:
        """How many frames each delivery settled."""
        return [d.flush.frames for d in self.deliveries if d.flush is not None]

    def _through(self, connection: object) -> int:
        return max((s.through for s in self.settlements(connection)), default=0)

    def stop(self) -> bool:
        assert self.writer is not None
        return self.writer.stop(DEADLINE_S)


@pytest.fixture
def bench(stage: Stage) -> Iterator[Bench]:  # noqa: F811
    bench = Bench(stage)
    yield bench
    if bench.writer is not None and bench.writer.is_alive:
        bench.writer.stop(1.0)
        assert not bench.writer.is_alive


@pytest.fixture
def roof(stage: Stage) -> Device:  # noqa: F811
    return stage.device()


@pytest.fixture
def cellar(stage: Stage) -> Device:  # noqa: F811
    return stage.device("cellar")


def frames(device: Plain, *seconds: float, metric: str = "t") -> list[Submission]:
    """One reading each, whose value is its time."""
    return [device.send(run(metric, [(second, float(second))])) for second in seconds]


def wait_until(true: Callable[[], object], what: str) -> None:
    deadline_s = time.monotonic() + DEADLINE_S
    while not true():
        assert time.monotonic() < deadline_s, f"waited in vain: {what}"
        time.sleep(0.005)


def in_order(settlements: list[Settlement]) -> bool:
    through = [settlement.through for settlement in settlements]
    return through == sorted(set(through))


@pytest.mark.parametrize("step", ["begin", "watermark", "insert", "move_streams", "commit"])
def test_trouble_keeps_the_order_and_withholds_the_acks(
    bench: Bench, roof: Device, step: str
) -> None:
    device = bench.hub.connect(roof)
    for _ in range(3):
        bench.failures.fail_next(Trouble("no space left"), at=step)
    bench.start()
    bench.submit(*frames(device, 0, 1))
    bench.submit(*frames(device, 2))
    settlements = bench.settled(device, 3)
    assert in_order(settlements)
    assert sum(s.stored for s in settlements) == 3
    assert bench.failures.calls.count(step) > 3
    assert [value for _, value in stored(roof, "t")] == [0, 1, 2]
    assert bench.writer is not None
    assert bench.writer.condition.trouble is None
    assert Stream.objects.get().committed == 3


def test_nothing_is_delivered_while_the_database_is_away(bench: Bench, roof: Device) -> None:
    device = Plain(roof)
    tried = threading.Event()
    bench.failures.fail_next(Trouble("the server is gone"))
    bench.failures.before("rollback", tried.set)
    bench.start(WriterOptions(flush_interval_s=0.001, retry_interval_s=NEVER_S))
    bench.submit(*frames(device, 0))
    assert tried.wait(DEADLINE_S)
    assert bench.deliveries == []
    assert bench.writer is not None
    assert not bench.writer.stop(0.2)  # and what was not written is told of
    assert bench.deliveries == []
    assert stored(roof, "t") == []


def test_a_damaged_database_is_said_once_and_never_tried_again(
    bench: Bench, roof: Device, caplog: pytest.LogCaptureFixture
) -> None:
    device = bench.hub.connect(roof)
    bench.failures.fail_next(Damaged("database disk image is malformed"), at="insert")
    bench.start(WriterOptions(flush_interval_s=0.001, retry_interval_s=0.001))
    writer = bench.writer
    assert writer is not None
    bench.submit(*frames(device, 0))
    wait_until(lambda: writer.condition.is_damaged, "the damage is known")
    bench.failures.calls.clear()
    writer.open_stream(StreamRequest(1, roof.pk, Hello(None, "s", 1, 1)))
    bench.wait_until(lambda: any(d.streams for d in bench.deliveries), "an answer")
    assert [answer for d in bench.deliveries for _, answer in d.streams] == [None]
    bench.submit(*frames(device, 1))
    assert not writer.stop(DEADLINE_S)
    assert not writer.is_alive
    assert writer.buffer.readings == 2
    assert [call for call in bench.failures.calls if call != "close"] == []
    assert bench.settlements(device) == []
    told = [record for record in caplog.records if "damaged" in record.message]
    assert [(record.levelname, record.exc_info) for record in told] == [("CRITICAL", None)]
    assert stored(roof, "t") == []


def test_damage_that_a_hello_meets_stops_the_writing(bench: Bench, roof: Device) -> None:
    bench.failures.fail_next(Damaged("index corrupted"), at="open_stream")
    bench.start()
    writer = bench.writer
    assert writer is not None
    writer.open_stream(StreamRequest(1, roof.pk, Hello(None, "s", 1, 1)))
    bench.wait_until(lambda: any(d.streams for d in bench.deliveries), "an answer")
    assert writer.condition.is_damaged
    bench.submit(*frames(Plain(roof), 0))
    assert not writer.stop(DEADLINE_S)
    assert bench.flushes() == []


def test_damage_that_sealing_meets_stops_the_writing(bench: Bench, roof: Device) -> None:
    bench.failures.fail_next(Damaged("index corrupted"), at="seal")
    bench.start()
    writer = bench.writer
    assert writer is not None
    wait_until(lambda: writer.condition.is_damaged, "sealing has met it")
    bench.submit(*frames(Plain(roof), 0))
    assert not writer.stop(DEADLINE_S)
    assert bench.flushes() == []


def test_a_collision_is_tried_again_at_once(bench: Bench, roof: Device) -> None:
    device = Plain(roof)
    bench.failures.fail_next(Collision("deadlock detected"), at="insert")
    bench.start(WriterOptions(flush_interval_s=0.001, retry_interval_s=NEVER_S))
    bench.submit(*frames(device, 0))
    assert counts(bench.settled(device, 1)[0]) == (1, 0, 0)


@pytest.mark.parametrize("committed", [True, False], ids=["it happened", "it did not"])
def test_a_commit_whose_answer_was_lost_is_acked_once(
    bench: Bench, roof: Device, cellar: Device, committed: bool
) -> None:
    device, plain = bench.hub.connect(roof), Plain(cellar)
    bench.failures.lose_the_answer_of_commit(committed)
    bench.start()
    bench.submit(*frames(device, 0, 1), *frames(plain, 0), *frames(device, 2))
    bench.settled(plain, 1)
    assert counts(bench.settled(plain, 1)[0]) == (1, 0, 0)
    settlements = bench.settled(device, 3)
    assert [(s.through, counts(s), s.fenced) for s in settlements] == [(3, (3, 0, 0), False)]
    assert bench.failures.calls.count("insert") == (1 if committed else 2)
    stream = Stream.objects.get()
    assert (stream.committed, stream.stored, stream.duplicate) == (3, 3, 0)
    assert_one_mind()


def test_asking_what_became_of_a_commit_is_repeated_through_trouble(
    bench: Bench, roof: Device
) -> None:
    device = bench.hub.connect(roof)
    bench.failures.lose_the_answer_of_commit(committed=True)
    for _ in range(3):
        bench.failures.fail_next(Trouble("still starting"), at="happened")
    bench.start()
    bench.submit(*frames(device, 0))
    assert counts(bench.settled(device, 1)[0]) == (1, 0, 0)
    assert bench.failures.calls.count("insert") == 1


@pytest.mark.parametrize("committed", [True, False], ids=["it happened", "it did not"])
def test_plain_frames_alone_are_written_again_and_stored_once(
    bench: Bench, roof: Device, committed: bool
) -> None:
    device = Plain(roof)
    bench.failures.lose_the_answer_of_commit(committed)
    bench.start()
    bench.submit(*frames(device, 0, 1))
    settlement = bench.settled(device, 2)[0]
    assert counts(settlement) == ((0, 2, 0) if committed else (2, 0, 0))
    assert [value for _, value in stored(roof, "t")] == [0, 1]


def test_only_poison_is_refused_and_its_neighbours_are_stored_in_order(
    bench: Bench, roof: Device, cellar: Device
) -> None:
    device, plain = bench.hub.connect(roof), Plain(cellar)
    bench.failures.refuse_value(666.0)
    bench.start()
    poisoned = device.again(3, run("t", [(2, 2.0), (3, 666.0), (4, 4.0)]), run("h", [(5, 666.0)]))
    bench.submit(*frames(device, 0, 1), *frames(plain, 0), poisoned, *frames(plain, 1))
    device.seq = 3
    bench.submit(*frames(device, 6))
    settlements = bench.settled(device, 4)
    assert in_order(settlements)
    assert [sum(column) for column in zip(*map(counts, settlements), strict=True)] == [5, 0, 2]
    refused = [name for settlement in settlements for name in named(settlement)]
    assert refused == [(3, "unstorable", 0, "h"), (3, "unstorable", 1, "t")]
    assert [value for _, value in stored(roof, "t")] == [0, 1, 2, 4, 6]
    assert sum(s.stored for s in bench.settled(plain, 2)) == 2
    assert bench.broken() == []
    stream = Stream.objects.get()
    assert (stream.committed, stream.stored, stream.rejected) == (4, 5, 2)
    assert_one_mind()


@pytest.mark.parametrize("calls", range(1, 14))
def test_trouble_while_poison_is_looked_for_keeps_everything(
    bench: Bench, roof: Device, calls: int
) -> None:
    """Whatever it was doing just then, and whether it was the engine or a bug of ours."""
    device = bench.hub.connect(roof)
    bench.failures.refuse_value(666.0)
    begun = 0

    def fail_later() -> None:
        nonlocal begun
        begun += 1
        if begun == calls:
            raise Trouble("power cut")
        bench.failures.before("begin", fail_later)

    bench.failures.before("begin", fail_later)
    bench.start()
    poisoned = device.again(2, run("t", [(1, 1.0), (2, 666.0)]))
    bench.submit(*frames(device, 0), poisoned, device.again(3, run("t", [(3, 3.0)])))
    settlements = bench.settled(device, 3)
    assert in_order(settlements)
    assert [sum(column) for column in zip(*map(counts, settlements), strict=True)] == [3, 0, 1]
    assert [value for _, value in stored(roof, "t")] == [0, 1, 3]
    assert sum(bench.flushes()) == 3


def test_a_bug_breaks_one_connection_off_and_the_others_go_on(
    bench: Bench, roof: Device, cellar: Device
) -> None:
    device, other, plain = bench.hub.connect(roof), bench.hub.connect(cellar), Plain(cellar)
    bench.failures.break_on(13.0)
    bench.start()
    sent = [*frames(other, 0), *frames(device, 1), *frames(plain, 2)]
    sent += [*frames(device, 13), *frames(other, 3), *frames(device, 4)]
    bench.submit(*sent)
    assert sum(s.stored for s in bench.settled(other, 2)) == 2
    assert sum(s.stored for s in bench.settled(plain, 1)) == 1
    settlements = bench.settled(device, 3)
    assert [(s.through, s.fenced, s.readings) for s in settlements] == [
        (1, False, 1),
        (3, True, 2),
    ]
    assert bench.broken() == [device]
    assert sum(bench.flushes()) == len(sent)
    assert [value for _, value in stored(roof, "t")] == [1]
    assert set(Stream.objects.values_list("device__uid", "committed")) == {
        ("roof", 1),
        ("cellar", 2),
    }


def test_a_bug_met_while_poison_is_looked_for_breaks_that_connection_off(
    bench: Bench, roof: Device, cellar: Device
) -> None:
    device, plain = Plain(roof), Plain(cellar)
    bench.failures.refuse_value(666.0)
    bench.failures.break_on(13.0)
    bench.start()
    bench.submit(
        device.send(run("t", [(0, 666.0), (1, 13.0)]), run("h", [(1, 13.0)])), *frames(plain, 0)
    )
    assert counts(bench.settled(plain, 1)[0]) == (1, 0, 0)
    assert bench.settled(device, 1)[0].fenced
    assert bench.broken() == [device]


def test_a_bug_in_a_hello_leaves_the_writer_alive(bench: Bench, roof: Device) -> None:
    bench.failures.fail_next(Bug("what is this?"), at="open_stream")
    bench.start()
    assert bench.writer is not None
    for key in (1, 2):
        bench.writer.open_stream(StreamRequest(key, roof.pk, Hello(None, "s", 1, 0)))
        bench.wait_until(lambda key=key: len(bench.deliveries) == key, "an answer")  # type: ignore[misc]
    answers = [answer for delivery in bench.deliveries for _, answer in delivery.streams]
    assert answers[0] is None
    assert isinstance(answers[1], Opened)


def test_trouble_that_a_hello_met_is_over_when_the_database_is_back(
    bench: Bench, roof: Device
) -> None:
    """Although nobody comes: who asks whether the hub is ready sends it devices by the answer."""
    bench.failures.fail_next(Trouble("restarting"), at="open_stream")
    bench.start()
    writer = bench.writer
    assert writer is not None
    writer.open_stream(StreamRequest(1, roof.pk, Hello(None, "s", 1, 0)))
    bench.wait_until(lambda: bench.deliveries, "an answer")
    deadline_s = time.monotonic() + DEADLINE_S
    while writer.condition.trouble is not None:
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def test_a_hello_is_answered_after_its_transaction_and_fences_what_was_under_way(
    bench: Bench, roof: Device
) -> None:
    old = bench.hub.connect(roof)
    bench.failures.fail_next(Trouble("slow disk"), at="insert")
    bench.start()
    assert bench.writer is not None
    bench.submit(*frames(old, 0))
    bench.writer.open_stream(StreamRequest(1, roof.pk, Hello(None, "s", 1, 1)))
    bench.wait_until(lambda: any(d.streams for d in bench.deliveries), "an answer")
    answer = next(answer for d in bench.deliveries for _, answer in d.streams)
    assert isinstance(answer, Opened)
    settlement = bench.settled(old, 1)[0]
    new = Reliable(roof, seq=answer.committed, opened=answer)
    assert settlement.fenced == (answer.committed == 0)
    bench.submit(*frames(new, 0 if settlement.fenced else 1))
    assert not bench.settled(new, new.seq)[0].fenced


def test_stopping_flushes_what_waits_and_acks_it(bench: Bench, roof: Device) -> None:
    device = Plain(roof)
    bench.start(WriterOptions(flush_interval_s=NEVER_S))
    assert bench.writer is not None
    for frame in frames(device, 0, 1, 2):
        bench.writer.submit(frame)
    assert bench.stop()
    assert not bench.writer.is_alive
    assert [(s.through, s.stored) for s in bench.settlements(device)] == [(3, 3)]


def test_a_batch_is_flushed_once_it_is_large_enough(bench: Bench, roof: Device) -> None:
    device = Plain(roof)
    bench.start(WriterOptions(flush_interval_s=NEVER_S, flush_readings=3))
    bench.clock.now_us = NOW_US
    assert bench.writer is not None
    for frame in frames(device, 0, 1):
        bench.writer.submit(frame)
    assert bench.deliveries == []
    bench.writer.submit(*frames(device, 2))
    bench.settled(device, 3)
    assert bench.flushes() == [3]


@pytest.mark.parametrize("hours", [-500_000, -1, 25])
def test_a_clock_that_jumps_holds_no_batch_up(bench: Bench, roof: Device, hours: int) -> None:
    device = Plain(roof)
    bench.start()
    bench.submit(*frames(device, 0))
    bench.settled(device, 1)
    bench.clock.now_us = NOW_US + hours * 3_600_000_000
    bench.submit(*frames(device, 1))
    bench.settled(device, 2)


def test_no_commit_is_stamped_before_another(bench: Bench, roof: Device) -> None:
    """Else a clock that was set back would hide from the next start that it is behind."""
    device = bench.hub.connect(roof)
    bench.start()
    bench.submit(*frames(device, 0))
    bench.settled(device, 1)
    before = Stream.objects.get().used_at
    bench.clock.now_us = NOW_US - 3_600_000_000
    bench.submit(*frames(device, 1))
    bench.settled(device, 2)
    assert Stream.objects.get().used_at == before


def test_the_writer_learns_the_newest_commit_before_anything_else(
    bench: Bench, roof: Device
) -> None:
    device = bench.hub.connect(roof)  # at NOW_US
    bench.clock.now_us = 0  # 1970
    for _ in range(2):
        bench.failures.fail_next(Trouble("still starting"), at="newest_commit_us")
    bench.start()
    writer = bench.writer
    assert writer is not None
    bench.wait_until(lambda: writer.clock.is_known, "the newest commit is known")
    assert writer.clock.newest_us == NOW_US
    assert writer.clock.is_behind(bench.clock())
    # What a wrong clock made of it is an operator's to correct, and is noticed.
    Stream.objects.update(used_at=from_us(0))
    bench.wait_until(lambda: writer.clock.newest_us == 0, "the correction is seen")
    bench.submit(*frames(device, 0))
    bench.settled(device, 1)


def test_the_writer_seals_between_batches_and_while_nobody_sends(
    bench: Bench, roof: Device
) -> None:
    device = Plain(roof)
    bench.start()
    bench.submit(*frames(device, *range(0, 300, 7)))
    bench.settled(device, device.seq)
    deadline_s = time.monotonic() + DEADLINE_S
    while LineState.objects.get().sealing_from < from_us(NOW_US - 120_000_000):
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
    assert bench.stop()
    assert len(assert_one_mind()) == 43
    assert Rollup.objects.filter(step_s=60).count() == 5


@pytest.mark.parametrize("moment", ["before COMMIT", "after COMMIT"])
def test_a_connection_cut_at_its_commit_is_acked_exactly_once_in_the_end(
    bench: Bench,
    roof: Device,
    stage: Stage,  # noqa: F811
    moment: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if stage.vendor != "postgresql":
        pytest.skip("SQLite's connection is its file")
    device = bench.hub.connect(roof)
    real = bench.failures.real
    assert isinstance(real, PostgresEngine)
    cut = threading.Event()
    commit = PostgresEngine.commit

    def commit_and_be_cut(self: PostgresEngine) -> None:
        if self is not real or cut.is_set():
            return commit(self)
        cut.set()
        if moment == "after COMMIT":
            self._db.execute("COMMIT")
        terminate(self._db.info.backend_pid)
        return commit(self)

    monkeypatch.setattr(PostgresEngine, "commit", commit_and_be_cut)
    bench.failures.happened = real.happened  # type: ignore[method-assign]
    bench.start()
    bench.submit(*frames(device, 0, 1))
    bench.submit(*frames(device, 2))
    settlements = bench.settled(device, 3)
    assert in_order(settlements)
    assert not any(settlement.fenced for settlement in settlements)
    assert [sum(column) for column in zip(*map(counts, settlements), strict=True)] == [3, 0, 0]
    stream = Stream.objects.get()
    assert (stream.committed, stream.stored) == (3, 3)


def test_a_connection_cut_in_mid_batch_is_trouble_and_nothing_is_lost(
    bench: Bench,
    roof: Device,
    stage: Stage,  # noqa: F811
) -> None:
    if stage.vendor != "postgresql":
        pytest.skip("SQLite's connection is its file")
    device = bench.hub.connect(roof)
    real = bench.failures.real
    assert isinstance(real, PostgresEngine)
    for step in ("watermark", "insert", "move_streams"):
        bench.failures.before(step, lambda: terminate(real._db.info.backend_pid))
    bench.start()
    bench.submit(*frames(device, 0, 1))
    assert [counts(s) for s in bench.settled(device, 2)] == [(2, 0, 0)]


def terminate(pid: int) -> None:
    """End a server process, and wait until it is gone."""
    settings = connection.settings_dict
    with psycopg.connect(
        host=settings["HOST"],
        port=settings["PORT"],
        user=settings["USER"],
        password=settings["PASSWORD"],
        dbname=settings["NAME"],
        autocommit=True,
    ) as db:
        db.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
