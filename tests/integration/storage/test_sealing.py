"""Sealing in tiny units and slices, with readings that come when it suits least."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable

import pytest

from ingest.fields import to_us
from ingest.models import LineState
from ingest.storage import Collision
from tests.integration.storage.aggregation import Readings, assert_one_mind
from tests.integration.storage.stage import (
    NOW_US,
    Hub,
    Plain,
    Stage,
    at,
    counts,
    run,
    series_of,
    stored,
    watermark_us,
)

METRICS = ["a", "b", "c", "d", "e", "f"]


def spread(seed: int, count: int = 30, within_s: float = 400) -> list[tuple[float, float]]:
    """Readings at random times, some of them on the edges of minutes."""
    chance = random.Random(seed)
    times = {round(chance.uniform(0, within_s), 6) for _ in range(count)} | {0, 60, 59.999999, 120}
    return [(time, chance.uniform(-100, 100)) for time in sorted(times)]


def is_mid_unit() -> bool:
    state = LineState.objects.get(pk=1)
    return state.sealing_from != state.sealing_to


def unit_end_us() -> int:
    return max(to_us(LineState.objects.get(pk=1).sealing_to), at(0))


def seal_and_do(hub: Hub, before_s: float, intrude: Callable[[int], None]) -> int:
    """Seal step by step; after each, and before the first, intrude and look at everything."""
    step = 0
    intrude(step)
    readings = assert_one_mind()
    while hub.seal(before_s):
        assert_one_mind(readings)
        step += 1
        intrude(step)
        before, readings = readings, assert_one_mind()
        assert readings == before | readings, "what was stored is stored"
        assert step < 500, "sealing never ends"
    assert_one_mind(readings)
    return step


def nothing(step: int) -> None:
    pass


def test_sealing_goes_by_units_and_slices_and_is_right_after_each(stage: Stage) -> None:
    hub, roof = stage.hub(), stage.device()
    hub.store(roof, *(run(metric, spread(n)) for n, metric in enumerate(METRICS)))
    before = assert_one_mind()
    assert seal_and_do(hub, 300, nothing) > 3
    assert_one_mind(before)
    assert watermark_us(series_of(roof, "a").pk) == at(300)
    seal_and_do(hub, 3600, nothing)
    assert_one_mind(before)


def test_sealing_what_is_sealed_changes_nothing(stage: Stage) -> None:
    hub, roof = stage.hub(), stage.device()
    hub.store(roof, run("t", spread(1)))
    hub.seal_all(300)
    assert not hub.seal(300)
    assert not hub.seal(240)  # the clock was set back
    assert watermark_us(series_of(roof, "t").pk) == at(300)
    assert_one_mind()


def test_where_nothing_is_stored_the_watermark_passes_on(stage: Stage) -> None:
    hub, roof = stage.hub(), stage.device()
    hub.seal_all(300)
    assert counts(hub.store(roof, run("t", [(299, 1.0), (300, 1.0)]))) == (2, 0, 0)
    assert watermark_us(series_of(roof, "t").pk) == at(300)
    assert_one_mind()


def test_many_readings_of_one_moment_are_one_unit(stage: Stage) -> None:
    hub, roof = stage.hub(), stage.device()
    hub.store(roof, *(run(f"m{n}", [(0, float(n)), (0.000001, 1.0)]) for n in range(20)))
    before = assert_one_mind()
    seal_and_do(hub, 60, nothing)
    assert_one_mind(before)


def test_late_readings_before_during_and_after_sealing_are_folded(stage: Stage) -> None:
    hub, roof = stage.hub(), stage.device()
    hub.store(roof, *(run(metric, spread(n)) for n, metric in enumerate(METRICS)))
    hub.seal_all(180)

    def send_late(step: int) -> None:
        second = 10 + step * 0.001
        late = [run(metric, [(second, float(step)), (-7200 - step, 1.0)]) for metric in METRICS]
        assert counts(hub.store(roof, *late)) == (12, 0, 0)
        assert (second, float(step)) in stored(roof, METRICS[0])
        assert counts(hub.store(roof, *late)) == (0, 12, 0)

    seal_and_do(hub, 360, send_late)
    send_late(1_000)
    assert_one_mind()


def test_stragglers_come_to_a_unit_in_progress_on_both_sides_of_the_slice(stage: Stage) -> None:
    hub, roof = stage.hub(), stage.device()
    hub.store(roof, *(run(metric, spread(n)) for n, metric in enumerate(METRICS)))
    sides = set()

    def straggle(step: int) -> None:
        if step > 60:
            return
        metric = METRICS[step * 5 % len(METRICS)]
        second = (unit_end_us() - at(0)) / 1_000_000 - 0.000_001 * (step + 1)
        is_late = at(second) < watermark_us(series_of(roof, metric).pk)
        sides.add((is_late, is_mid_unit()))
        assert counts(hub.store(roof, run(metric, [(second, 1.0)]))) == (1, 0, 0)
        assert (at(second), 1.0) in [(at(s), value) for s, value in stored(roof, metric)]
        assert counts(hub.store(roof, run(metric, [(second, 2.0)]))) == (0, 0, 1)

    seal_and_do(hub, 60, straggle)
    assert {(True, True), (False, True)} <= sides


def test_a_series_may_appear_while_a_unit_is_sealed(stage: Stage) -> None:
    hub, roof = stage.hub(), stage.device()
    hub.store(roof, *(run(metric, spread(n)) for n, metric in enumerate(METRICS)))

    def appear(step: int) -> None:
        if step < 30:
            hub.store(roof, run(f"new{step}", [(5, 1.0), (70, 2.0), (500, 3.0)]))

    seal_and_do(hub, 300, appear)
    assert stored(roof, "new0") == [(5, 1.0), (70, 2.0), (500, 3.0)]
    hub.seal_all(600)
    assert_one_mind()


def test_a_crash_between_any_two_steps_loses_and_doubles_nothing(stage: Stage) -> None:
    for survived in range(1_000):
        stage.empty()
        hub, roof = stage.hub(), stage.device()
        hub.store(roof, *(run(metric, spread(n, count=5)) for n, metric in enumerate(METRICS)))
        before = assert_one_mind()
        if not all(hub.seal(300) for _ in range(survived)):
            break
        hub.crash()
        assert_one_mind(before)
        hub.store(roof, run("a", [(1, 1.0), (601, 1.0)]), run("z", [(1, 1.0), (601, 1.0)]))
        before = assert_one_mind()
        hub.seal_all(300)
        assert_one_mind(before)
        assert watermark_us(series_of(roof, "z").pk) == at(300)
        stage.close()
    assert survived > 2


def test_two_hubs_seal_by_turns(postgres_stage: Stage) -> None:
    hubs = [postgres_stage.hub(), postgres_stage.hub()]
    roof = postgres_stage.device()
    hubs[0].store(roof, *(run(metric, spread(n)) for n, metric in enumerate(METRICS)))
    before = assert_one_mind()
    step = 0
    for before_s in (120, 300, 3600):
        while hubs[step % 2].seal(before_s):
            assert_one_mind(before)
            step += 1
    for hub in hubs:
        assert counts(hub.store(roof, run("a", spread(0)))) == (0, len(spread(0)), 0)
    assert_one_mind(before)


def test_times_before_1970_are_sealed_into_their_own_minutes_and_hours(stage: Stage) -> None:
    hub, roof = stage.hub(), stage.device()
    epoch_s = -at(0) / 1_000_000
    seconds = [epoch_s + offset for offset in (-3_600.5, -3_600, -60.000001, -60, -1, 0, 59, 60)]
    hub.store(roof, run("t", [(second, float(n)) for n, second in enumerate(seconds)]))
    seal_and_do(hub, 0, nothing)
    hub.store(roof, run("t", [(second + 0.25, float(n)) for n, second in enumerate(seconds)]))
    assert_one_mind()


@pytest.mark.parametrize("sealed", [False, True], ids=["sealed at once", "sealed, then late"])
def test_sums_are_as_exact_as_the_order_of_addition_allows(stage: Stage, sealed: bool) -> None:
    hub, roof = stage.hub(), stage.device()
    values = [1e300, 1.0, -1e300, 1e-300, 0.1] * 20
    half = 50 if sealed else 100
    readings = list(enumerate(values))
    hub.store(roof, run("t", readings[:half]))
    hub.seal_all(3600)
    if sealed:
        hub.store(roof, run("t", readings[half:]))
    assert_one_mind()


def test_a_batch_under_way_keeps_sealing_waiting(postgres_stage: Stage) -> None:
    hub, other, roof = postgres_stage.hub(), postgres_stage.hub(), postgres_stage.device()
    hub.store(roof, run("t", [(0, 1.0)]))
    hub.transactions._write([Plain(roof).send(run("t", [(1, 2.0)]))], NOW_US)
    assert not other.seal(60)
    assert watermark_us(series_of(roof, "t").pk) < at(0)
    hub.engine.commit()
    other.seal_all(60)
    assert len(assert_one_mind()) == 2


@pytest.mark.parametrize("commits", [True, False], ids=["commits", "rolls back"])
def test_the_first_row_of_another_hub_decides_once_it_is_committed(
    postgres_stage: Stage, commits: bool
) -> None:
    hub, other, roof = postgres_stage.hub(), postgres_stage.hub(), postgres_stage.device()
    hub.transactions._write([Plain(roof).send(run("t", [(0, 1.0), (1, 1.0)]))], NOW_US)
    settled: list[tuple[int, int, int]] = []
    writing = threading.Thread(
        target=lambda: settled.append(
            counts(other.store(roof, run("t", [(0, 2.0), (1, 1.0), (2, 1.0)])))
        )
    )
    writing.start()
    writing.join(0.2)
    assert settled == []  # it waits for the row that may still be rolled back
    if commits:
        hub.engine.commit()
    else:
        hub.engine.rollback()
    writing.join(10)
    assert settled == [(1, 1, 1) if commits else (3, 0, 0)]
    assert_one_mind()


def test_two_hubs_write_and_seal_at_once(postgres_stage: Stage) -> None:
    """Each sends what the other does too, in another order, while both seal."""
    roof = postgres_stage.device()
    rounds, per_round = 25, 12
    sums = [0, 0]
    errors: list[BaseException] = []

    def live(number: int, hub: Hub) -> None:
        chance = random.Random(number)
        try:
            for turn in range(rounds):
                seconds = [turn * 10 + k for k in range(per_round)] + [turn]
                chance.shuffle(seconds)
                sent = [run(metric, [(s, float(s)) for s in seconds]) for metric in METRICS]
                frame = Plain(roof).send(*sent)
                sums[number] += settle(hub, frame)
                hub.seal(turn * 10 // 60 * 60)
        except BaseException as error:
            errors.append(error)

    def settle(hub: Hub, frame: object) -> int:
        while True:
            try:
                return hub.write(frame).settlements[0].stored  # type: ignore[arg-type]
            except Collision:
                continue

    threads = [
        threading.Thread(target=live, args=(number, postgres_stage.hub())) for number in (0, 1)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    readings: Readings = assert_one_mind()
    assert sum(sums) == len(readings)
    assert set(readings.values()) == set(map(float, range(rounds * 10 + 2)))
    postgres_stage.hub().seal_all(3600)
    assert_one_mind(readings)
