"""What an operator does in the admin."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from prometheus_client import REGISTRY

from devices.models import Device, Kind, Series, Token
from devices.tokens import TokenRefused, bearer, issue
from ingest.models import Reading, RefusedReading, Stream
from tests.integration.engine import engine, engine_url  # noqa: F401
from tests.integration.stored import expected_rollups, set_watermark, store, stored_rollups

START = datetime(2026, 11, 23, 6, tzinfo=UTC)

pytestmark = pytest.mark.usefixtures("engine")


@pytest.fixture
def operator(engine: str) -> Client:  # noqa: F811
    client = Client()
    client.force_login(User.objects.create_superuser("op"))
    return client


@pytest.fixture
def series(engine: str) -> Series:  # noqa: F811
    """An hour of readings of one device, half of them sealed."""
    set_watermark(START + timedelta(minutes=30))
    device = Device.objects.create(uid="roof", name="Roof", tags=["north"])
    issue(device, label="first")
    series = Series.objects.create(device=device, metric="temperature", kind=Kind.NUMBER)
    store(series, [(START + timedelta(minutes=n), float(n)) for n in range(60)])
    RefusedReading.objects.create(device=device, metric="t", code="conflict", message="…")
    Stream.objects.create(device=device, name="s1", epoch=1, used_at=START)
    return series


@pytest.mark.parametrize(
    "path",
    [
        "devices/device/",
        "devices/device/?q=north&seen=never&enabled__exact=1",
        "devices/device/?seen=day",
        "devices/device/add/",
        "devices/device/{device}/change/",
        "devices/device/{device}/delete/",
        "devices/series/",
        "devices/series/?q=roof&kind__exact=0",
        "devices/series/{series}/change/",
        "devices/series/{series}/delete/",
        "ingest/refusedreading/?code=conflict",
        "ingest/stream/?q=roof",
        "",
    ],
)
def test_every_page_opens(operator: Client, series: Series, path: str) -> None:
    found = operator.get("/admin/" + path.format(device=series.device_id, series=series.pk))
    assert found.status_code == 200
    page = found.content.decode()
    if path and "day" not in path and "add" not in path:
        assert "roof" in page or "Roof" in page
    if path == "devices/series/":
        assert re.search(r'field-sealed_count">30<', page)


def test_a_new_device_is_led_to_its_first_token(operator: Client) -> None:
    form = {"uid": "cellar", "name": "", "enabled": "on", "tags": "dark, wet,dark", **no_tokens()}
    answer = operator.post("/admin/devices/device/add/", form)
    device = Device.objects.get(uid="cellar")
    assert device.tags == ["dark", "wet"]
    assert answer.headers["Location"] == f"/admin/devices/device/{device.pk}/tokens/issue/"


def no_tokens() -> dict[str, str]:
    inlines = ("tokens", "retention")
    return {f"{each}-{which}_FORMS": "0" for each in inlines for which in ("TOTAL", "INITIAL")}


def test_a_device_is_changed_and_keeps_its_tokens(operator: Client, series: Series) -> None:
    form = {"uid": "roof", "name": "The roof", "tags": "north", "expected_interval_s": "5"}
    url = f"/admin/devices/device/{series.device_id}/change/"
    assert operator.post(url, {**form, **no_tokens()}).status_code == 302
    device = Device.objects.get()
    assert (device.name, device.enabled, device.tags) == ("The roof", False, ["north"])
    assert device.tokens.count() == 1


def test_a_token_is_shown_once_and_lets_the_device_in(operator: Client, series: Series) -> None:
    url = f"/admin/devices/device/{series.device_id}/tokens/issue/"
    assert "weir_" not in operator.get(url).content.decode()
    answer = operator.post(url, {"label": "second", "not_before": "", "expires_at": ""})
    (text,) = re.findall(r"weir_\w{10}_[\w-]{43}", answer.content.decode())
    assert "no-store" in answer.headers["Cache-Control"]
    assert bearer(text, timezone.now()).uid == "roof"
    page = operator.get(f"/admin/devices/device/{series.device_id}/change/").content.decode()
    assert text not in page
    assert text[5:15] in page


def test_a_token_may_have_a_beginning_and_an_end(operator: Client, series: Series) -> None:
    form = {"label": "", "not_before": "2999-01-01T00:00", "expires_at": "3000-01-01T00:00"}
    operator.post(f"/admin/devices/device/{series.device_id}/tokens/issue/", form)
    token = Token.objects.exclude(label="first").get()
    assert token.not_before == datetime(2999, 1, 1, tzinfo=UTC)
    page = operator.get(f"/admin/devices/device/{series.device_id}/change/").content.decode()
    assert "not yet valid" in page


def test_a_revoked_token_lets_nobody_in(operator: Client, series: Series) -> None:
    token, text = issue(series.device)
    url = f"/admin/devices/device/{series.device_id}/tokens/{token.pk}/revoke/"
    assert token.prefix in operator.get(url).content.decode()
    assert bearer(text, timezone.now())
    operator.post(url)
    with pytest.raises(TokenRefused, match="revoked"):
        bearer(text, timezone.now())
    assert operator.post(url).status_code == 404


def test_devices_are_disabled_together(operator: Client, series: Series) -> None:
    form = {"action": "disable", "_selected_action": [str(series.device_id)]}
    page = operator.post("/admin/devices/device/", form, follow=True).content.decode()
    assert "1 devices are disabled" in page
    assert not Device.objects.get().enabled


def test_deleting_a_device_says_what_goes_and_erases_it(operator: Client, series: Series) -> None:
    url = f"/admin/devices/device/{series.device_id}/delete/"
    page = operator.get(url).content.decode()
    assert "roof, with all its readings" in page
    assert re.search(r"Tokens: 1\b", page, re.IGNORECASE)
    operator.post(url, {"post": "yes"})
    assert not Device.objects.exists()
    assert not Reading.objects.exists()
    assert stored_rollups() == {}


def test_deleting_devices_in_bulk_erases_them(operator: Client, series: Series) -> None:
    chosen = {"action": "delete_selected", "_selected_action": [str(series.device_id)]}
    page = operator.post("/admin/devices/device/", chosen).content.decode()
    assert "roof, with all its readings" in page
    operator.post("/admin/devices/device/", {**chosen, "post": "yes"})
    assert not Device.objects.exists()
    assert not Reading.objects.exists()


def test_a_reset_series_goes_with_its_readings(operator: Client, series: Series) -> None:
    url = f"/admin/devices/series/{series.pk}/delete/"
    page = operator.get(url).content.decode()
    assert "its next reading sets its kind anew" in page
    assert re.search(r"readings sealed: 30\b", page, re.IGNORECASE)
    operator.post(url, {"post": "yes"})
    assert not Series.objects.exists()
    assert not Reading.objects.exists()


def test_a_span_is_counted_before_it_is_erased(operator: Client, series: Series) -> None:
    url = f"/admin/devices/series/{series.pk}/erase/"
    span = {"start": "2026-11-23T06:10", "end": "2026-11-23T06:15:00"}
    assert "UTC" in operator.get(url).content.decode()
    assert "5 readings of roof temperature" in operator.post(url, span).content.decode()
    assert series.readings.count() == 60
    page = operator.post(url, {**span, "confirmed": "yes"}, follow=True).content.decode()
    assert "5 readings of roof temperature are erased" in page
    assert series.readings.count() == 55
    assert stored_rollups() == expected_rollups()


def test_a_span_that_ends_before_it_begins_is_refused(operator: Client, series: Series) -> None:
    span = {"start": "2026-11-23T06:10", "end": "2026-11-23T06:10", "confirmed": "yes"}
    page = operator.post(f"/admin/devices/series/{series.pk}/erase/", span).content.decode()
    assert "ends before it begins" in page
    assert series.readings.count() == 60


@pytest.mark.parametrize(
    "path",
    [
        "devices/device/{device}/tokens/issue/",
        "devices/device/{device}/tokens/{token}/revoke/",
        "devices/series/{series}/erase/",
    ],
)
def test_who_may_only_look_may_not_issue_revoke_or_erase(
    engine: str,  # noqa: F811
    series: Series,
    path: str,
) -> None:
    client = Client()
    client.force_login(User.objects.create_user("guest", is_staff=True))
    token = series.device.tokens.get()
    url = path.format(device=series.device_id, token=token.pk, series=series.pk)
    assert client.post(f"/admin/{url}").status_code == 403


def test_what_the_line_wrote_down_is_not_changed_by_hand(operator: Client, series: Series) -> None:
    refused = RefusedReading.objects.get()
    assert operator.get("/admin/ingest/refusedreading/add/").status_code == 403
    page = operator.get(f"/admin/ingest/refusedreading/{refused.pk}/change/").content.decode()
    assert 'type="submit"' not in page.split("logout-form")[-1].split("</form>", 1)[-1]
    assert operator.post(f"/admin/ingest/refusedreading/{refused.pk}/delete/").status_code == 403


def test_one_device_too_many_is_refused_in_the_form_and_counted(
    operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = settings.OPTIONS.model_copy(update={"devices": 1})
    monkeypatch.setattr(settings, "OPTIONS", options)
    before = REGISTRY.get_sample_value("weir_devices_refused_total") or 0
    for uid in ("roof", "cellar"):
        answer = operator.post("/admin/devices/device/add/", {"uid": uid, **no_tokens()})
    assert "The hub has 1 of at most 1 devices" in answer.content.decode()
    assert REGISTRY.get_sample_value("weir_devices_refused_total") == before + 1
    roof = Device.objects.get()
    changed = {"uid": "roof", "name": "The roof", **no_tokens()}
    operator.post(f"/admin/devices/device/{roof.pk}/change/", changed)
    assert Device.objects.get().name == "The roof"
