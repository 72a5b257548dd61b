"""What operators do on a device's page by its forms, and what viewers are kept from."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from devices import roles
from devices.models import Device, Kind, Series, Token
from devices.tokens import TokenRefused, bearer, issue
from ingest.models import Reading
from tests.integration.dashboards.conftest import browser_of
from tests.integration.stored import set_watermark, store

START = datetime(2026, 11, 23, 6, tzinfo=UTC)
TOKEN = r"weir_[A-Za-z0-9]{10}_[\w-]{43}"

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator() -> Client:
    return browser_of("olga", roles.OPERATORS)


@pytest.fixture
def viewer() -> Client:
    return browser_of("vera", roles.VIEWERS)


@pytest.fixture
def roof() -> Device:
    """An hour of temperatures, half of them sealed, and a token."""
    set_watermark(START + timedelta(minutes=30))
    device = Device.objects.create(uid="roof", name="Roof")
    series = Series.objects.create(device=device, metric="temperature", kind=Kind.NUMBER)
    store(series, [(START + timedelta(minutes=n), float(n)) for n in range(60)])
    return device


def page_of(client: Client) -> str:
    answer = client.get("/devices/roof/")
    assert answer.status_code == 200
    text: str = answer.content.decode()
    return text


def rotate(client: Client, device: Device, changeover: int = 86_400, **more: Any) -> Any:
    newest = device.tokens.order_by("-pk").values_list("pk", flat=True).first() or 0
    asked = {"changeover": changeover, "newest": newest, "label": ""} | more
    return client.post("/devices/roof/tokens/rotate/", asked)


def token_in(answer: Any) -> str:
    found = re.search(f'<pre id="token".*?({TOKEN})', answer.content.decode(), re.DOTALL)
    assert found
    return found[1]


def lets_in(text: str, later: timedelta = timedelta()) -> bool:
    try:
        return bearer(text, timezone.now() + later).uid == "roof"
    except TokenRefused:
        return False


def last_note() -> str:
    entry = LogEntry.objects.latest("pk")
    return f"{entry.user} {entry.object_repr}: {entry.get_change_message()}"


def test_a_rotated_token_is_shown_once_and_the_former_ends_after_the_changeover(
    operator: Client, roof: Device
) -> None:
    _, former = issue(roof)
    answer = rotate(operator, roof, 3_600, label="winter")
    new = token_in(answer)
    assert "no-store" in answer["Cache-Control"]
    assert lets_in(new, timedelta(days=900))
    assert lets_in(former, timedelta(minutes=59))
    assert not lets_in(former, timedelta(minutes=61))
    assert new not in page_of(operator)
    assert new[:15].removeprefix("weir_") in page_of(operator)
    assert last_note().startswith(f"olga Roof: Rotated: issued {new[5:15]}…")


def test_at_once_means_that_the_former_tokens_let_nobody_in(operator: Client, roof: Device) -> None:
    former = [issue(roof)[1], issue(roof)[1]]
    new = token_in(rotate(operator, roof, 0))
    assert [lets_in(each) for each in (*former, new)] == [False, False, True]


def test_a_token_that_ends_sooner_still_does(operator: Client, roof: Device) -> None:
    _, former = issue(roof, expires_at=timezone.now() + timedelta(minutes=5))
    rotate(operator, roof, 3_600)
    assert not lets_in(former, timedelta(minutes=6))


def test_a_form_that_is_sent_twice_rotates_once(operator: Client, roof: Device) -> None:
    new = token_in(rotate(operator, roof, 0, newest=0))
    again = operator.post(
        "/devices/roof/tokens/rotate/", {"changeover": 0, "newest": 0}, follow=True
    )
    assert "Another token was issued since" in again.content.decode()
    assert lets_in(new)


@pytest.mark.parametrize(
    "wrong", [{"changeover": 7}, {"changeover": ""}, {"newest": "x"}, {"label": "l" * 101}]
)
def test_a_form_that_was_tampered_with_issues_nothing(
    operator: Client, roof: Device, wrong: dict[str, Any]
) -> None:
    assert rotate(operator, roof, **wrong).status_code == 302
    assert not roof.tokens.exists()


def test_the_programs_beside_a_new_token_carry_it(operator: Client, roof: Device) -> None:
    answer = rotate(operator, roof)
    page = html.unescape(answer.content.decode())
    assert page.count(token_in(answer)) == 5
    assert "http://testserver/ingest/" in page


def test_no_session_holds_a_token(operator: Client, roof: Device) -> None:
    text = token_in(rotate(operator, roof))
    kept = [each.get_decoded() for each in Session.objects.all()]
    assert text not in str(kept)
    assert text not in str(operator.cookies)


def test_a_token_is_revoked_after_it_was_asked_for(operator: Client, roof: Device) -> None:
    token, text = issue(roof, label="lost")
    path = f"/devices/roof/tokens/{token.pk}/revoke/"
    assert "lost" in operator.get(path).content.decode()
    assert lets_in(text)
    answer = operator.post(path, follow=True)
    assert f"The token {token} is revoked" in answer.content.decode()
    assert not lets_in(text)
    assert operator.get(path).status_code == 404
    assert last_note() == f"olga Roof: Revoked the token {token}."


def test_a_token_of_another_device_is_not_found(operator: Client, roof: Device) -> None:
    token, text = issue(Device.objects.create(uid="porch"))
    assert operator.post(f"/devices/roof/tokens/{token.pk}/revoke/").status_code == 404
    assert bearer(text, timezone.now())


def test_tokens_are_listed_with_their_state(operator: Client, roof: Device) -> None:
    now = timezone.now()
    issue(roof, label="now")
    issue(roof, not_before=now + timedelta(days=1))
    issue(roof, expires_at=now)
    revoked, _ = issue(roof)
    Token.objects.filter(pk=revoked.pk).update(revoked_at=now)
    page = page_of(operator)
    for state in ("valid", "not yet valid", "expired", "revoked"):
        assert f'<td data-label="State">{state}</td>' in page
    assert page.count("Revoke<span") == 2


def test_a_trial_has_a_token_of_minutes(operator: Client, roof: Device) -> None:
    answer = operator.post("/devices/roof/try/begin/")
    assert "no-store" in answer["Cache-Control"]
    given = answer.json()
    assert lets_in(given["token"], timedelta(minutes=9))
    assert not lets_in(given["token"], timedelta(minutes=10))
    assert "tried in the browser" in page_of(operator)
    assert operator.post("/devices/roof/try/end/", {"id": given["id"]}).status_code == 204
    assert not lets_in(given["token"])
    assert "tried in the browser" not in page_of(operator)


def test_trials_that_ended_are_forgotten_at_the_next(operator: Client, roof: Device) -> None:
    issue(roof, label="of its own")
    for _ in range(3):
        given = operator.post("/devices/roof/try/begin/").json()
        operator.post("/devices/roof/try/end/", {"id": given["id"]})
    assert roof.tokens.count() == 2


@pytest.mark.parametrize("number", ["", "x", "٣", "9" * 40, "{other}"])
def test_the_end_of_a_trial_ends_no_other_token(
    operator: Client, roof: Device, number: str
) -> None:
    token, text = issue(roof)
    answer = operator.post("/devices/roof/try/end/", {"id": number.format(other=token.pk)})
    assert answer.status_code == 204
    assert lets_in(text)


def test_a_series_gets_a_unit_and_a_band(operator: Client, roof: Device) -> None:
    series = roof.series.get()
    path = f"/devices/roof/series/{series.pk}/"
    asked = {"unit": "°C", "low": "-10", "high": "35.5"}
    answer = operator.post(path, asked, follow=True)
    assert "Unit and band of temperature are saved" in answer.content.decode()
    series.refresh_from_db()
    assert (series.unit, series.low, series.high) == ("°C", -10, 35.5)
    assert last_note() == "olga roof temperature: Changed unit, low, high."


def test_a_band_that_ends_below_its_beginning_is_refused(operator: Client, roof: Device) -> None:
    series = roof.series.get()
    asked = {"unit": "", "low": "5", "high": "4"}
    answer = operator.post(f"/devices/roof/series/{series.pk}/", asked)
    assert "The band ends below its beginning" in answer.content.decode()
    series.refresh_from_db()
    assert series.low is None


OFFERS = [
    "Issue a new token",
    "Issue its first token",
    "Revoke",
    "Try it in the browser",
    "Units and bands",
    "Delete",
]


def test_what_a_viewer_may_not_do_is_not_shown(viewer: Client, roof: Device) -> None:
    token, _ = issue(roof)
    page = page_of(viewer)
    for words in (*OFFERS, token.prefix):
        assert words not in page
    assert "Send readings as this device" in page


def test_an_operator_is_offered_all_of_it(operator: Client, roof: Device) -> None:
    issue(roof)
    page = page_of(operator)
    assert [words for words in OFFERS if words not in page] == ["Issue its first token"]


PATHS = [
    "tokens/rotate/",
    "tokens/{token}/revoke/",
    "try/begin/",
    "try/end/",
    "series/{series}/",
    "series/{series}/reset/",
    "delete/",
]


@pytest.mark.parametrize("path", PATHS)
def test_what_a_viewer_asks_for_all_the_same_is_refused(
    viewer: Client, roof: Device, path: str
) -> None:
    token, text = issue(roof)
    path = f"/devices/roof/{path.format(token=token.pk, series=roof.series.get().pk)}"
    answer = viewer.post(path, {"typed": "roof", "changeover": 0, "newest": token.pk})
    assert answer.status_code == 403
    assert "may look at devices, and not do what you asked for" in answer.content.decode()
    assert (roof.tokens.count(), Reading.objects.count()) == (1, 60)
    assert lets_in(text)


@pytest.mark.parametrize("path", PATHS)
def test_a_form_without_its_token_against_forgery_is_refused(
    operator: Client, roof: Device, path: str
) -> None:
    token, text = issue(roof)
    forged = Client(enforce_csrf_checks=True)
    forged.cookies = operator.cookies
    path = f"/devices/roof/{path.format(token=token.pk, series=roof.series.get().pk)}"
    asked = {"typed": "roof", "changeover": 0, "newest": token.pk}
    assert forged.post(path, asked).status_code == 403
    assert (roof.tokens.count(), Reading.objects.count()) == (1, 60)
    assert lets_in(text)
