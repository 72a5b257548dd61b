"""`/api/v1/history`: what is asked, what comes, and how what is wrong is said."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from dashboards.api.history import POINTS_MOST, SERIES_MOST
from dashboards.api.schemas import HistoryOut
from devices.models import Device
from ingest.fields import to_us
from tests.integration.api.conftest import NOW

pytestmark = pytest.mark.usefixtures("roof")

END_MS = to_us(NOW) // 1_000 + 1_000
SPAN = {"from": END_MS - 60_000, "to": END_MS, "points": 100}


def ask(client: Client, *series: str, **more: Any) -> Any:
    asked = {"series": series or ("roof/temperature",)} | SPAN | more
    return client.get("/api/v1/history", asked)


def test_a_series_comes_in_columns_with_what_it_is(client: Client) -> None:
    answer = ask(client).json()
    HistoryOut.model_validate(answer)
    assert (answer["from"], answer["to"], answer["step_ms"]) == (END_MS - 60_000, END_MS, 1_000)
    assert (answer["zone"], answer["source"]) == ("UTC", "readings")
    (series,) = answer["series"]
    columns = series.pop("columns")
    assert series.pop("gap_ms") > 1_000
    assert series == {
        "device": "roof",
        "metric": "temperature",
        "kind": "number",
        "unit": "°C",
        "low": 5.0,
        "high": 30.0,
    }
    assert {len(column) for column in columns.values()} == {60}
    assert columns["start"][-1] == END_MS - 1_000
    assert columns["mean"][-1] == columns["min"][-1] == columns["last"][-1] == 20


def test_several_series_come_in_the_order_asked_for(client: Client) -> None:
    answer = ask(client, "roof/door", "roof/temperature", "roof/door").json()
    named = [(one["metric"], one["kind"]) for one in answer["series"]]
    assert named == [("door", "boolean"), ("temperature", "number")]


def test_the_hubs_time_is_from_before_it_looked(client: Client) -> None:
    answer = ask(client, **{"from": "now-1h", "to": "now"}).json()
    assert END_MS - 1_000 <= answer["at"] <= answer["to"] + 60_000


def test_a_span_may_be_written_as_people_do(client: Client) -> None:
    start, end = NOW - timedelta(seconds=59), NOW + timedelta(seconds=1)
    written = ask(client, **{"from": start.isoformat(), "to": end.isoformat()}).json()
    assert written["series"] == ask(client).json()["series"]


WRONG = [
    ({"series": []}, "series", "series is missing."),
    ({"series": ["roof"]}, "series", "series should be UID/METRIC, not 'roof'."),
    ({"series": ["roof/state"]}, "series", "roof/state is of texts"),
    ({"series": ["a/b"] * (SERIES_MOST + 1)}, "series", f"at most {SERIES_MOST} items"),
    ({"from": "yesterday"}, "from", "from should be Unix milliseconds, ISO 8601 with an offset"),
    ({"from": "nan"}, "from", "from should be Unix milliseconds"),
    ({"from": "now-1h", "to": "now-1h"}, "to", "to should be later than from."),
    ({"points": "many"}, "points", "points should be a valid integer."),
    ({"points": 0}, "points", "points should be greater than or equal to 1."),
    ({"points": POINTS_MOST + 1}, "points", f"less than or equal to {POINTS_MOST}."),
    ({"zone": "Atlantis"}, "zone", "zone should be a zone such as Europe/Berlin, or UTC."),
    ({"zone": "../../etc/passwd"}, "zone", "zone should be a zone such as"),
    ({"zone": "Europe"}, "zone", "zone should be a zone such as"),
    ({"step_ms": 100}, "step_ms", "step_ms should be wider: from and to are more than 100"),
    ({"step_ms": 0}, "step_ms", "step_ms should be greater than or equal to 1."),
    ({"form": "now-1h"}, "form", "form is no parameter here: it takes from, points,"),
    ({"zone": "U\0TC"}, "zone", "zone should have no NUL in it."),
]


@pytest.mark.parametrize(("wrong", "field", "said"), WRONG, ids=lambda part: str(part)[:40])
def test_what_is_wrong_is_named(client: Client, wrong: Any, field: str, said: str) -> None:
    response = client.get("/api/v1/history", {"series": ["roof/temperature"]} | SPAN | wrong)
    assert response["Content-Type"] == "application/problem+json"
    problem = response.json()
    assert (response.status_code, problem["status"]) == (422, 422)
    assert problem["type"] == "/api/v1/problems/bad-parameter"
    assert problem["field"] == problem["errors"][0]["field"] == field
    assert said in problem["detail"]


def test_each_of_several_mistakes_is_named(client: Client) -> None:
    problem = ask(client, points="many", zone="Atlantis").json()
    assert [each["field"] for each in problem["errors"]] == ["points", "zone"]


@pytest.mark.parametrize("name", ["roof/none", "none/temperature"])
def test_a_series_that_is_not_there_is_named(client: Client, name: str) -> None:
    response = ask(client, "roof/temperature", name)
    assert response.status_code == 404
    assert response.json()["detail"] == f"There is no series {name}."
    assert response.json()["field"] == "series"


def test_what_is_out_of_scope_is_as_if_it_were_not_there(
    reading: Callable[..., Client], roof: Device
) -> None:
    for scope in (["device:roof"], ["tag:north"], ["tag:south", "tag:north"], []):
        assert ask(reading(*scope)).status_code == 200
    elsewhere = reading("device:cellar", "tag:south")
    assert ask(elsewhere).content == ask(elsewhere, "roof/temperature").content
    hidden, absent = ask(elsewhere).json(), ask(elsewhere, "gone/temperature").json()
    assert hidden["status"] == 404
    assert str(hidden).replace("roof", "gone") == str(absent)
