"""What is kept no longer goes, nothing else, and nothing that is sent again comes back."""

from __future__ import annotations

import pytest

from devices.models import Device
from ingest.erasure import erase_series
from ingest.fields import from_us, to_us
from ingest.models import Horizon, LineState, Rollup
from ingest.prune.estimate import estimate
from ingest.prune.run import Pruned, prune
from ingest.retention import Days, Rules
from tests.integration.storage.aggregation import Bucket, assert_one_mind, stored_rollups
from tests.integration.storage.stage import (
    Hub,
    Stage,
    at,
    counts,
    named,
    run,
    series_of,
    stored,
    stored_texts,
)

HOUR_S = 3_600
# Three days are sent; of two of them the readings go, of one the minutes, and the hours stay.
NOW_S = 72 * HOUR_S + 123.4
RULES = Rules.of(Days(1, 2, 0), [])
KEPT_S = 48 * HOUR_S
EVERY_S = 1_237.5


def no_rest(held_s: float) -> None:
    """Nobody else wants the database."""


def sent(
    since_s: float = 0, until_s: float = NOW_S, phase_s: float = 0
) -> list[tuple[float, float]]:
    times = [phase_s + EVERY_S * n for n in range(int(NOW_S / EVERY_S))]
    return [(time, time % 17 - 5) for time in times if since_s <= time < until_s]


def filled(stage: Stage, *metrics: str) -> tuple[Hub, Device]:
    """A hub that has sealed all but the last half hour of what a device sent."""
    hub, roof = stage.hub(), stage.device()
    hub.engine.close()
    hub = Hub(stage.open_engine(40_000, 400_000))
    hub.store(roof, *(run(metric, sent(phase_s=n)) for n, metric in enumerate(metrics or ["t"])))
    hub.store(roof, run("state", [(time, "ok") for time, _ in sent()]))
    hub.seal_all(NOW_S - HOUR_S / 2)
    return hub, roof


def pruned(rules: Rules = RULES, now_s: float = NOW_S) -> Pruned:
    done = prune(rules, at(now_s), no_rest, whole_tables=False)
    assert not done.refused
    return done


def starts(step_s: int) -> set[float]:
    rows = Rollup.objects.filter(step_s=step_s).values_list("start", flat=True)
    return {(to_us(start) - at(0)) / 1_000_000 for start in rows}


def test_each_form_goes_in_its_time_and_rollups_outlive_their_readings(stage: Stage) -> None:
    _, roof = filled(stage, "a", "b")
    before = stored_rollups()
    done = pruned()
    assert stored(roof, "a") == sent(KEPT_S)
    assert [time for time, _ in stored_texts(roof, "state")] == [t for t, _ in sent(KEPT_S)]
    assert min(starts(60)) >= 24 * HOUR_S
    assert starts(3600) == {hour * HOUR_S for hour in range(72)}
    assert stored_rollups().items() <= before.items()
    assert done.rows == {
        "readings": len(sent(0, KEPT_S)) + len(sent(0, KEPT_S, 1)),
        "texts": len(sent(0, KEPT_S)),
        "rollups of a minute": len(before) - len(stored_rollups()),
        "rollups of an hour": 0,
    }
    assert_one_mind()


def test_nothing_goes_twice_and_the_next_hours_go_when_they_are_due(stage: Stage) -> None:
    hub, roof = filled(stage)
    pruned()
    assert sum(pruned().rows.values()) == 0
    hub.store(roof, run("t", [(NOW_S, 1.0)]))
    hub.seal_all(NOW_S + HOUR_S)
    pruned(now_s=NOW_S + HOUR_S)
    assert stored(roof, "t") == [*sent(KEPT_S + HOUR_S), (NOW_S, 1.0)]
    assert_one_mind()


def test_where_everything_is_kept_nothing_is_touched(stage: Stage) -> None:
    filled(stage)
    before = assert_one_mind(), stored_rollups()
    assert sum(pruned(Rules.of(Days(), [])).rows.values()) == 0
    assert (assert_one_mind(), stored_rollups()) == before
    assert not Horizon.objects.exists()


def test_what_is_not_sealed_yet_stays_however_old_it_is(stage: Stage) -> None:
    hub, roof = stage.hub(), stage.device()
    hub.store(roof, run("t", sent()))
    assert pruned().rows["readings"] == 0
    hub.seal_all(30 * HOUR_S)
    pruned()
    assert stored(roof, "t") == sent(30 * HOUR_S)
    assert_one_mind()


