"""The system page's pure parts: figures read from a registry, their words, and how they look."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from dashboards.pages import panels
from dashboards.pages.figures import read_figures
from dashboards.pages.quantities import bytes_text, count_text, quantity_text, span_text
from ingest.metrics import LineCollector, Tally
from ingest.reading import MESSAGES, Code
from ingest.storage import Reason
from project.server.metrics import CUT

DOCS = Path(__file__).resolve().parents[3] / "docs"


def test_figures_have_the_names_of_the_metrics_and_their_labels() -> None:
    registry = CollectorRegistry()
    Counter("weir_closed", "", ["code"], registry=registry).labels("4400").inc(2)
    Gauge("weir_sockets", "", registry=registry).set(5)
    Counter("somebody_elses", "", registry=registry).inc()
    assert read_figures(registry).values == {"closed/4400": 2, "sockets": 5}
    assert read_figures(registry).labels("closed") == ["4400"]


def test_a_histogram_has_counts_up_to_each_bound_and_in_all() -> None:
    registry = CollectorRegistry()
    commit = Histogram("weir_commit_seconds", "", buckets=(0.1, 1.0), registry=registry)
    for took_s in (0.05, 0.5, 0.75, 3):
        commit.observe(took_s)
    found = read_figures(registry).histograms["commit_seconds"]
    assert (found.bounds, found.counts, found.sum) == ([0.1, 1.0], [1, 3, 4], 4.3)


def test_readings_that_are_nowhere_are_unaccounted_for() -> None:
    registry, tally = CollectorRegistry(), Tally()
    registry.register(LineCollector(tally, {}, {}, {}))
    tally.take(10)
    tally.settle(6, stored=4, duplicate=1, rejected=1)
    tally.fence(1)
    assert read_figures(registry).unaccounted == 0
    tally.settle(2, stored=1, duplicate=0, rejected=0)
    assert read_figures(registry).unaccounted == 1


def test_the_reason_that_holds_is_told_among_all_there_are() -> None:
    registry = CollectorRegistry()
    holding = {"weir_trouble": ("", list(Reason), lambda: Reason.FULL)}
    registry.register(LineCollector(Tally(), {}, {}, holding))
    figures = read_figures(registry)
    assert len(figures.labels("trouble")) == len(Reason)
    assert figures["trouble/the disk is full"] == 1
    assert sum(figures[f"trouble/{reason}"] for reason in Reason) == 1


def test_every_reason_has_its_sentence() -> None:
    assert {counter.label: counter.meaning for counter in panels.REFUSED} == {
        code.value: MESSAGES[code] for code in Code
    }


def test_every_close_of_the_protocol_has_a_meaning_and_so_has_every_cut() -> None:
    rows = re.findall(r"^\| (\d{4}) \| `", (DOCS / "protocol.md").read_text(), re.MULTILINE)
    assert set(panels.CLOSE_MEANINGS) == set(rows)
    cuts = {sample.labels["why"] for metric in CUT.collect() for sample in metric.samples}
    assert set(panels.CUT_MEANINGS) == cuts


def test_a_close_that_nobody_foresaw_is_shown_all_the_same() -> None:
    labels = [counter.label for counter in panels.ended(["4999"], [])]
    assert "4999" in labels
    assert len(labels) == 1 + len(panels.CLOSE_MEANINGS) + len(panels.CUT_MEANINGS)


def test_a_bound_is_explained_by_a_setting_that_there_is() -> None:
    settings = (DOCS / "configuration.md").read_text()
    for bound, meaning in panels.BOUND_MEANINGS.items():
        (setting,) = re.findall(r"WEIR_\w+", meaning)
        assert f"| `{setting}` |" in settings, bound


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1_000, "1.0 kB"),
        (33_554_432, "33.6 MB"),
        (99_960_000, "100 MB"),
        (2.5e9, "2.5 GB"),
    ],
)
def test_bytes_are_told_in_the_largest_unit_that_fits(size_bytes: float, text: str) -> None:
    assert bytes_text(size_bytes) == text


@pytest.mark.parametrize(
    ("span_s", "text"),
    [
        (-3, "0 s"),
        (8.9, "8 s"),
        (60, "1 min 0 s"),
        (725, "12 min 5 s"),
        (3_661, "1 h 1 min"),
        (273_600, "3 d 4 h"),
    ],
)
def test_spans_are_told_in_the_two_largest_units_that_fit(span_s: float, text: str) -> None:
    assert span_text(span_s) == text


def test_a_figure_without_a_unit_is_a_count() -> None:
    assert quantity_text(1_234_567.0, "count") == count_text(1_234_567) == "1,234,567"
