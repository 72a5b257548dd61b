"""What a hub remembers between batches, and what it keeps for people."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from devices.models import Device, Series, Token
from ingest.erasure import erase_series
from ingest.fields import from_us, to_us
from ingest.models import Reading, RefusedReading, TextReading
from ingest.reading import EARLIEST_US, Code, Refusal
from ingest.storage import Poison, Trouble, catalogue
from tests.integration.storage.aggregation import all_readings, assert_one_mind
from tests.integration.storage.failing import failing
from tests.integration.storage.stage import (
    NOW_US,
    Hub,
    Plain,
    Stage,
    counts,
    named,
    run,
    run_us,
    series_of,
    stored,
    stored_texts,
)

YEAR_9999_US = to_us(datetime.max.replace(tzinfo=UTC))


def test_the_series_of_a_batch_that_was_rolled_back_are_not_remembered(stage: Stage) -> None:
    wrapped, engine = failing(stage.open_engine())
    hub, roof, cellar = Hub(engine), stage.device(), stage.device("cellar")
    wrapped.fail_next(Trouble("power cut"), at="commit")
    with pytest.raises(Trouble):
        hub.store(roof, run("t", [(0, 1.0)]))
    assert not Series.objects.exists()
    hub.store(cellar, run("t", [(0, 2.0)]))  # SQLite gives the same id out again
    hub.store(roof, run("t", [(0, 1.0)]))
    assert stored(cellar, "t") == [(0, 2.0)]
    assert stored(roof, "t") == [(0, 1.0)]


def test_the_series_of_poison_that_was_looked_for_are_not_remembered(stage: Stage) -> None:
    wrapped, engine = failing(stage.open_engine())
    hub, roof, cellar = Hub(engine), stage.device(), stage.device("cellar")
    wrapped.refuse_value(666.0)
    sent = Plain(roof).send(run("t", [(0, 1.0), (1, 666.0)]))
    assert hub.transactions.takes(sent, NOW_US, (sent.frame.runs[0], 0))
    assert not hub.transactions.takes(sent, NOW_US, (sent.frame.runs[0], 1))
    assert not Series.objects.exists()
    hub.store(cellar, run("t", [(0, 2.0)]))
    hub.store(roof, run("t", [(0, 1.0)]))
    assert stored(cellar, "t") == [(0, 2.0)]
    assert stored(roof, "t") == [(0, 1.0)]


def test_a_series_is_looked_up_once(stage: Stage) -> None:
    wrapped, engine = failing(stage.open_engine())
    hub, roof = Hub(engine), stage.device()
    for second in range(3):
        hub.store(roof, run("t", [(second, 1.0)]), run("h", [(second, 1.0)]))
    assert wrapped.calls.count("series") == 2  # before it was made, and after
    assert wrapped.calls.count("add_series") == 1


def test_no_more_series_are_remembered_than_there_is_memory_for(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue, "SERIES_REMEMBERED", 5)
    wrapped, engine = failing(stage.open_engine())
    hub = Hub(engine)
    devices = [stage.device(f"d{n}") for n in range(4)]
    for second in range(3):
        for device in devices:
            hub.store(device, *(run(name, [(second, 1.0)]) for name in "abc"))
            assert hub.transactions._catalogue._remembered == sum(
                len(series) for series in hub.transactions._catalogue._series.values()
            )
            assert hub.transactions._catalogue._remembered <= 5 + 3
    assert wrapped.calls.count("series") > 8
    for device in devices:
        assert stored(device, "c") == [(0, 1.0), (1, 1.0), (2, 1.0)]


def test_a_series_that_was_reset_begins_anew_with_another_kind(stage: Stage) -> None:
    hub, roof = stage.hub(), stage.device()
    hub.store(roof, run("t", [(0, "oops")]), run("h", [(0, 1.0)]))
    erase_series(series_of(roof, "t"))
    assert counts(hub.store(roof, run("t", [(0, 1.0)]), run("h", [(0, 1.0)]))) == (1, 1, 0)
    assert stored(roof, "t") == [(0, 1.0)]
    assert stored_texts(roof, "t") == []


@pytest.mark.parametrize("remembered", [False, True], ids=["unknown", "remembered"])
def test_the_readings_of_a_deleted_device_are_refused_and_its_neighbours_commit(
    stage: Stage, remembered: bool
) -> None:
    hub, roof, cellar = stage.hub(), stage.device(), stage.device("cellar")
    gone, neighbour, reliable = Plain(roof), Plain(cellar), hub.connect(roof)
    if remembered:
        hub.write(gone.send(run("t", [(0, 1.0)])))
    Device.objects.filter(pk=roof.pk).delete()
    outcome = hub.write(
        gone.send(run("t", [(1, 1.0)]), run("state", [(1, "on")])),
        neighbour.send(run("t", [(1, 2.0)])),
        reliable.send(run("t", [(2, 1.0)])),
    )
    refused, committed, fenced = outcome.settlements
    assert counts(refused) == (0, 0, 2)
    assert [code for _, code, _, _ in named(refused)] == ["unstorable"] * 2
    assert counts(committed) == (1, 0, 0)
    assert fenced.fenced
    assert list(all_readings().values()) == [2.0]
    assert not TextReading.objects.exists()
    assert not RefusedReading.objects.exists()  # nobody is left to see them
    assert Series.objects.count() == 1


def test_refused_readings_are_kept_for_people(stage: Stage) -> None:
    hub, roof = stage.hub(), stage.device()
    hub.store(roof, run("t", [(0, 1.0)]))
    refusals = [Refusal(Code.TS_UNIT, 5, count=4, value="17")]
    hub.write(
        Plain(roof).again(7, run("t", [(0, 2.5)]), refusals=refusals), now_us=NOW_US + 1_234_567
    )
    conflict, unit = RefusedReading.objects.order_by("id")
    assert (conflict.seq, conflict.sample, conflict.metric, conflict.count) == (7, 0, "t", 1)
    assert (conflict.code, conflict.value) == ("conflict", "2.5")
    assert conflict.message == "another value is stored for this time; the first one stays"
    assert conflict.received_at == from_us(NOW_US + 1_234_567)
    assert (unit.code, unit.sample, unit.metric, unit.count) == ("ts_unit", 5, "", 4)


def test_refused_readings_are_bounded_per_device_and_the_oldest_make_room(stage: Stage) -> None:
    hub, roof, cellar = stage.hub(refused_kept=3), stage.device(), stage.device("cellar")
    hub.store(roof, run("t", [(second, 1.0) for second in range(10)]))
    hub.store(cellar, run("t", [(0, 1.0)]))
    hub.store(cellar, run("t", [(0, 2.0)]))
    for seconds in ([0], [1, 2], [3, 4, 5, 6, 7]):
        hub.store(roof, run("t", [(second, 2.0) for second in seconds]))
    kept = RefusedReading.objects.order_by("id")
    assert [row.sample for row in kept.filter(device=roof)] == [2, 3, 4]
    assert kept.filter(device=cellar).count() == 1
    two = [Plain(roof).send(run("t", [(second, 3.0)])) for second in (8, 9)]
    hub.write(*two)
    assert [row.value for row in kept.filter(device=roof)] == ["2.0", "3.0", "3.0"]


def test_a_hub_may_keep_no_refused_readings(stage: Stage) -> None:
    hub, roof = stage.hub(refused_kept=0), stage.device()
    hub.store(roof, run("t", [(0, 1.0)]))
    outcome = hub.write(Plain(roof).send(run("t", [(0, 2.0)])))
    assert counts(outcome.settlements[0]) == (0, 0, 1)
    assert outcome.refusals_dropped == 1
    assert not RefusedReading.objects.exists()


def test_it_is_known_how_many_refused_readings_are_not_kept(stage: Stage) -> None:
    hub, roof, cellar = stage.hub(refused_kept=3), stage.device(), stage.device("cellar")
    for device in (roof, cellar):
        hub.store(device, run("t", [(second, 1.0) for second in range(5)]))
    wrong = run("t", [(second, 2.0) for second in range(5)])
    assert hub.write(Plain(roof).send(run("t", [(0, 2.0)]))).refusals_dropped == 0
    # Two of five are never kept, and one of before makes room.
    assert hub.write(Plain(roof).send(wrong)).refusals_dropped == 3
    assert hub.write(Plain(roof).send(wrong), Plain(cellar).send(wrong)).refusals_dropped == 7


def test_a_device_is_touched_at_most_once_a_minute(stage: Stage) -> None:
    wrapped, engine = failing(stage.open_engine())
    hub, roof = Hub(engine), stage.device()
    device = Plain(roof, stage.token_id(roof))
    expected = []
    for second, is_touched in [(0, True), (1, False), (59, False), (60, True), (119, False)]:
        now_us = NOW_US + second * 1_000_000
        hub.write(device.send(run("t", [(second, 1.0)])), now_us=now_us)
        expected += [second] if is_touched else []
        moment = from_us(NOW_US + expected[-1] * 1_000_000)
        assert Device.objects.get().last_seen_at == moment
        assert Token.objects.get().last_used_at == moment
    assert wrapped.calls.count("touch") == 2


def test_a_touch_that_was_rolled_back_is_done_again(stage: Stage) -> None:
    wrapped, engine = failing(stage.open_engine())
    hub, roof = Hub(engine), stage.device()
    wrapped.fail_next(Trouble("power cut"), at="commit")
    with pytest.raises(Trouble):
        hub.store(roof, run("t", [(0, 1.0)]))
    hub.store(roof, run("t", [(0, 1.0)]))
    assert Device.objects.get().last_seen_at == from_us(NOW_US)


@pytest.mark.parametrize("sealed", [False, True], ids=["on time", "late"])
def test_times_at_the_edges_come_back_to_the_microsecond(stage: Stage, sealed: bool) -> None:
    hub, roof = stage.hub(), stage.device()
    edges = [EARLIEST_US, EARLIEST_US + 1, -1, 0, 1, -3_600_000_001, -60_000_000]
    edges += [NOW_US + 1, YEAR_9999_US - 1, YEAR_9999_US]
    if sealed:
        hub.engine.seal(YEAR_9999_US)  # there is no minute after it
    values = {at_us: float(n) for n, at_us in enumerate(edges)}
    assert counts(hub.store(roof, run_us("t", values.items()))) == (len(edges), 0, 0)
    assert counts(hub.store(roof, run_us("t", values.items()))) == (0, len(edges), 0)
    texts = [(at_us, str(at_us)) for at_us in edges]
    assert counts(hub.store(roof, run_us("state", texts))) == (len(edges), 0, 0)
    assert counts(hub.store(roof, run_us("state", texts))) == (0, len(edges), 0)
    series_id = series_of(roof, "t").pk
    assert_one_mind({(series_id, at_us): value for at_us, value in values.items()})
    hub.engine.seal(NOW_US)
    while hub.engine.seal(NOW_US):
        pass
    assert_one_mind({(series_id, at_us): value for at_us, value in values.items()})
    assert dict(TextReading.objects.values_list("time", "value")) == {
        from_us(at_us): text for at_us, text in texts
    }


@pytest.mark.parametrize(
    "poison",
    [
        run_us("t", [(2**64, 1.0)]),
        run_us("state", [(2**64, "on")]),
        run("state", [(0, "lone \ud800")]),
    ],
    ids=["time", "time of a text", "surrogate"],
)
def test_what_cannot_be_stored_is_poison_and_leaves_nothing_behind(
    stage: Stage, poison: object
) -> None:
    hub, roof = stage.hub(), stage.device()
    device = Plain(roof)
    with pytest.raises(Poison):
        hub.write(device.send(run("t", [(1, 1.0)])), device.send(poison))  # type: ignore[arg-type]
    assert not Reading.objects.exists()
    assert not Series.objects.exists()
    assert counts(hub.store(roof, run("t", [(1, 1.0)]))) == (1, 0, 0)


def test_a_frame_in_many_parts_is_stored_whole(stage: Stage) -> None:
    """More devices and more series than one statement takes."""
    hub = stage.hub()
    devices = [Device(uid=f"d{n}") for n in range(1_100)]
    Device.objects.bulk_create(devices)
    devices = list(Device.objects.all())
    batch = [Plain(device).send(run("t", [(0, 1.0)])) for device in devices]
    outcome = hub.write(*batch)
    assert sum(s.stored for s in outcome.settlements) == 1_100
    outcome = hub.write(*batch)
    assert sum(s.duplicate for s in outcome.settlements) == 1_100
    minute = timedelta(minutes=1)
    assert Device.objects.filter(last_seen_at__gt=from_us(NOW_US) - minute).count() == 1_100
