"""What the benchmark makes of what it measured: medians, ratios, the marks on what falls short."""

from __future__ import annotations

from typing import Any

from benchmarks.figures import Figures, Kind, Run, rows
from benchmarks.report import as_json, table
from benchmarks.shapes import SHAPES, by_name


def run(kind: Kind, readings_per_s: float, shape: str = "samples", **figures: float) -> Run:
    return Run("sqlite", shape, kind, 0, Figures(readings_per_s, **figures))


def test_each_figure_is_the_median_of_its_own() -> None:
    measured = [
        run("hub", 300, ack_p99_ms=5),
        run("hub", 100, ack_p99_ms=9),
        run("hub", 200, ack_p99_ms=7),
    ]
    (row,) = rows(measured, SHAPES, ["sqlite"])
    assert row.medians["hub"] == Figures(200, ack_p99_ms=7)


def test_a_row_says_which_wanted_ratio_it_missed() -> None:
    measured = [run("usual", 2_000), run("hub", 100_000), run("bare", 300_000)]
    (row,) = rows(measured, SHAPES, ["sqlite"])
    assert row.ratio("usual") == 50
    assert row.missed == ["50.00 × the usual consumer, wanted 100"]


def test_a_shape_like_another_is_compared_with_that_ones_others() -> None:
    measured = [run("hub", 300), run("bare", 400), run("hub", 200, shape="twice")]
    _, twice = rows(measured, SHAPES, ["sqlite"])
    assert twice.ratio("bare") == 0.5


def test_what_was_not_measured_is_not_missed() -> None:
    (row,) = rows([run("hub", 1)], SHAPES, ["sqlite"])
    assert row.missed == []


def test_rows_come_by_engine_and_in_the_order_of_the_shapes() -> None:
    measured = [run("hub", 1, shape="columns"), run("hub", 1, shape="single")]
    found = rows(measured, SHAPES, ["postgresql", "sqlite"])
    assert [row.shape.name for row in found] == ["single", "columns"]


def test_the_table_marks_what_falls_short_and_a_client_at_its_limit() -> None:
    measured = [run("usual", 2_000), run("hub", 100_000, client_busy=0.97, foreign=0.25)]
    (line,) = [
        line
        for line in table(rows(measured, SHAPES, ["sqlite"])).splitlines()
        if line.startswith("34 samples × 3  hub")
    ]
    assert line.split()[5:] == ["100,000", "c", "50", "!", "25%"]


def test_the_json_has_every_run_and_the_medians() -> None:
    measured = [run("hub", 100), run("hub", 300), run("bare", 400)]
    found: Any = as_json(rows(measured, SHAPES, ["sqlite"]), measured, {"cores": 2}, {"stored": 1})
    (row,) = found["rows"]
    assert row["times_bare"] == 0.5
    assert row["hub"]["readings_per_s"] == 200
    assert [one["figures"]["readings_per_s"] for one in found["runs"]] == [100, 300, 400]


def test_a_shape_in_flight_fits_into_the_hubs_buffer() -> None:
    shape = by_name("columns")
    assert shape.devices * shape.in_flight * shape.readings < 200_000
