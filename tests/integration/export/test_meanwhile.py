"""What becomes of an export while readings are sealed, come late, and are erased."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from django.db import connection

from dashboards.export import chunks, postgres, sqlite
from dashboards.export.runs import ExportedSeries
from dashboards.export.selection import batches
from dashboards.timespan import EARLIEST, LATEST, Span
from devices.models import Series
from ingest.erasure import erase_span
from ingest.fields import from_us
from tests.integration.storage.conftest import no_fsync  # noqa: F401
from tests.integration.storage.stage import Hub, Stage, at, run, series_of

pytestmark = pytest.mark.usefixtures("no_fsync")

Key = tuple[int, int]  # series, time
METRICS = [f"m{n}" for n in range(5)]
READINGS = 40


@pytest.fixture
def stage(engine: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Chunks are of a few readings here, so that much can happen between them."""
    its = sqlite.sources(6, 3) if engine == "sqlite" else postgres.sources(6, 3)
    monkeypatch.setitem(chunks.SOURCES, engine, its)
    stage = Stage(engine)
    yield stage
    stage.close()


def exported() -> Iterator[list[tuple[Key, object]]]:
    """Chunk by chunk."""
    everything: Iterator[list[ExportedSeries]] = batches(Series.objects.all())
    for found in chunks.chunks(everything, Span(EARLIEST, LATEST)):
        yield [((one.series.id, row[-2]), row[-1]) for one in found for row in one.rows]


def stored(hub: Hub, stage: Stage) -> dict[Key, object]:
    device = stage.device()
    expected: dict[Key, object] = {}
    for metric in METRICS:
        readings = [(10.0 * n, float(n)) for n in range(READINGS)]
        hub.store(device, run(metric, readings))
        series_id = series_of(device, metric).pk
        expected |= {(series_id, at(s)): value for s, value in readings}
    hub.store(device, run("state", [(10.0 * n, str(n)) for n in range(READINGS)]))
    series_id = series_of(device, "state").pk
    return expected | {(series_id, at(10.0 * n)): str(n) for n in range(READINGS)}


@pytest.mark.parametrize("seed", range(4))
def test_what_is_there_throughout_comes_once_and_in_order_while_sealing_moves_it(
    stage: Stage, seed: int
) -> None:
    hub, drawn = stage.hub(), random.Random(seed)
    expected = stored(hub, stage)
    device = Series.objects.all()[0].device
    for _ in range(drawn.randrange(30)):
        hub.seal(200)
    late: set[Key] = set()
    found: list[tuple[Key, object]] = []
    for chunk in exported():
        found += chunk
        for _ in range(drawn.randrange(4)):
            hub.seal(200 + 2 * len(found))
        metric, second = drawn.choice(METRICS), round(drawn.uniform(0, 400), 6)
        hub.store(device, run(metric, [(second, -1.0)]))
        late.add((series_of(device, metric).pk, at(second)))
    keys = [key for key, _ in found]
    assert keys == sorted(set(keys))
    assert {key: value for key, value in found if key not in late} == expected
    assert connection.in_atomic_block is False


def test_what_is_erased_meanwhile_does_not_break_the_order_of_the_rest(stage: Stage) -> None:
    hub = stage.hub()
    expected = stored(hub, stage)
    hub.seal_all(200)
    last = Series.objects.get(metric=METRICS[-1])
    found: list[tuple[Key, object]] = []
    for chunk in exported():
        if not found:
            erase_span(last, from_us(at(0)), from_us(at(100)))
        found += chunk
    erased = {(last.pk, at(10.0 * n)) for n in range(10)}
    assert found == sorted((key, value) for key, value in expected.items() if key not in erased)


def test_nothing_is_open_between_two_chunks(stage: Stage) -> None:
    stored(stage.hub(), stage)
    for _ in exported():
        with connection.cursor() as cursor:  # it would fail, or wait, within a read transaction
            if stage.vendor == "sqlite":
                assert not connection.connection.in_transaction
                cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                assert cursor.fetchone()[0] == 0
            else:
                status = connection.connection.info.transaction_status
                assert status.name == "IDLE"
