"""A prune that is stopped anywhere, or meets a hub or another prune anywhere, does no harm."""

from __future__ import annotations

import threading
from collections.abc import Callable

from django.db import connection

from devices.models import Device
from ingest.prune.run import prune
from ingest.retention import Days, Rules
from ingest.storage import Collision, Settlement
from tests.integration.storage.aggregation import Readings, assert_one_mind, stored_rollups
from tests.integration.storage.stage import Hub, Plain, Stage, at, counts, run, stored

HOUR_S = 3_600
NOW_S = 50 * HOUR_S
KEPT_S = NOW_S - 24 * HOUR_S
RULES = Rules.of(Days(1, 1, 2), [])
METRICS = ["a", "b", "c"]


class Killed(Exception):
    """The process that prunes is gone."""


def filled(stage: Stage) -> Hub:
    hub = Hub(stage.open_engine(slice_readings=1_000, unit_readings=10_000))
    times = [n * 600.25 for n in range(int(NOW_S / 600.25))]
    roof = stage.device()
    hub.store(roof, *(run(m, [(t + n, t) for t in times]) for n, m in enumerate(METRICS)))
    hub.store(roof, run("state", [(time, "ok") for time in times]))
    hub.seal_all(NOW_S)
    return hub


def killed_after(turns: int) -> Callable[[float], None]:
    def rest(held_s: float) -> None:
        nonlocal turns
        turns -= 1
        if turns < 0:
            raise Killed

    return rest


def left() -> tuple[Readings, object]:
    return assert_one_mind(), stored_rollups()


def test_stopped_after_any_turn_it_goes_on_with_the_next_run(stage: Stage) -> None:
    hub = filled(stage)
    prune(RULES, at(NOW_S), killed_after(1_000), whole_tables=False)
    expected = {(key[1], value) for key, value in assert_one_mind().items()}
    for turns in range(100):
        stage.close()
        stage.empty()
        hub = filled(stage)
        roof = Plain(_device())
        try:
            prune(RULES, at(NOW_S), killed_after(turns), whole_tables=False)
            break
        except Killed:
            connection.close()
        assert_one_mind()
        old = hub.write(roof.send(run("a", [(5.5, 1.0)]), run("a", [(0.0, 0.0)]))).settlements[0]
        assert counts(old) == ((0, 0, 2) if turns else counts(old))
        prune(RULES, at(NOW_S), killed_after(1_000), whole_tables=False)
        assert {(key[1], value) for key, value in assert_one_mind().items()} == expected
    assert turns > 5


def test_a_hub_takes_seals_and_refuses_between_any_two_turns(stage: Stage) -> None:
    hub = filled(stage)
    roof = _device()
    turn = 0

    def meanwhile(held_s: float) -> None:
        nonlocal turn
        turn += 1
        late = [(KEPT_S + turn, 1.0), (KEPT_S + 5 * HOUR_S + turn, 2.0)]
        settled = hub.store(roof, *(run(metric, late) for metric in METRICS))
        assert counts(settled) == (6, 0, 0)
        assert counts(hub.store(roof, run("a", [(NOW_S + turn * 30, 3.0)]))) == (1, 0, 0)
        assert counts(hub.store(roof, run("a", late))) == (0, 2, 0)
        gone = hub.store(roof, run("a", [(KEPT_S - turn, 1.0)]), run("state", [(turn, "late")]))
        assert counts(gone)[0] == 0 or turn <= 2  # each has moved its horizon by then
        hub.seal(NOW_S + turn * 20)
        assert_one_mind()

    prune(RULES, at(NOW_S), meanwhile, whole_tables=False)
    assert turn > 5
    assert min(time for time, _ in stored(roof, "a")) >= KEPT_S
    hub.seal_all(NOW_S + 100 * 60)
    assert_one_mind()


def test_two_prunes_beside_a_hub_delete_each_reading_once(stage: Stage) -> None:
    hub = filled(stage)
    roof = _device()
    before = len(assert_one_mind())
    rows: list[int] = []
    errors: list[BaseException] = []
    taken = [0]

    def pruning() -> None:
        try:
            rows.append(prune(RULES, at(NOW_S), whole_tables=False).rows["readings"])
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    def sending() -> None:
        try:
            for turn in range(40):
                old, new = KEPT_S - 4 * HOUR_S + turn, KEPT_S + turn + 0.5
                sent = [run(metric, [(old, 1.0), (new, 2.0)]) for metric in METRICS]
                taken[0] += _settle(hub, Plain(roof), *sent).stored
                hub.seal(NOW_S)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=target) for target in (pruning, pruning, sending)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    prune(RULES, at(NOW_S), killed_after(1_000), whole_tables=False)
    after = assert_one_mind()
    assert len(after) == before + taken[0] - sum(rows)
    assert min(at_us for _, at_us in after) >= at(KEPT_S)


def _settle(hub: Hub, plain: Plain, *runs: object) -> Settlement:
    while True:
        try:
            return hub.write(plain.send(*runs)).settlements[0]  # type: ignore[arg-type]
        except Collision:
            continue


def _device() -> Device:
    return Device.objects.get()
