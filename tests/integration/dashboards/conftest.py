"""A migrated database in a file, so that the threads of a hub see what the test made."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from asgiref.sync import SyncToAsync
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.db import connections
from django.test import Client
from pytest_django.plugin import DjangoDbBlocker

from devices.roles import VIEWERS
from tests.integration.engine import default_database


@pytest.fixture
def database(sqlite_url: str, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    with django_db_blocker.unblock(), default_database(sqlite_url):
        call_command("migrate", verbosity=0)
        yield
        # Channels looks at sessions in this thread, which would keep this test's database.
        SyncToAsync.single_thread_executor.submit(forget_connection).result()


def forget_connection() -> None:
    connections["default"].close()
    del connections["default"]


@pytest.fixture
def browser_client(database: None) -> Client:
    """The browser of a viewer who is logged in."""
    return browser_of("ada", VIEWERS)


def browser_of(name: str, *groups: str) -> Client:
    """The browser of a new user of these groups, logged in."""
    user = User.objects.create_user(name)
    user.groups.set(Group.objects.filter(name__in=groups))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def session_cookie(browser_client: Client) -> str:
    return browser_client.cookies["sessionid"].value
