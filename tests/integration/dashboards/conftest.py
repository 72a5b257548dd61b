"""A board; and a migrated database in a file, so that a hub's threads see what the test made."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
from asgiref.sync import SyncToAsync
from django.contrib.auth.models import Group, User
from django.db import connections
from django.test import Client
from pytest_django.plugin import DjangoDbBlocker

from dashboards.live import board as board_module
from dashboards.live import listener as listener_module
from dashboards.live import priming
from dashboards.live.board import Board
from dashboards.live.listener import GROUP
from dashboards.live.present import DevicePresent
from devices.roles import VIEWERS
from tests.hubs import Store
from tests.integration.dashboards.stage import INTERVAL_S, Layer, Loaders, eventually
from tests.integration.engine import default_database


@pytest.fixture
def database(
    new_store: Callable[[str], Store], django_db_blocker: DjangoDbBlocker
) -> Iterator[None]:
    with django_db_blocker.unblock(), default_database(new_store("sqlite").url):
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


@pytest.fixture
def layer() -> Layer:
    return Layer()


@pytest.fixture
def loaders() -> Loaders:
    return Loaders()


@pytest.fixture
async def board(
    layer: Layer, loaders: Loaders, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Board]:
    monkeypatch.setattr(priming, "RETRY_MIN_S", 0.02)
    monkeypatch.setattr(listener_module, "RETRY_MIN_S", 0.02)
    monkeypatch.setattr(listener_module, "REJOIN_INTERVAL_S", 0.05)
    monkeypatch.setattr(priming, "CATALOGUE_INTERVAL_S", 0.05)
    monkeypatch.setattr(board_module, "STALE_MIN_S", 0.3)
    board = Board(
        layer,
        time.time,
        load_fleet=loaders.load,
        load_catalogue=loaders.load_catalogue,
        load_tails=loaders.load_tails,
        interval_s=INTERVAL_S,
    )
    loaders.devices = [DevicePresent("roof"), DevicePresent("porch")]
    await board.start()
    await eventually(lambda: board.primed and layer.groups.get(GROUP))
    yield board
    await board.stop()
