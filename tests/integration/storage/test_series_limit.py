"""A device has a bounded number of series: they go on, and what would begin one more is refused."""

from __future__ import annotations

from threading import Barrier, Thread

from devices.models import Device, Series
from ingest.erasure import erase_series
from ingest.models import RefusedReading
from ingest.storage.catalogue import FULL_LOOK_INTERVAL_US
from tests.integration.storage.failing import failing
from tests.integration.storage.stage import (
    NOW_US,
    Hub,
    Plain,
    Stage,
    counts,
    named,
    run,
    series_of,
    stored,
)


def metrics_of(device: Device) -> list[str]:
    return list(Series.objects.filter(device=device).values_list("metric", flat=True))


def test_the_first_metrics_are_begun_and_the_rest_refused_by_name(stage: Stage) -> None:
    hub, roof = stage.hub(metrics=2), stage.device()
    settlement = hub.store(
        roof,
        *(run("wind", [(0, 1.0)]), run("rain", [(0, 1.0)])),
        *(run("hail", [(0, 1.0), (1, 2.0)]), run("door", [(1, "open")])),
    )
    assert counts(settlement) == (2, 0, 3)
    assert named(settlement) == [
        (1, "series_limit", 0, "door"),
        (1, "series_limit", 0, "hail"),
        (1, "series_limit", 1, "hail"),
    ]
    assert metrics_of(roof) == ["rain", "wind"]
    kept = RefusedReading.objects.filter(device=roof, code="series_limit").order_by("id")
    assert [(row.metric, row.value) for row in kept] == [
        ("door", "open"),
        ("hail", "1.0"),
        ("hail", "2.0"),
    ]


def test_the_metrics_of_a_full_device_go_on_beside_those_that_are_refused(stage: Stage) -> None:
    hub, roof, cellar = stage.hub(metrics=1), stage.device(), stage.device("cellar")
    hub.store(roof, run("t", [(0, 1.0)]))
    assert counts(hub.store(roof, run("t", [(1, 2.0)]), run("h", [(1, 1.0)]))) == (1, 0, 1)
    assert counts(hub.store(cellar, run("h", [(1, 1.0)]))) == (1, 0, 0)
    assert stored(roof, "t") == [(0, 1.0), (1, 2.0)]


def test_the_metrics_known_before_the_limit_was_lowered_go_on(stage: Stage) -> None:
    roof = stage.device()
    stage.hub(metrics=3).store(roof, *(run(name, [(0, 1.0)]) for name in "abc"))
    after = stage.hub(metrics=2)
    again = after.store(roof, *(run(name, [(1, 1.0)]) for name in "abcd"))
    assert counts(again) == (3, 0, 1)
    assert named(again) == [(1, "series_limit", 0, "d")]


def test_a_full_device_that_always_finds_new_names_is_looked_up_once_in_a_while(
    stage: Stage,
) -> None:
    wrapped, engine = failing(stage.open_engine())
    hub, roof = Hub(engine, metrics=2), stage.device()
    device = Plain(roof)
    hub.write(device.send(run("a", [(0, 1.0)]), run("b", [(0, 1.0)])))
    looked = wrapped.calls.count("series")
    for n in range(1, 20):
        sent = device.send(run(f"new{n}", [(n, 1.0)]), run("a", [(n, 1.0)]))
        outcome = hub.write(sent, now_us=NOW_US + n)
        assert counts(outcome.settlements[0]) == (1, 0, 1)
    assert wrapped.calls.count("series") == looked
    hub.write(device.send(run("late", [(30, 1.0)])), now_us=NOW_US + FULL_LOOK_INTERVAL_US)
    assert wrapped.calls.count("series") == looked + 1
    assert wrapped.calls.count("add_series") == 1


def test_a_series_that_was_reset_makes_room_for_another(stage: Stage) -> None:
    hub, roof = stage.hub(metrics=1), stage.device()
    hub.store(roof, run("a", [(0, 1.0)]))
    assert counts(hub.store(roof, run("b", [(0, 1.0)]))) == (0, 0, 1)
    erase_series(series_of(roof, "a"))
    assert counts(hub.store(roof, run("b", [(0, 1.0)]))) == (1, 0, 0)
    assert counts(hub.store(roof, run("a", [(0, 1.0)]))) == (0, 0, 1)


def test_a_deleted_device_is_not_told_that_it_has_too_many_metrics(stage: Stage) -> None:
    hub, roof = stage.hub(metrics=1), stage.device()
    gone = Plain(roof)
    hub.write(gone.send(run("a", [(0, 1.0)])))
    Device.objects.filter(pk=roof.pk).delete()
    refused = hub.write(gone.send(run("b", [(0, 1.0)]))).settlements[0]
    assert [code for _, code, _, _ in named(refused)] == ["unstorable"]


def test_a_metric_that_another_hub_began_is_found_in_a_while(postgres_stage: Stage) -> None:
    stage = postgres_stage
    one, other, roof = stage.hub(metrics=2), stage.hub(metrics=3), stage.device()
    device = Plain(roof)
    one.write(device.send(run("a", [(0, 1.0)]), run("b", [(0, 1.0)])))
    other.store(roof, run("c", [(0, 1.0)]))
    at_once = one.write(device.send(run("c", [(1, 1.0)])))
    later = one.write(device.send(run("c", [(2, 1.0)])), now_us=NOW_US + FULL_LOOK_INTERVAL_US)
    assert [counts(o.settlements[0]) for o in (at_once, later)] == [(0, 0, 1), (1, 0, 0)]


def test_two_hubs_that_begin_metrics_of_one_device_at_once_give_it_a_few_more_at_most(
    postgres_stage: Stage,
) -> None:
    """Each finds room for what it saw: at most twice the limit, and nothing is lost or doubled."""
    stage, limit, rounds = postgres_stage, 8, 12
    roof, barrier = stage.device(), Barrier(2)
    settled: list[tuple[int, int, int]] = []

    def write(name: str) -> None:
        hub = stage.hub(metrics=limit)
        device = Plain(roof)
        for n in range(rounds):
            barrier.wait(60)
            outcome = hub.write(device.send(run(f"{name}{n}", [(0, 1.0)])))
            settled.append(counts(outcome.settlements[0]))

    threads = [Thread(target=write, args=(name,)) for name in ("one", "other")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    begun = len(metrics_of(roof))
    assert limit <= begun <= limit + 1
    assert sum(stored for stored, _, _ in settled) == begun
    assert sum(sum(each) for each in settled) == 2 * rounds
    for name in metrics_of(roof):
        assert stored(roof, name) == [(0, 1.0)]
