"""Who is let in to read, who is not, and what each is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from dashboards import readtokens
from dashboards.models import ReadToken
from dashboards.readgate import ReadGate
from dashboards.readscope import MOST, NoScope, ReadScope
from dashboards.readtokens import ReadTokenRefused
from devices import tokens
from devices.models import Device
from ingest.gate import TooManyFailures

pytestmark = pytest.mark.usefixtures("engine")

ADDRESS = "/api/v1/devices"


def ask(token: str | None, scheme: str = "Bearer", address: str = ADDRESS) -> Any:
    headers = {} if token is None else {"Authorization": f"{scheme} {token}"}
    return Client(headers=headers).get(address)


def refusal(response: Any) -> tuple[int, str, str]:
    assert response["Content-Type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == response.status_code
    kind = problem["type"].removeprefix("/api/v1/problems/")
    return response.status_code, kind, problem["detail"]


def test_without_a_login_or_a_token_nothing_is_read() -> None:
    response = ask(None)
    assert refusal(response) == (
        401,
        "not-authenticated",
        "Log in, or send Authorization: Bearer and a read token (weir_read_…).",
    )
    assert response["WWW-Authenticate"] == 'Bearer realm="Weir"'


def test_a_read_token_lets_read() -> None:
    token, text = readtokens.issue("a program's")
    assert text.startswith(f"weir_read_{token.prefix}_")
    assert text not in str(ReadToken.objects.values().get())
    assert ask(text).status_code == 200
    assert ask(text, scheme="bearer").status_code == 200


def test_a_read_token_that_ended_says_how() -> None:
    now = timezone.now()
    _, text = readtokens.issue("old", expires_at=now + timedelta(minutes=1))
    assert ask(text).status_code == 200
    ReadToken.objects.update(expires_at=now - timedelta(seconds=1))
    assert refusal(ask(text)) == (401, "bad-token", "This read token has expired.")
    ReadToken.objects.update(revoked_at=now)
    response = ask(text)
    assert refusal(response) == (401, "bad-token", "This read token has been revoked.")
    assert response["WWW-Authenticate"] == 'Bearer realm="Weir", error="invalid_token"'


def test_a_devices_token_reads_nothing_and_says_what_it_is() -> None:
    _, text = tokens.issue(Device.objects.create(uid="roof"))
    status, kind, detail = refusal(ask(text))
    assert (status, kind) == (401, "bad-token")
    assert detail.startswith("This is a device's token, which sends readings")


def test_a_read_token_sends_nothing_and_says_what_it_is() -> None:
    _, text = readtokens.issue("a program's")
    with pytest.raises(tokens.TokenRefused, match="this is a read token, which sends nothing"):
        tokens.bearer(text, timezone.now())


WRONG = ["", "x", "weir_read_short", "weir_read_0123456789_" + "A" * 43, "Ã" * 60]


@pytest.mark.parametrize("scheme", ["Bearer", "Basic", "Token"])
@pytest.mark.parametrize("text", WRONG)
def test_what_is_no_token_lets_nobody_in(text: str, scheme: str) -> None:
    assert refusal(ask(text, scheme))[0] == 401


@pytest.mark.parametrize("name", ["token", "access_token", "key"])
def test_a_token_in_the_address_is_never_taken(name: str) -> None:
    _, text = readtokens.issue("a program's")
    assert ask(None, address=f"{ADDRESS}?{name}={text}").status_code == 401


def test_a_login_reads_where_it_may_look(client: Client) -> None:
    assert client.get(ADDRESS).status_code == 200
    bob = User.objects.create_user("bob")
    browser = Client()
    browser.force_login(bob)
    assert refusal(browser.get(ADDRESS))[:2] == (403, "not-allowed")
    bob.user_permissions.add(Permission.objects.get(codename="view_device"))
    assert browser.get(ADDRESS).status_code == 200


def test_a_token_that_is_shown_counts_whoever_is_logged_in(client: Client) -> None:
    Device.objects.create(uid="roof")
    _, narrow = readtokens.issue("narrow", ["tag:none"])
    shown = client.get(ADDRESS, headers={"Authorization": f"Bearer {narrow}"})
    assert (shown.status_code, shown.json()["total"]) == (200, 0)
    assert client.get(ADDRESS, headers={"Authorization": "Bearer wrong"}).status_code == 401


def test_whatever_is_wrong_costs_one_statement() -> None:
    _, good = readtokens.issue("a program's")
    texts = [*WRONG[1:], good[:-1] + "_", tokens.issue(Device.objects.create(uid="roof"))[1]]
    for text in texts:
        with CaptureQueriesContext(connection) as asked, pytest.raises(ReadTokenRefused):
            readtokens.find(text, timezone.now())
        assert len(asked) == 1, text


def test_use_is_written_down_at_most_once_a_minute() -> None:
    token, text = readtokens.issue("a program's")
    ask(text)
    token.refresh_from_db()
    used_at = token.last_used_at
    assert used_at is not None
    for later_s, written in [(59, False), (61, True)]:
        token.refresh_from_db()
        with CaptureQueriesContext(connection) as statements:
            readtokens.note_use(token, used_at + timedelta(seconds=later_s))
        assert len(statements) == int(written)
    token.refresh_from_db()
    assert token.last_used_at == used_at + timedelta(seconds=61)


def test_a_scope_that_cannot_be_read_lets_nobody_in() -> None:
    _, text = readtokens.issue("odd", ["roof"])
    assert refusal(ask(text)) == (401, "bad-token", "This read token's scope cannot be read.")


class Clock:
    s = 0.0

    def __call__(self) -> float:
        return self.s


def test_an_address_that_shows_too_many_wrong_tokens_is_told_to_wait() -> None:
    clock = Clock()
    gate = ReadGate(2, elapsed_s=clock)
    _, known = readtokens.issue("known")
    _, new = readtokens.issue("new")
    gate.admit(known, "192.0.2.1")
    for text in ("one", "two", "two", "two"):
        with pytest.raises(ReadTokenRefused):
            gate.admit(text, "192.0.2.1")
    with pytest.raises(TooManyFailures) as limited:
        gate.admit(new, "192.0.2.1")
    assert limited.value.retry_after_ms == 30_000
    assert gate.admit(known, "192.0.2.1").label == "known"
    assert gate.admit(new, "192.0.2.2").label == "new"
    clock.s += 30
    assert gate.admit(new, "192.0.2.1").label == "new"


def test_a_refused_token_is_charged_to_itself_alone() -> None:
    gate = ReadGate(1, elapsed_s=Clock())
    revoked, text = readtokens.issue("revoked")
    ReadToken.objects.filter(pk=revoked.pk).update(revoked_at=timezone.now())
    with pytest.raises(ReadTokenRefused):
        gate.admit(text, "192.0.2.1")
    with pytest.raises(TooManyFailures):
        gate.admit(text, "192.0.2.1")
    assert gate.admit(readtokens.issue("other")[1], "192.0.2.1").label == "other"


def run(*arguments: str) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command("addreadtoken", *arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_the_command_prints_the_token_alone() -> None:
    Device.objects.create(uid="roof")
    out, err = run(
        "grafana", "--scope", "device:roof", "--scope", "tag:north", "--scope", "device:x",
        "--expires", "30d",
    )  # fmt: skip
    assert ask(out.strip()).status_code == 200
    assert out.count("\n") == 1
    assert "grafana" in err
    assert "There is no device x yet." in err
    assert "roof" not in err
    token = ReadToken.objects.get()
    assert (token.label, token.scope) == ("grafana", ["device:roof", "tag:north", "device:x"])
    assert token.expires_at is not None
    assert abs(token.expires_at - timezone.now() - timedelta(days=30)) < timedelta(hours=1)


def test_the_command_takes_a_day_and_needs_none() -> None:
    run("a", "--expires", "2999-01-01T00:00:00+00:00")
    run("b")
    expiries = dict(ReadToken.objects.values_list("label", "expires_at"))
    assert expiries == {"a": datetime(2999, 1, 1, tzinfo=UTC), "b": None}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([""], "This label cannot be used"),
        (["x" * 101], "This label cannot be used"),
        (["x", "--scope", "roof"], "This scope cannot be used: 'roof' is neither device:UID nor"),
        (["x", "--scope", "device:"], "'device:' is neither"),
        (["x", "--scope", "device:a b"], "'a b' cannot be the uid of a device"),
        (["x", "--scope", "tag:" + "t" * 101], "is longer than 100 characters"),
        (["x", "--expires", "soon"], "it is a time to come: 30d, or"),
        (["x", "--expires", "2001-01-01T00:00:00+00:00"], "it is a time to come"),
        (["x", "--expires", "2999-01-01"], "it is a time to come"),
    ],
)
def test_the_command_says_each_mistake_in_one_sentence(arguments: list[str], message: str) -> None:
    with pytest.raises(CommandError, match=message) as refused:
        run(*arguments)
    assert "\n" not in str(refused.value)
    assert not ReadToken.objects.exists()


def test_a_scope_has_a_bound_and_no_part_twice() -> None:
    parts = [f"tag:{n}" for n in range(MOST)]
    assert ReadScope.of(parts + parts).parts() == parts
    with pytest.raises(NoScope, match=f"at most {MOST} parts"):
        ReadScope.of([*parts, "device:roof"])


ADMIN = "/admin/dashboards/readtoken/"


def test_the_admin_shows_a_new_token_once(client: Client) -> None:
    fields = {"label": "grafana", "scope": "device:roof\r\n\r\n tag:north ", "expires_at": ""}
    shown = client.post(f"{ADMIN}add/", fields)
    assert shown.status_code == 200
    assert "no-store" in shown["Cache-Control"]
    page = shown.content.decode()
    text = page[page.index("weir_read_") :][:64]
    assert ask(text).status_code == 200
    token = ReadToken.objects.get()
    assert (token.label, token.scope) == ("grafana", ["device:roof", "tag:north"])
    for path in ("", f"{token.pk}/change/", f"{token.pk}/history/"):
        again = client.get(ADMIN + path).content.decode()
        assert token.prefix in again or "history" in path
        assert text[21:] not in again


def test_the_admin_changes_what_a_token_may_read_and_not_the_token(client: Client) -> None:
    token, text = readtokens.issue("old", ["tag:north"])
    fields = {"label": "new", "scope": "tag:south", "expires_at": ""}
    assert client.post(f"{ADMIN}{token.pk}/change/", fields).status_code == 302
    changed = ReadToken.objects.get()
    assert (changed.label, changed.scope, changed.digest) == ("new", ["tag:south"], token.digest)
    assert ask(text).status_code == 200


def test_the_admin_keeps_an_expiry_that_is_not_touched(client: Client) -> None:
    token, _ = readtokens.issue("old", expires_at=datetime(2999, 1, 2, 3, 4, tzinfo=UTC))
    form = client.get(f"{ADMIN}{token.pk}/change/").content.decode()
    assert 'value="2999-01-02T03:04"' in form
    fields = {"label": "old", "scope": "", "expires_at": "2999-01-02T03:04"}
    client.post(f"{ADMIN}{token.pk}/change/", fields)
    assert ReadToken.objects.get().expires_at == token.expires_at


def test_the_admin_says_what_is_wrong_with_a_scope(client: Client) -> None:
    page = client.post(f"{ADMIN}add/", {"label": "x", "scope": "roof"}).content.decode()
    assert "is neither device:UID nor tag:TAG" in page
    assert not ReadToken.objects.exists()


def test_the_admin_revokes(client: Client) -> None:
    token, text = readtokens.issue("old")
    client.post(ADMIN, {"action": "revoke", "_selected_action": [token.pk]})
    assert refusal(ask(text))[2] == "This read token has been revoked."
    assert "revoked" in client.get(ADMIN).content.decode()
