"""New, duplicate and conflict: counted exactly, and named by sample and metric."""

from __future__ import annotations

import pytest

from ingest.reading import Code, Refusal
from ingest.storage import Settlement
from tests.integration.storage.aggregation import assert_one_mind
from tests.integration.storage.stage import (
    Hub,
    Plain,
    Stage,
    counts,
    named,
    run,
    series_of,
    stored,
    stored_texts,
)

SIDES = pytest.mark.parametrize("sealed", [False, True], ids=["recent", "sealed"])


def resend(hub: Hub, sealed: bool, settlement: Settlement) -> None:
    assert settlement.rejected == 0
    if sealed:
        hub.seal_all(3600)


@SIDES
def test_a_frame_sent_again_is_a_duplicate_and_changes_nothing(stage: Stage, sealed: bool) -> None:
    hub, roof = stage.hub(), stage.device()
    readings = [(second, second / 3) for second in range(0, 200, 7)]
    resend(hub, sealed, hub.store(roof, run("t", readings)))
    before = assert_one_mind()
    assert counts(hub.store(roof, run("t", readings))) == (0, len(readings), 0)
    assert_one_mind(before)


@SIDES
def test_another_value_at_a_known_time_is_a_conflict_and_the_first_stays(
    stage: Stage, sealed: bool
) -> None:
    hub, roof = stage.hub(), stage.device()
    resend(hub, sealed, hub.store(roof, run("t", [(0, 1.0), (1, 2.0), (2, 3.0)])))
    settlement = hub.store(roof, run("t", [(0, 1.0), (1, 2.5), (2, 3.0), (3, 4.0)]))
    assert counts(settlement) == (1, 2, 1)
    assert named(settlement) == [(1, "conflict", 1, "t")]
    assert settlement.refusals[0][1].value == "2.5"
    assert stored(roof, "t") == [(0, 1.0), (1, 2.0), (2, 3.0), (3, 4.0)]
    assert_one_mind()


@SIDES
def test_within_a_batch_the_first_sent_wins(stage: Stage, sealed: bool) -> None:
    hub, roof = stage.hub(), stage.device()
    resend(hub, sealed, hub.store(roof, run("t", [(-1, 0.0)])))
    one, other = Plain(roof), Plain(roof)
    outcome = hub.write(
        one.send(run("t", [(0, 1.0), (1, 1.0)])),
        other.send(run("t", [(0, 1.0), (1, 9.0), (2, 1.0)])),
        one.send(run("t", [(2, 9.0), (3, 1.0)])),
    )
    first, second = outcome.settlements
    assert (first.connection, first.through, counts(first)) == (one, 2, (3, 0, 1))
    assert named(first) == [(2, "conflict", 0, "t")]
    assert (second.connection, second.through, counts(second)) == (other, 1, (1, 1, 1))
    assert named(second) == [(1, "conflict", 1, "t")]
    assert stored(roof, "t") == [(-1, 0.0), (0, 1.0), (1, 1.0), (2, 1.0), (3, 1.0)]
    assert_one_mind()


@SIDES
def test_within_a_frame_the_first_sent_wins(stage: Stage, sealed: bool) -> None:
    hub, roof = stage.hub(), stage.device()
    resend(hub, sealed, hub.store(roof, run("t", [(-1, 0.0)])))
    settlement = hub.store(roof, run("t", [(5, 1.0), (5, 2.0), (5, 1.0), (5, 3.0)]))
    assert counts(settlement) == (1, 1, 2)
    assert named(settlement) == [(1, "conflict", 1, "t"), (1, "conflict", 3, "t")]
    assert stored(roof, "t") == [(-1, 0.0), (5, 1.0)]
    assert_one_mind()


@SIDES
def test_a_few_known_rows_among_thousands_are_found_each(stage: Stage, sealed: bool) -> None:
    hub, roof = stage.hub(), stage.device()
    known = {0: 0.5, 999: 0.5, 1_000: 0.5, 1_500: 0.5, 2_499: 0.5}
    resend(hub, sealed, hub.store(roof, run("t", known.items())))
    values = {second: float(second) for second in range(2_500)} | {1_000: 0.5}
    settlement = hub.store(roof, run("t", values.items()))
    assert counts(settlement) == (2_495, 1, 4)
    assert named(settlement) == [(1, "conflict", sample, "t") for sample in (0, 999, 1_500, 2_499)]
    assert stored(roof, "t") == list((values | known).items())
    assert_one_mind()


def test_a_chunk_of_conflicts_alone_refuses_each(stage: Stage) -> None:
    hub, roof = stage.hub(), stage.device()
    seconds = range(1_000)
    hub.store(roof, run("t", [(second, 1.0) for second in seconds]))
    settlement = hub.store(roof, run("t", [(second, 2.0) for second in seconds]))
    assert counts(settlement) == (0, 0, 1_000)
    assert [sample for _, _, sample, _ in named(settlement)] == list(seconds)


def test_one_frame_may_reach_across_the_watermark(stage: Stage) -> None:
    hub, roof = stage.hub(), stage.device()
    hub.store(roof, run("t", [(0, 1.0), (119, 1.0)]))
    hub.seal_all(60)
    settlement = hub.store(
        roof, run("t", [(119, 2.0), (59, 3.0), (0, 1.0), (60, 4.0), (0, 9.0), (118, 5.0)])
    )
    assert counts(settlement) == (3, 1, 2)
    assert named(settlement) == [(1, "conflict", 0, "t"), (1, "conflict", 4, "t")]
    assert stored(roof, "t") == [(0, 1.0), (59, 3.0), (60, 4.0), (118, 5.0), (119, 1.0)]
    assert_one_mind()


