"""What a dashboard may ask for, and what it is told of what it may not."""

from __future__ import annotations

from typing import Any

import pytest

from dashboards.live.charts import Chart
from dashboards.live.selection import EVERYTHING, Selection, searchable
from dashboards.live.subscription import (
    CHARTS_MAX,
    DEVICES_MAX,
    FILTER_MAX_CHARACTERS,
    METRICS_MAX,
    Unfit,
    charts_of,
    subscription_of,
)

CHART = {"series": "roof/a/b", "step_ms": 1_000}


def test_nothing_said_is_everything_as_fast_as_it_comes() -> None:
    asked = subscription_of({"type": "subscribe"})
    assert (asked.selection, asked.interval_ms, asked.charts) == (EVERYTHING, 0, ())


def test_all_that_is_said_holds_at_once() -> None:
    selection = subscription_of(
        {"type": "subscribe", "devices": ["roof", "porch"], "filter": "Up"}
    ).selection
    assert selection.has("roof", searchable("roof", "Upstairs", []))
    assert not selection.has("roof", searchable("roof", "Down", []))
    assert not selection.has("cellar", searchable("cellar", "Upstairs", []))


@pytest.mark.parametrize("text", ["roof", "UP there", "humid"])
def test_a_filter_finds_uid_name_and_metrics_in_any_case(text: str) -> None:
    selection = subscription_of({"type": "subscribe", "filter": text}).selection
    assert selection.has("roof", searchable("roof", "Up There", ["Humidity"]))
    assert not selection.has("x", searchable("x", "y", ["z"]))


def test_equal_selections_are_one() -> None:
    one = subscription_of({"type": "subscribe", "devices": ["a", "b"], "filter": "X"})
    other = subscription_of({"type": "subscribe", "devices": ["b", "a", "a"], "filter": "x"})
    assert len({one.selection, other.selection, Selection(metrics=frozenset())}) == 2


def test_a_chart_is_of_a_series_whose_metric_may_have_a_slash() -> None:
    [chart] = charts_of({"type": "chart", "charts": [CHART, CHART]})
    assert chart == Chart("roof/a/b", 1_000, "UTC")
    assert (chart.uid, chart.metric) == ("roof", "a/b")


@pytest.mark.parametrize(
    ("asked", "field", "bound"),
    [
        ({"devices": "roof"}, "devices", None),
        ({"devices": [7]}, "devices.0", None),
        ({"devices": ["d"] * (DEVICES_MAX + 1)}, "devices", "devices"),
        ({"metrics": ["m"] * (METRICS_MAX + 1)}, "metrics", "metrics"),
        ({"filter": "x" * (FILTER_MAX_CHARACTERS + 1)}, "filter", "filter"),
        ({"filter": None}, "filter", None),
        ({"interval_ms": 0}, "interval_ms", None),
        ({"interval_ms": 1e9}, "interval_ms", None),
        ({"charts": [CHART] * (CHARTS_MAX + 1)}, "charts", "charts"),
        ({"charts": [CHART | {"series": "roof"}]}, "charts.0.series", None),
        ({"charts": [CHART | {"step_ms": 0}]}, "charts.0.step_ms", None),
        ({"charts": [CHART | {"zone": "Mars/Olympus"}]}, "charts.0.zone", None),
        ({"charts": [CHART | {"zone": "../../etc/passwd"}]}, "charts.0.zone", None),
        ({"charts": [{"series": "roof/t"}]}, "charts.0.step_ms", None),
    ],
)
def test_what_cannot_be_is_named_by_its_field(
    asked: dict[str, Any], field: str, bound: str | None
) -> None:
    with pytest.raises(Unfit) as unfit:
        subscription_of({"type": "subscribe", **asked})
    assert (unfit.value.field, unfit.value.bound) == (field, bound)
    assert str(unfit.value).startswith(f"{field}: ")
