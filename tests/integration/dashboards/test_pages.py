"""The pages' first paint, and what they ask for afterwards."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.staticfiles import finders
from django.test import AsyncRequestFactory, Client

from dashboards.checks import chart_library_is_installed
from dashboards.live.present import DevicePresent, Known
from dashboards.live.routing import BOARD_KEY
from dashboards.pages import device, fleet, refusals
from devices.models import Device, Kind, Series
from ingest.models import RefusedReading
from tests.integration.dashboards.stage import board_alone
from tests.integration.stored import store

NOW = datetime.now(UTC).replace(microsecond=0)


def text_of(response: Any) -> str:
    assert response.status_code == 200, response
    text: str = response.content.decode()
    return text


@pytest.fixture
def roof(database: None) -> Device:
    made = Device.objects.create(
        uid="roof", name="<b>Roof</b>", last_seen_at=NOW, expected_interval_s=600, tags=["north"]
    )
    temperature = Series.objects.create(device=made, metric="temperature", kind=Kind.NUMBER)
    door = Series.objects.create(device=made, metric="door", kind=Kind.BOOLEAN)
    Series.objects.create(device=made, metric="state", kind=Kind.TEXT)
    store(temperature, [(NOW - timedelta(seconds=n), 20 + n / 10) for n in range(60)])
    store(door, [(NOW, 1.0)])
    return made


@pytest.mark.parametrize("path", ["/", "/devices/roof/", "/compare/", "/system/"])
def test_nobody_sees_a_page_without_a_login(database: None, path: str) -> None:
    response = Client().get(path)
    assert (response.status_code, response["Location"]) == (302, f"/accounts/login/?next={path}")


def test_the_login_page_says_when_name_and_password_do_not_match(database: None) -> None:
    response = Client().post("/accounts/login/", {"username": "ada", "password": "wrong"})
    assert "do not match" in text_of(response)


def test_an_empty_hub_says_what_to_do_next(browser_client: Client) -> None:
    page = text_of(browser_client.get("/", headers={"host": "localhost:9000"}))
    assert "No devices yet" in page
    assert "manage.py adddevice porch" in page
    assert "curl http://localhost:9000/ingest/" in page


def test_a_device_that_never_sent_gets_the_snippet_to_do_so(browser_client: Client) -> None:
    Device.objects.create(uid="porch")
    page = text_of(browser_client.get("/"))
    assert "Waiting for the first reading" in page
    assert "never seen" in page


def test_the_fleet_is_painted_with_its_status_and_latest_values(
    browser_client: Client, roof: Device
) -> None:
    page = text_of(browser_client.get("/"))
    assert 'data-uid="roof" data-status="online"' in page
    assert ">temperature</span>" in page
    assert ">20</span>" in page
    assert ">true</span>" in page


def test_rows_beyond_the_first_screens_come_without_their_cells(
    browser_client: Client,
) -> None:
    """A thousand whole rows would be a megabyte, and be laid out before anything is seen."""
    Device.objects.bulk_create(
        Device(uid=f"d{number:03}") for number in range(fleet.ROWS_WHOLE + 60)
    )
    page = text_of(browser_client.get("/"))
    assert page.count("<tr data-uid=") == fleet.ROWS_WHOLE + 61  # one is in the template
    assert page.count('<td class="status">') == fleet.ROWS_WHOLE + 1
    assert page.count('<span class="name"') == fleet.ROWS_WHOLE + 61


def test_whole_are_those_rows_that_the_address_asks_for(
    browser_client: Client, roof: Device
) -> None:
    Device.objects.bulk_create(Device(uid=f"d{number:03}") for number in range(fleet.ROWS_WHOLE))
    page = text_of(browser_client.get("/?q=TEMPER&metrics=temperature&sort=-metric:temperature"))
    rows = page[page.index("<tbody>") : page.index("</table>")]
    first, *others = rows.split("<tr ")[1:]
    assert first.startswith('data-uid="roof"')
    assert ">20</span>" in first
    assert all(" hidden>" in row and "<td" not in row for row in others)
    assert f'<span id="shown">1</span> of <span id="total">{len(others) + 1}</span>' in page
    assert 'aria-sort="descending"><button type="button" data-sort="metric:temperature"' in page


def test_a_value_has_its_unit(browser_client: Client, roof: Device) -> None:
    Series.objects.filter(metric="temperature").update(unit="°C")
    assert '>20</span><span class="unit">°C</span>' in text_of(browser_client.get("/"))


def test_what_a_device_is_named_is_shown_as_text(browser_client: Client, roof: Device) -> None:
    for path in ("/", "/devices/roof/"):
        page = text_of(browser_client.get(path))
        assert "&lt;b&gt;Roof&lt;/b&gt;" in page
        assert "<b>Roof" not in page


@pytest.mark.parametrize("path", ["/", "/devices/roof/", "/accounts/login/"])
def test_no_page_needs_an_inline_script_or_style(
    browser_client: Client, roof: Device, path: str
) -> None:
    client = Client() if "login" in path else browser_client
    page = text_of(client.get(path))
    assert "<script>" not in page
    assert " style=" not in page
    assert " onclick=" not in page


def test_the_first_paint_comes_from_the_board_where_there_is_one(browser_client: Client) -> None:
    board = board_alone()
    known = DevicePresent("from-the-board", values={"state": (0.0, "fine")})
    board.prime(Known([known], 0), 0)
    request = AsyncRequestFactory().get("/")
    request.scope = {**request.scope, BOARD_KEY: board}
    request.user = User.objects.get()
    assert "from-the-board" in text_of(fleet.fleet(request))


def test_a_device_page_has_a_chart_for_each_series_of_numbers_and_booleans(
    browser_client: Client, roof: Device
) -> None:
    page = text_of(browser_client.get("/devices/roof/"))
    assert 'data-metric="temperature" data-tone="0">' in page
    assert 'data-metric="door" data-tone="1" data-stepped>' in page
    assert 'data-metric="state" data-tone' not in page


def test_a_device_page_writes_units_and_what_is_out_of_its_band(
    browser_client: Client, roof: Device
) -> None:
    roof.series.filter(metric="temperature").update(unit="°C", high=15)
    page = text_of(browser_client.get("/devices/roof/"))
    assert '20 °C</span><span class="out">above 15 °C</span>' in page


def test_of_very_many_metrics_the_first_paint_has_a_part(
    browser_client: Client, roof: Device
) -> None:
    many = [Series(device=roof, metric=f"m{n}", kind=Kind.NUMBER) for n in range(300)]
    Series.objects.bulk_create(many)
    for one in Series.objects.filter(metric__startswith="m"):
        store(one, [(NOW, 1.0)])
    page = text_of(browser_client.get("/devices/roof/"))
    assert page.count('<figure class="chart"') == device.CHARTS_PAINTED + 1  # and the template
    assert page.count('<tr data-metric="') == device.VALUES_PAINTED
    assert '{"metric": "m299", "kind": "number", "unit": "", "low": null, "high": null}' in page


def test_an_unknown_device_is_not_found(browser_client: Client) -> None:
    response = browser_client.get("/devices/nobody/")
    assert response.status_code == 404
    assert "There is no page here" in response.content.decode()


def refuse(roof: Device, code: str, times: int = 1, **more: Any) -> None:
    for number in range(times):
        RefusedReading.objects.create(
            device=roof, metric="temperature", code=code, message=f"{code} {number}", **more
        )


def test_refused_readings_are_shown_as_text(browser_client: Client, roof: Device) -> None:
    refuse(roof, "not_finite", value="<i>")
    for path in ("/devices/roof/", "/devices/roof/refused/"):
        page = text_of(browser_client.get(path))
        assert "not_finite 0" in page
        assert "&lt;i&gt;" in page


def test_refused_readings_are_grouped_by_reason_the_newest_first(roof: Device) -> None:
    refuse(roof, "conflict", times=12, count=2)
    refuse(roof, "not_finite")
    refuse(roof, "conflict")
    first, second = refusals.reasons(roof, round(time.time() * 1000))
    assert (first.code, first.message, first.readings) == ("conflict", "conflict 0", 25)
    assert len(first.newest) == refusals.NEWEST_SHOWN
    assert [one.message for one in first.newest[:2]] == ["conflict 0", "conflict 11"]
    assert (second.code, second.readings, second.ago) == ("not_finite", 1, "now")


def test_only_two_files_of_the_chart_library_are_found() -> None:
    assert finders.find("uplot/uPlot.esm.js")
    assert finders.find("uplot/uPlot.min.css")
    for other in ("uplot/uPlot.iife.js", "uplot/../package.json", "uplot/", "uPlot.esm.js"):
        assert not finders.find(other)


def test_a_chart_library_that_is_missing_is_said_at_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert chart_library_is_installed(None) == []
    monkeypatch.setattr(settings, "NODE_MODULES", tmp_path)
    (warning,) = chart_library_is_installed(None)
    assert "make install" in str(warning.hint)
