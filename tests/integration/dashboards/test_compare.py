"""The compare page's first paint: which lines an address has, and what can be added."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from dashboards.pages.compare import SERIES_MAX, charts, chosen
from devices.models import Device, Kind, Series


@pytest.fixture(autouse=True)
def fleet(database: None) -> None:
    """Roof and cellar, each with numbers of some units, a boolean and a text."""
    for uid, name in (("roof", "On the roof"), ("cellar", "")):
        device = Device.objects.create(uid=uid, name=name)
        for metric, unit in (("temperature", "°C"), ("humidity", "%"), ("pressure", "hPa")):
            Series.objects.create(device=device, metric=metric, unit=unit, kind=Kind.NUMBER)
        Series.objects.create(device=device, metric="door", kind=Kind.BOOLEAN)
        Series.objects.create(device=device, metric="state", kind=Kind.TEXT)


def page(client: Client, *series: str) -> str:
    response = client.get("/compare/", {"series": series})
    assert response.status_code == 200
    return response.content.decode()


def found(client: Client, q: str, *series: str) -> list[str]:
    response = client.get("/compare/candidates/", {"q": q, "series": series})
    return re.findall('data-add="([^"]+)"', response.content.decode())


def keys(lines: Any) -> list[str]:
    return [line.key for line in lines]


def test_where_nothing_is_chosen_it_says_how_to_begin(browser_client: Client) -> None:
    empty = page(browser_client)
    assert "Nothing chosen yet" in empty
    assert "?series=cellar%2Ftemperature&amp;series=roof%2Ftemperature" in empty


def test_an_empty_hub_says_that_no_number_came_yet(browser_client: Client) -> None:
    Device.objects.all().delete()
    assert "No device has sent a number yet" in page(browser_client)


def test_series_of_one_unit_share_a_chart_and_so_do_two_units() -> None:
    (one,) = charts(chosen(["roof/temperature", "cellar/temperature"])[0])
    assert keys(one) == ["roof/temperature", "cellar/temperature"]
    (two,) = charts(chosen(["roof/temperature", "roof/humidity", "cellar/humidity"])[0])
    assert keys(two) == ["roof/temperature", "roof/humidity", "cellar/humidity"]


def test_of_three_units_each_has_a_chart_and_so_has_a_boolean() -> None:
    asked = ["roof/temperature", "roof/door", "roof/humidity", "roof/pressure", "cellar/humidity"]
    assert [keys(chart) for chart in charts(chosen(asked)[0])] == [
        ["roof/temperature"],
        ["roof/humidity", "cellar/humidity"],
        ["roof/pressure"],
        ["roof/door"],
    ]


def test_a_colour_follows_its_series_when_another_is_taken_away() -> None:
    before = chosen(["roof/temperature", "roof/humidity", "cellar/humidity"])[0]
    after = chosen(["roof/temperature", "", "cellar/humidity"])[0]
    assert [line.tone for line in before] == [0, 1, 2]
    assert [(line.key, line.tone) for line in after] == [
        ("roof/temperature", 0),
        ("cellar/humidity", 2),
    ]


def test_beyond_the_tones_there_are_dashes() -> None:
    lines = chosen([*[""] * 7, "roof/temperature"])[0]
    assert [(line.tone, line.dash) for line in lines] == [(1, 1)]


def test_what_cannot_be_drawn_is_said_by_name_and_the_others_are(browser_client: Client) -> None:
    asked = ["roof/temperature", "roof/state", "roof/wind", "attic/wind", "nonsense"]
    shown = page(browser_client, *asked)
    assert 'data-uid="roof" data-metric="temperature"' in shown
    assert "roof/state has texts" in shown
    assert "the device has sent no wind" in shown
    assert "there is no device attic" in shown
    assert "nonsense names no series" in shown


def test_a_series_that_is_asked_for_twice_is_drawn_once() -> None:
    assert keys(chosen(["roof/humidity", "roof/humidity"])[0]) == ["roof/humidity"]


def test_more_series_than_there_are_lines_to_tell_apart_are_left_out(
    browser_client: Client,
) -> None:
    asked = ["roof/temperature", *[""] * (SERIES_MAX - 1), "cellar/temperature"]
    shown = page(browser_client, *asked)
    assert f"At most {SERIES_MAX} series are drawn. Left out: cellar/temperature." in shown


def test_names_are_text(browser_client: Client) -> None:
    Device.objects.filter(uid="roof").update(name="<b>Roof</b>")
    assert "<b>Roof" not in page(browser_client, "roof/temperature", "<i>/x")
    assert "<i>" not in page(browser_client, "<i>/x")


def test_series_are_found_by_words_of_their_device_and_their_metric(
    browser_client: Client,
) -> None:
    assert found(browser_client, "ROOF temp") == ["roof/temperature"]
    assert found(browser_client, "the roof hum") == ["roof/humidity"]
    assert found(browser_client, "state") == []
    assert len(found(browser_client, "")) == 8


def test_what_is_shown_is_not_offered_again(browser_client: Client) -> None:
    assert found(browser_client, "humidity", "", "roof/humidity") == ["cellar/humidity"]


def test_where_more_fit_than_are_shown_it_is_said(browser_client: Client) -> None:
    device = Device.objects.get(uid="cellar")
    many = [Series(device=device, metric=f"m{n:03}", kind=Kind.NUMBER) for n in range(40)]
    Series.objects.bulk_create(many)
    response = browser_client.get("/compare/candidates/", {"q": "cellar m"})
    assert "More fit: type on." in response.content.decode()
    assert len(found(browser_client, "cellar m")) == 20
