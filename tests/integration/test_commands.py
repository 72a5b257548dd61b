"""`adddevice` and `makefleet`, and the login of a first start."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.utils import timezone

from devices.models import Device, Token
from devices.tokens import bearer
from ingest.models import Stream
from project import login
from tests.integration.engine import engine, engine_url  # noqa: F401

pytestmark = pytest.mark.usefixtures("engine")


def run(*command: str, **options: Any) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command(*command, stdout=out, stderr=err, **options)
    return out.getvalue(), err.getvalue()


def test_adddevice_prints_the_token_alone() -> None:
    out, err = run(
        "adddevice", "roof", "--name", "The roof", "--tags", "a, b", "--expected-interval", "5"
    )
    assert bearer(out.strip(), timezone.now()).uid == "roof"
    assert "roof" in err
    device = Device.objects.get()
    assert (device.name, device.tags, device.expected_interval_s) == ("The roof", ["a", "b"], 5.0)


def test_adddevice_prints_json_for_programs() -> None:
    out, _ = run("adddevice", "urn:dev:ow:10e2073a01080063", "--json")
    said = json.loads(out)
    assert said.keys() == {"uid", "token"}
    assert bearer(said["token"], timezone.now()).uid == said["uid"] == "urn:dev:ow:10e2073a01080063"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["two words"], "This uid cannot be used: A uid starts with"),
        (["x" * 65], "This uid cannot be used: "),
        (["roof"], "A device roof exists already"),
        (["new", "--expected-interval", "0"], "This expected_interval_s cannot be used"),
        (["new", "--expected-interval", "nan"], "a number of seconds, not 'nan'"),
        (["new", "--expected-interval", "soon"], "a number of seconds, not 'soon'"),
    ],
)
def test_adddevice_says_each_mistake_in_one_sentence(arguments: list[str], message: str) -> None:
    run("adddevice", "roof")
    with pytest.raises(CommandError, match=message) as refused:
        run("adddevice", *arguments)
    assert "\n" not in str(refused.value)
    assert Device.objects.count() == 1


def test_makefleet_adds_devices_and_keeps_their_tokens_to_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "fleet" / "tokens.jsonl"
    run("makefleet", "12", "--tokens", str(path))
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["uid"] for line in lines] == [f"sim-{n:05}" for n in range(1, 13)]
    assert all(bearer(line["token"], timezone.now()).uid == line["uid"] for line in lines)
    assert path.stat().st_mode & 0o777 == 0o600


def test_makefleet_gives_an_existing_device_a_fresh_token(tmp_path: Path) -> None:
    path = tmp_path / "tokens.jsonl"
    path.touch(mode=0o644)
    run("makefleet", "2", "--tokens", str(path), "--prefix", "bench-")
    out, _ = run("makefleet", "3", "--tokens", str(path), "--prefix", "bench-")
    assert out.startswith("1 devices added, 2 existed")
    assert Device.objects.count() == 3
    assert Token.objects.count() == 5
    assert len(path.read_text().splitlines()) == 5
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["0", "--tokens", "{folder}/t"], "N is a whole number from 1"),
        (["2", "--tokens", "{folder}/t", "--prefix", "a b"], "No uid can begin with 'a b'"),
        (["2", "--tokens", "{folder}"], "cannot be written: Is a directory"),
    ],
)
def test_makefleet_says_each_mistake_in_one_sentence(
    arguments: list[str], message: str, tmp_path: Path
) -> None:
    with pytest.raises(CommandError, match=message):
        run("makefleet", *(part.format(folder=tmp_path) for part in arguments))
    assert not Device.objects.exists()


def test_the_login_is_made_once_and_is_off_where_others_reach_the_hub() -> None:
    password = login.enable_login()
    assert password is not None
    assert authenticate(username=login.NAME, password=password) is not None
    assert login.enable_login() is None
    login.disable_login()
    assert authenticate(username=login.NAME, password=password) is None
    assert login.enable_login() is None
    assert authenticate(username=login.NAME, password=password) is not None


def test_an_operators_own_login_of_that_name_is_left_alone() -> None:
    User.objects.create_superuser(login.NAME, password="her own, and long")
    assert login.enable_login() is None
    login.disable_login()
    assert authenticate(username=login.NAME, password="her own, and long") is not None


@pytest.fixture
def room_for_two(monkeypatch: pytest.MonkeyPatch) -> None:
    options = settings.OPTIONS.model_copy(update={"devices": 2})
    monkeypatch.setattr(settings, "OPTIONS", options)


@pytest.mark.usefixtures("room_for_two")
def test_one_device_too_many_is_refused_in_a_sentence(tmp_path: Path) -> None:
    run("adddevice", "roof")
    with pytest.raises(CommandError, match="The hub has 1 of at most 2 devices, and no room for 2"):
        run("makefleet", "2", "--tokens", str(tmp_path / "tokens"))
    run("makefleet", "1", "--tokens", str(tmp_path / "tokens"))
    with pytest.raises(CommandError, match="no room for 1 more: raise WEIR_DEVICES") as refused:
        run("adddevice", "cellar")
    assert "\n" not in str(refused.value)
    assert sorted(Device.objects.values_list("uid", flat=True)) == ["roof", "sim-00001"]


@pytest.mark.usefixtures("room_for_two")
def test_a_full_hub_gives_new_tokens_to_the_devices_it_has(tmp_path: Path) -> None:
    for _ in range(2):
        run("makefleet", "2", "--tokens", str(tmp_path / "tokens"))
    assert Token.objects.count() == 4


def test_devices_go_on_where_the_bound_was_lowered_below_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("makefleet", "3", "--tokens", str(tmp_path / "tokens"))
    options = settings.OPTIONS.model_copy(update={"devices": 1})
    monkeypatch.setattr(settings, "OPTIONS", options)
    run("makefleet", "3", "--tokens", str(tmp_path / "tokens"))
    assert Token.objects.count() == 6


def test_trustclock_sets_back_what_was_stored_later_than_now(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = timezone.now()
    later, before = now + timedelta(hours=25), now - timedelta(hours=1)
    ahead = Device.objects.create(uid="ahead", last_seen_at=later)
    Device.objects.create(uid="right", last_seen_at=before)
    Stream.objects.create(device=ahead, name="s", epoch=1, used_at=later)
    Token.objects.create(device=ahead, prefix="p", digest="d", last_used_at=later)
    monkeypatch.setattr("builtins.input", lambda asked: "n")
    with pytest.raises(CommandError, match="Nothing was changed"):
        run("trustclock")
    assert Device.objects.get(uid="ahead").last_seen_at == later
    monkeypatch.setattr("builtins.input", lambda asked: "y")
    assert run("trustclock")[0].startswith("3 times")
    moments = [Stream.objects.get().used_at, Token.objects.get().last_used_at]
    moments.append(Device.objects.get(uid="ahead").last_seen_at)
    assert all(moment is not None and now <= moment < later for moment in moments)
    assert Device.objects.get(uid="right").last_seen_at == before
    assert run("trustclock", interactive=False)[0].startswith("Nothing was stored later")
