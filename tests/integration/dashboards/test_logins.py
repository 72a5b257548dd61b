"""Which logins may not look any longer, asked of the database for all at once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth import HASH_SESSION_KEY
from django.contrib.auth.models import Group, Permission, User
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from dashboards.live.logins import Ended, Login, ended
from devices.roles import LOOK, VIEWERS

NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)

pytestmark = pytest.mark.usefixtures("database")


def logged_in(name: str) -> tuple[Client, Login]:
    client = Client()
    user, _ = User.objects.get_or_create(username=name)
    user.groups.add(Group.objects.get(name=VIEWERS))
    client.force_login(user)
    return client, Login.of(client.session, user)


@pytest.fixture
def ada() -> tuple[Client, Login]:
    return logged_in("ada")


@pytest.fixture
def grace() -> Login:
    return logged_in("grace")[1]


def change_password(client: Client) -> None:
    user = User.objects.get(username="ada")
    user.set_password("another long one")
    user.save()


WAYS: dict[str, Callable[[Client], object]] = {
    "logged out": lambda client: client.post("/accounts/logout/"),
    "logged in as somebody else": lambda client: client.force_login(
        User.objects.get(username="grace")
    ),
    "deactivated": lambda client: User.objects.filter(username="ada").update(is_active=False),
    "deleted": lambda client: User.objects.filter(username="ada").delete(),
    "its password changed": change_password,
    "its session expired": lambda client: Session.objects.filter(
        session_key=client.session.session_key
    ).update(expire_date=NOW - HOUR),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_login_ends_and_no_other_with_it(
    ada: tuple[Client, Login], grace: Login, way: Callable[[Client], object]
) -> None:
    client, login = ada
    assert ended([login, grace], NOW) == {}
    way(client)
    assert ended([login, grace], NOW) == {login: Ended.NOT_LOGGED_IN}


def test_one_browser_that_logs_out_leaves_the_others_of_its_user(
    ada: tuple[Client, Login],
) -> None:
    client, login = ada
    _, elsewhere = logged_in("ada")
    client.post("/accounts/logout/")
    assert ended([login, elsewhere], NOW) == {login: Ended.NOT_LOGGED_IN}


def leave_group(user: User) -> None:
    user.groups.clear()


def cut_group(user: User) -> None:
    Group.objects.get(name=VIEWERS).permissions.clear()


@pytest.mark.parametrize("way", [leave_group, cut_group])
def test_who_may_look_no_longer_is_told_apart_from_a_login_that_ended(
    ada: tuple[Client, Login], way: Callable[[User], None]
) -> None:
    _, login = ada
    way(User.objects.get(username="ada"))
    assert ended([login], NOW) == {login: Ended.NOT_PERMITTED}


def test_a_permission_of_ones_own_and_a_superuser_may_look(
    ada: tuple[Client, Login], grace: Login
) -> None:
    Group.objects.all().delete()
    User.objects.filter(username="grace").update(is_superuser=True)
    looking = Permission.objects.get(codename=LOOK.partition(".")[2])
    User.objects.get(username="ada").user_permissions.add(looking)
    assert ended([ada[1], grace], NOW) == {}


def test_all_are_asked_for_in_three_queries(grace: Login) -> None:
    logins = [logged_in(f"user {n}")[1] for n in range(20)]
    with CaptureQueriesContext(connection) as queries:
        assert ended([*logins, grace], NOW) == {}
    assert len(queries) == 3


def test_what_is_kept_of_a_login_is_what_its_session_has(ada: tuple[Client, Login]) -> None:
    client, login = ada
    assert login.auth_hash == client.session[HASH_SESSION_KEY]