def test_what_comes_for_a_time_that_is_gone_is_refused_and_folded_nowhere(stage: Stage) -> None:
    hub, roof = filled(stage)
    pruned()
    before = stored_rollups()
    late = run("t", [(KEPT_S - 0.000001, 1.0), (KEPT_S, 1.5), (NOW_S, 2.0)])
    settled = hub.store(roof, run("t", sent(0, KEPT_S)), run("state", [(5, "ok")]), late)
    gone = len(sent(0, KEPT_S))
    assert counts(settled) == (2, 0, gone + 2)
    assert {code for _, code, _, _ in named(settled)} == {"too_old"}
    rollups = stored_rollups()
    changed = {key for key, bucket in rollups.items() if before.get(key) != bucket}
    assert {start_us for _, _, start_us in changed} == {at(KEPT_S)}
    assert_one_mind()


def test_a_series_without_a_horizon_takes_what_others_would_not(stage: Stage) -> None:
    hub, roof = filled(stage)
    pruned()
    old = [(5.0, 1.0), (3_605.0, 2.0)]
    assert counts(hub.store(roof, run("new", old), run("t", old))) == (2, 0, 2)
    assert stored(roof, "new") == old
    pruned()
    assert stored(roof, "new") == []
    new = {
        key[1:]: bucket
        for key, bucket in stored_rollups().items()
        if key[0] == series_of(roof, "new").pk
    }
    assert new == {
        (HOUR_S * 1_000_000, at(0)): Bucket(1, 1.0, 1.0, 1.0, (at(5), 1.0), (at(5), 1.0)),
        (HOUR_S * 1_000_000, at(HOUR_S)): Bucket(
            1, 2.0, 2.0, 2.0, (at(3605), 2.0), (at(3605), 2.0)
        ),
    }


def test_a_series_that_is_reset_has_no_horizon_any_more(stage: Stage) -> None:
    hub, roof = filled(stage)
    pruned()
    erase_series(series_of(roof, "t"))
    assert counts(hub.store(roof, run("t", [(5, 1.0)]))) == (1, 0, 0)
    assert_one_mind()


def test_a_rule_of_one_s_own_goes_before_the_hub_s(stage: Stage) -> None:
    _, roof = filled(stage, "a", "b")
    pruned(Rules.of(Days(1), [((roof.pk, "b"), Days(2)), ((None, "state"), Days(0))]))
    assert stored(roof, "a") == sent(KEPT_S)
    assert stored(roof, "b") == sent(24 * HOUR_S, phase_s=1)
    assert len(stored_texts(roof, "state")) == len(sent())
    assert_one_mind()


@pytest.mark.parametrize(
    "harm",
    [{"count": 0}, {"min": -99.0}, {"sum": 0.001}, {"last_time": None}, {}],
    ids=["count", "least", "sum", "last", "missing"],
)
@pytest.mark.parametrize("step_s", [60, 3600])
def test_readings_that_are_not_in_their_rollups_stay(
    stage: Stage, harm: dict[str, object], step_s: int
) -> None:
    _, roof = filled(stage, "a", "b")
    start = min(
        Rollup.objects.filter(
            step_s=step_s, series__metric="a", start__gte=from_us(at(30 * HOUR_S))
        ).values_list("start", flat=True)
    )
    hurt = Rollup.objects.filter(step_s=step_s, series__metric="a", start=start)
    if harm == {"last_time": None}:
        harm = {"last_time": from_us(at(0))}
    hurt.update(**harm) if harm else hurt._raw_delete(hurt.db)
    done = prune(RULES, at(NOW_S), no_rest, whole_tables=False)
    [refused] = done.refused
    assert (refused.series_id, refused.since_us) == (series_of(roof, "a").pk, to_us(start))
    assert set(sent(30 * HOUR_S)) <= set(stored(roof, "a"))
    assert stored(roof, "b") == sent(KEPT_S, phase_s=1)
    assert prune(RULES, at(NOW_S), no_rest, whole_tables=False).refused == done.refused


def test_a_dry_run_says_what_a_run_deletes_and_changes_nothing(stage: Stage) -> None:
    _, roof = filled(stage, "a", "b")
    before = assert_one_mind(), stored_rollups(), LineState.objects.get(pk=1).horizon
    told = estimate(RULES, at(NOW_S))
    assert (assert_one_mind(), stored_rollups(), LineState.objects.get(pk=1).horizon) == before
    assert not Horizon.objects.exists()
    assert told.rows == pruned().rows
    assert all((told.size_bytes[name] > 0) == (rows > 0) for name, rows in told.rows.items())
    assert sum(estimate(RULES, at(NOW_S)).rows.values()) == 0
    assert stored(roof, "a") == sent(KEPT_S)
