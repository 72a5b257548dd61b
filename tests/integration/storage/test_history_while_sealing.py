"""History and tails stay what the readings come to, while sealing goes on and late ones come."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta
from zoneinfo import ZoneInfo

from dashboards import queries
from dashboards.grid import DAY_US, HOUR_US, MINUTE_US, SECOND_US
from dashboards.queries import Tail
from devices.models import Device, Series
from ingest.fields import from_us
from ingest.models import Reading
from tests.integration.dashboards.naive import Readings, assert_same, in_buckets
from tests.integration.storage.stage import Hub, Stage, at, run

# From the middle of a minute on: the hub's own edges are not those of who asks.
START, END = from_us(at(13.7)), from_us(at(7_400))
ZONE = ZoneInfo("Asia/Kathmandu")
STEPS_US = (10 * SECOND_US, MINUTE_US, HOUR_US, DAY_US)


def some_readings(seed: int, count: int) -> list[tuple[float, float]]:
    chance = random.Random(seed)
    times = {round(chance.uniform(0, 7_300), 6) for _ in range(count)} | {60, 3_600, 59.999999}
    return [(time, chance.uniform(-100, 100)) for time in times]


def stored(series: Series) -> Readings:
    return list(Reading.objects.filter(series=series).values_list("time", "value"))


def assert_exact(series: list[Series]) -> None:
    """What is asked for in any step is what the readings come to now."""
    readings = [stored(one) for one in series]
    for step_us in STEPS_US:
        found = queries.history(series, START, END, 1_000, ZONE, step_us)
        for answer, its in zip(found.series, readings, strict=True):
            assert_same(answer.buckets, in_buckets(its, START, END, step_us, ZONE))
    tails = [Tail(one.pk, step_us, "UTC", at(3_601)) for one in series for step_us in STEPS_US]
    for tail, buckets in queries.tails(tails, at(7_400)).items():
        its = readings[[one.pk for one in series].index(tail.series_id)]
        begins = from_us(at(3_601) - at(3_601) % tail.step_us)
        assert_same(buckets, in_buckets(its, begins, END, tail.step_us))


def store(hub: Hub, device: Device, metrics: str, seed: int, count: int) -> None:
    runs = [run(metric, some_readings(seed + i, count)) for i, metric in enumerate(metrics)]
    hub.store(device, *runs)


def sealing_steps(hub: Hub) -> Iterator[None]:
    """Until all is sealed, an hour at a time."""
    for before_s in (1_800.5, 3_605, 7_400):
        while hub.seal(before_s):
            yield


def test_history_is_exact_after_each_step_of_sealing_and_each_late_frame(stage: Stage) -> None:
    hub, device = stage.hub(), stage.device()
    store(hub, device, "abc", seed=1, count=8)
    series = list(Series.objects.select_related("device").order_by("id"))
    assert_exact(series)
    for step, _ in enumerate(sealing_steps(hub)):
        if step % 4 == 0:  # some of them late, some of them in the unit under way
            store(hub, device, "abc", seed=100 + step, count=1)
        assert_exact(series)
    store(hub, device, "abc", seed=1_000, count=5)  # all of them late
    assert_exact(series)
    last = queries.history(series, END - timedelta(hours=3), END, 1_000)
    assert sum(bucket.count for bucket in last.series[0].buckets) == len(stored(series[0]))
