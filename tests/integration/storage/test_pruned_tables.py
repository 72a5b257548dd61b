"""On PostgreSQL the readings of a week go with its table, when nobody keeps any of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import OperationalError, connection

from devices.models import Device
from ingest.fields import from_us
from ingest.models import LineState
from ingest.prune.forms import NUMBERS, TEXTS
from ingest.prune.run import Pruned, prune
from ingest.prune.tables import drop_week, old_weeks
from ingest.retention import Days, Rules
from ingest.storage.postgres_sealing import ADVISORY_LOCK
from tests.integration.storage.aggregation import assert_one_mind, stored_rollups
from tests.integration.storage.stage import Hub, Stage, at, run, stored, stored_texts

DAY_S = 86_400
# Monday, three weeks before the week that tests play in: no hub has made its table.
FIRST_S = -21 * DAY_S - 6 * 3_600
SECOND_S = FIRST_S + 7 * DAY_S
TABLES = ("ingest_reading", "ingest_textreading")
RULES = Rules.of(Days(readings=1), [])

pytestmark = pytest.mark.parametrize("engine_url", ["postgresql"], indirect=True)


def no_rest(held_s: float) -> None:
    """Nobody else wants the database."""


def names(start_s: float) -> list[str]:
    return [f"{table}_test{start_s:.0f}".replace("-", "m") for table in TABLES]


@pytest.fixture
def hub(stage: Stage) -> Iterator[Hub]:
    """A hub that has sealed two weeks of readings, each in a table of its own."""
    hub = Hub(stage.open_engine(slice_readings=1_000))
    with connection.cursor() as cursor:
        for start_s in (FIRST_S, SECOND_S):
            start, end = (from_us(at(s)).isoformat() for s in (start_s, start_s + 7 * DAY_S))
            for table, name in zip(TABLES, names(start_s), strict=True):
                cursor.execute(
                    f"CREATE TABLE {name} PARTITION OF {table} FOR VALUES FROM ('{start}')"
                    f" TO ('{end}')"
                )
    roof = stage.device()
    hub.store(roof, *(run(metric, sent()) for metric in "ab"), run("state", sent_texts()))
    hub.seal_all(SECOND_S + 30 * DAY_S)
    yield hub
    with connection.cursor() as cursor:
        for start_s in (FIRST_S, SECOND_S):
            for name in names(start_s):
                cursor.execute(f"DROP TABLE IF EXISTS {name}")


def sent() -> list[tuple[float, float]]:
    return [(FIRST_S + n * 20_000.5, float(n)) for n in range(60)]


def sent_texts() -> list[tuple[float, str]]:
    return [(time, "ok") for time, _ in sent()]


def pruned(now_s: float, rules: Rules = RULES) -> Pruned:
    return prune(rules, at(now_s), no_rest)


def test_a_week_goes_when_all_of_it_may_and_until_then_stays_as_it_is(hub: Hub) -> None:
    roof, before = _device(), stored_rollups()
    done = pruned(SECOND_S + 3 * DAY_S)
    assert done.tables == names(FIRST_S)
    left = [reading for reading in sent() if reading[0] >= SECOND_S]
    assert stored(roof, "a") == stored(roof, "b") == left
    assert [time for time, _ in stored_texts(roof, "state")] == [time for time, _ in left]
    assert sum(done.rows.values()) == 0
    assert stored_rollups() == before
    assert_one_mind()
    assert pruned(SECOND_S + 8 * DAY_S + 3_600).tables == names(SECOND_S)
    assert stored(roof, "a") == []
    assert LineState.objects.get(pk=1).catalogue > 0  # the last text is gone
    assert_one_mind()


def test_what_somebody_keeps_keeps_the_table_and_the_rest_is_deleted(hub: Hub) -> None:
    roof = _device()
    rules = Rules.of(Days(readings=1), [((None, "b"), Days(readings=0))])
    done = pruned(SECOND_S + 3 * DAY_S, rules)
    assert done.tables == names(FIRST_S)[1:]
    assert stored(roof, "a") == [r for r in sent() if r[0] >= SECOND_S + 2 * DAY_S]
    assert stored(roof, "b") == sent()
    assert_one_mind()


def test_a_series_that_began_in_the_week_meanwhile_keeps_it(hub: Hub) -> None:
    roof = _device()
    prune(RULES, at(SECOND_S + 3 * DAY_S), no_rest, whole_tables=False)
    hub.store(roof, run("new", [(FIRST_S + 5, 1.0)]))
    [week] = old_weeks(NUMBERS)
    assert not drop_week(NUMBERS, week)
    assert stored(roof, "new") == [(FIRST_S + 5, 1.0)]
    assert pruned(SECOND_S + 3 * DAY_S).tables == names(FIRST_S)
    assert_one_mind()


def test_a_table_that_a_query_reads_is_left_for_the_next_run(hub: Hub, stage: Stage) -> None:
    reader = stage.open_engine()._db  # type: ignore[attr-defined]
    reader.execute("BEGIN")
    reader.execute(f"SELECT count(*) FROM {names(FIRST_S)[0]}")
    assert pruned(SECOND_S + 3 * DAY_S).tables == names(FIRST_S)[1:]
    reader.execute("ROLLBACK")
    assert pruned(SECOND_S + 3 * DAY_S).tables == names(FIRST_S)[:1]


def test_none_is_dropped_under_a_batch_and_none_twice(hub: Hub, stage: Stage) -> None:
    prune(RULES, at(SECOND_S + 3 * DAY_S), no_rest, whole_tables=False)
    for form in (NUMBERS, TEXTS):
        [week] = old_weeks(form)
        batch = stage.open_engine()._db  # type: ignore[attr-defined]
        batch.execute("BEGIN")
        batch.execute("SELECT pg_advisory_xact_lock_shared(%s)", [ADVISORY_LOCK])
        with pytest.raises(OperationalError):
            drop_week(form, week)
        batch.execute("ROLLBACK")
        assert drop_week(form, week)
        assert not drop_week(form, week)  # by another prune, in the same moment
        assert old_weeks(form) == []


def _device() -> Device:
    return Device.objects.get()
