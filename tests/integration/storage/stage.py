"""What the storage tests play with: devices, their frames, hubs that write them, what is stored.

A `Hub` here is what a hub process is to the database: an engine, and what is remembered beside it.
Times are seconds from `T0`, so that a test reads like a clock.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import F

from devices.models import Device, Series
from devices.tokens import issue
from ingest.buffer import Submission
from ingest.fields import to_us
from ingest.hello import Hello, Opened
from ingest.models import LineState, Reading, TextReading
from ingest.reading import BOOLEAN, NUMBER, TEXT, Frame, Refusal, Run
from ingest.storage import Engine, Outcome, Settlement, StreamAnswer, StreamRequest
from ingest.storage.postgres import PostgresEngine
from ingest.storage.sqlite import SqliteEngine
from ingest.storage.transaction import Transactions

T0_US = to_us(datetime(2026, 11, 23, 6, tzinfo=UTC))
NOW_US = T0_US + 7 * 24 * 3_600_000_000
SLICE_READINGS = 3  # so small that a handful of readings makes several slices and units
UNIT_READINGS = 7

Value = float | bool | str


def at(seconds: float) -> int:
    return T0_US + round(seconds * 1_000_000)


def run(metric: str, readings: Iterable[tuple[float, Value]]) -> Run:
    """Readings of one metric as (seconds, value), each in a sample of its own."""
    return run_us(metric, ((at(seconds), value) for seconds, value in readings))


def run_us(metric: str, readings: Iterable[tuple[int, Value]]) -> Run:
    times_us, values = map(list, zip(*readings, strict=True))
    kind = {bool: BOOLEAN, str: TEXT}.get(type(values[0]), NUMBER)
    return Run(metric, kind, times_us, values, range(len(values)))


def frame(*runs: Run, refusals: Sequence[Refusal] = ()) -> Frame:
    readings = sum(len(run.values) for run in runs) + sum(r.count for r in refusals)
    return Frame(list(runs), list(refusals), readings)


@dataclass
class Plain:
    """A plain connection of a device."""

    device: Device
    token_id: int = 0
    seq: int = 0

    def send(self, *runs: Run, refusals: Sequence[Refusal] = ()) -> Submission:
        self.seq += 1
        return self.again(self.seq, *runs, refusals=refusals)

    def again(self, seq: int, *runs: Run, refusals: Sequence[Refusal] = ()) -> Submission:
        content = frame(*runs, refusals=refusals)
        return Submission(self, self.device.pk, self.token_id, seq, content, time.monotonic())


@dataclass
class Reliable(Plain):
    """A connection that said hello with a stream."""

    opened: Opened | None = None

    def again(self, seq: int, *runs: Run, refusals: Sequence[Refusal] = ()) -> Submission:
        assert self.opened is not None
        submission = super().again(seq, *runs, refusals=refusals)
        submission.stream_id, submission.epoch = self.opened.id, self.opened.epoch
        return submission


class Hub:
    """One hub process, as the database knows it."""

    def __init__(self, engine: Engine, refused_kept: int = 100, metrics: int = 2_000) -> None:
        self.engine = engine
        self.refused_kept = refused_kept
        self.metrics = metrics
        self.transactions = Transactions(engine, refused_kept, metrics)

    def write(self, *batch: Submission, now_us: int = NOW_US) -> Outcome:
        return self.transactions.write(batch, now_us)

    def store(self, device: Device, *runs: Run) -> Settlement:
        """Write one frame of a plain connection."""
        return self.write(Plain(device).send(*runs)).settlements[0]

    def hello(
        self,
        device: Device,
        stream: str = "s",
        first: int = 1,
        last: int | None = None,
        kept: int = 8,
        now_us: int = NOW_US,
    ) -> StreamAnswer:
        hello = Hello(None, stream, first, first - 1 if last is None else last)
        return self.transactions.open_streams(
            [StreamRequest("key", device.pk, hello)], kept, now_us
        )[0]

    def connect(self, device: Device, stream: str = "s", first: int = 1) -> Reliable:
        """A reliable connection; its first frame is the one after what is committed."""
        opened = self.hello(device, stream, first, last=2**53)
        assert isinstance(opened, Opened), opened
        return Reliable(device, seq=opened.committed, opened=opened)

    def seal(self, before_s: float) -> bool:
        return self.engine.seal(at(before_s))

    def seal_all(self, before_s: float) -> int:
        """Seal until nothing is due; how many steps it took."""
        steps = 1
        while self.seal(before_s):
            steps += 1
            assert steps < 1_000, "sealing never ends"
        return steps

    def crash(self) -> None:
        """The process dies between two statements and another one starts."""
        self.engine.close()
        self.transactions = Transactions(self.engine, self.refused_kept, self.metrics)


@dataclass
class Stage:
    """The database under test."""

    vendor: str
    _engines: list[Engine] = field(default_factory=list)

    def open_engine(
        self, slice_readings: int = SLICE_READINGS, unit_readings: int = UNIT_READINGS
    ) -> Engine:
        settings = connection.settings_dict
        opened: Engine
        if self.vendor == "sqlite":
            # Tests do not wait for the disk, where nothing is said of power cuts.
            opened = SqliteEngine(settings["NAME"], slice_readings, unit_readings, may_lose=True)
        else:
            opened = PostgresEngine(postgres_parameters(), slice_readings)
        self._engines.append(opened)
        return opened

    def hub(self, refused_kept: int = 100, metrics: int = 2_000) -> Hub:
        return Hub(self.open_engine(), refused_kept, metrics)

    def device(self, uid: str = "roof") -> Device:
        return Device.objects.create(uid=uid)

    def token_id(self, device: Device) -> int:
        return issue(device)[0].pk

    def empty(self) -> None:
        """Begin again: nothing is stored, and nothing sealed."""
        tables = [
            "ingest_textreading",
            "ingest_rollup",
            "ingest_horizon",
            "ingest_refusedreading",
            "ingest_stream",
        ]
        tables += ["devices_series", "devices_token", "devices_device"]
        sqlite = self.vendor == "sqlite"
        tables += ["ingest_recent", "ingest_sealed"] if sqlite else ["ingest_reading"]
        never = datetime.min.replace(tzinfo=UTC)
        with transaction.atomic():
            with connection.cursor() as cursor:
                for table in tables:
                    cursor.execute(f"DELETE FROM {table}")
            LineState.objects.update(
                sealing_from=never,
                sealing_to=never,
                sealing_series=0,
                catalogue=F("catalogue") + 1,
                horizon=never,
            )

    def close(self) -> None:
        for opened in self._engines:
            opened.close()
        self._engines.clear()


def postgres_parameters() -> dict[str, Any]:
    settings = connection.settings_dict
    return {
        "host": settings["HOST"],
        "port": settings["PORT"],
        "user": settings["USER"],
        "password": settings["PASSWORD"],
        "dbname": settings["NAME"],
    }


def stored(device: Device, metric: str) -> list[tuple[float, float]]:
    """What the ORM finds of a series, as (seconds, value), by time."""
    rows = Reading.objects.filter(series__device=device, series__metric=metric)
    return [
        ((to_us(time) - T0_US) / 1_000_000, value)
        for time, value in rows.order_by("time").values_list("time", "value")
    ]


def stored_texts(device: Device, metric: str) -> list[tuple[float, str]]:
    rows = TextReading.objects.filter(series__device=device, series__metric=metric)
    return [
        ((to_us(time) - T0_US) / 1_000_000, value)
        for time, value in rows.order_by("time").values_list("time", "value")
    ]


def series_of(device: Device, metric: str) -> Series:
    return Series.objects.get(device=device, metric=metric)


def watermark_us(series_id: int) -> int:
    state = LineState.objects.get(pk=1)
    return to_us(state.sealing_to if series_id <= state.sealing_series else state.sealing_from)


def counts(settlement: Settlement) -> tuple[int, int, int]:
    return settlement.stored, settlement.duplicate, settlement.rejected


def named(settlement: Settlement) -> list[tuple[int, str, int | None, str | None]]:
    """Its refusals: (seq, code, sample, metric)."""
    return [(seq, str(r.code), r.sample, r.metric) for seq, r in settlement.refusals]