@SIDES
def test_texts_are_told_apart_too(stage: Stage, sealed: bool) -> None:
    hub, roof = stage.hub(), stage.device()
    resend(hub, sealed, hub.store(roof, run("state", [(0, "on"), (1, "é\t\\N\n'")])))
    settlement = hub.store(
        roof, run("state", [(0, "on"), (0, "off"), (1, "é\t\\N\n'"), (2, ""), (2, "")])
    )
    assert counts(settlement) == (1, 3, 1)
    assert named(settlement) == [(1, "conflict", 1, "state")]
    assert stored_texts(roof, "state") == [(0, "on"), (1, "é\t\\N\n'"), (2, "")]


@SIDES
def test_booleans_and_whole_numbers_equal_what_they_are_stored_as(
    stage: Stage, sealed: bool
) -> None:
    hub, roof = stage.hub(), stage.device()
    door, big = run("door", [(0, True), (1, False)]), run("n", [(0, 2**53), (1, -(2**53))])
    resend(hub, sealed, hub.store(roof, door, big))
    assert counts(hub.store(roof, door, big)) == (0, 4, 0)
    assert counts(hub.store(roof, run("door", [(0, False)]))) == (0, 0, 1)
    assert counts(hub.store(roof, run("n", [(0, 2**53 - 1)]))) == (0, 0, 1)
    assert stored(roof, "door") == [(0, 1.0), (1, 0.0)]
    assert stored(roof, "n") == [(0, 2.0**53), (1, -(2.0**53))]


@SIDES
def test_minus_zero_is_zero_and_the_extremes_come_back(stage: Stage, sealed: bool) -> None:
    hub, roof = stage.hub(), stage.device()
    extremes = run("t", [(0, -0.0), (1, 1e300), (2, -1e300), (3, 5e-324), (4, 0.1 + 0.2)])
    resend(hub, sealed, hub.store(roof, extremes))
    assert counts(hub.store(roof, extremes)) == (0, 5, 0)
    assert counts(hub.store(roof, run("t", [(0, 0.0)]))) == (0, 1, 0)
    assert [value for _, value in stored(roof, "t")] == extremes.values


def test_the_outcome_says_which_readings_were_not_stored_as_sent(stage: Stage) -> None:
    hub, roof = stage.hub(), stage.device()
    hub.store(roof, run("t", [(0, 1.0)]), run("state", [(0, "on")]))
    t = run("t", [(0, 1.0), (0, 2.0), (1, 3.0)])
    wrong_kind = run("state", [(0, 1.0), (1, 1.0)])
    outcome = hub.write(Plain(roof).send(t, wrong_kind))
    assert outcome.unstored == {id(t): {1}, id(wrong_kind): set()}


def test_another_kind_is_refused_whether_the_series_is_remembered_or_not(stage: Stage) -> None:
    hub, roof = stage.hub(), stage.device()
    hub.store(roof, run("t", [(0, 1.0)]))
    for its_hub in (hub, stage.hub()):
        settlement = its_hub.store(
            roof, run("t", [(1, "warm"), (2, "hot")]), run("t", [(3, True)]), run("t", [(0, 1.0)])
        )
        assert counts(settlement) == (0, 1, 3)
        refused = [(1, "kind_mismatch", sample, "t") for sample in (0, 0, 1)]
        assert named(settlement) == refused
    assert stored(roof, "t") == [(0, 1.0)]


def test_the_first_reading_of_a_batch_decides_the_kind(stage: Stage) -> None:
    hub, roof = stage.hub(), stage.device()
    one, other = Plain(roof), Plain(roof)
    first, second = hub.write(
        one.send(run("t", [(0, "warm")])), other.send(run("t", [(1, 2.0)]))
    ).settlements
    assert counts(first) == (1, 0, 0)
    assert counts(second) == (0, 0, 1)
    assert series_of(roof, "t").kind == 2


def test_what_the_decoder_refused_is_counted_and_named_in_the_order_of_the_frames(
    stage: Stage,
) -> None:
    hub, roof = stage.hub(), stage.device()
    hub.store(roof, run("t", [(0, 1.0)]))
    device = Plain(roof)
    refusals = [Refusal(Code.NOT_FINITE, 3, "t"), Refusal(Code.TS_UNIT, 5, count=4)]
    settlement = hub.write(
        device.send(run("t", [(0, 2.0)]), refusals=refusals), device.send(run("t", [(0, 3.0)]))
    ).settlements[0]
    assert counts(settlement) == (0, 0, 7)
    assert settlement.readings == 7
    assert named(settlement) == [
        (1, "conflict", 0, "t"),
        (1, "not_finite", 3, "t"),
        (1, "ts_unit", 5, None),
        (2, "conflict", 0, "t"),
    ]


def test_an_empty_frame_is_settled(stage: Stage) -> None:
    hub, roof = stage.hub(), stage.device()
    settlement = hub.write(Plain(roof).send()).settlements[0]
    assert (settlement.through, counts(settlement)) == (1, (0, 0, 0))
