"""A hub's database on each engine, and those who read from it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from dashboards import readtokens
from devices.models import Device, Kind, Series
from tests.integration.engine import engine, engine_url  # noqa: F401
from tests.integration.stored import store

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def reading(engine: str) -> Callable[..., Client]:  # noqa: F811
    """A function that gives a program whose read token has this scope."""

    def reading(*scope: str, **more: Any) -> Client:
        _, text = readtokens.issue("a test's", scope, **more)
        return Client(headers={"Authorization": f"Bearer {text}"})

    return reading


@pytest.fixture
def client(engine: str) -> Client:  # noqa: F811
    """The browser of somebody who may do everything."""
    client = Client()
    client.force_login(User.objects.create_superuser("ada"))
    return client


@pytest.fixture
def roof(engine: str) -> Device:  # noqa: F811
    """Seen just now: a minute of temperature, a door, and a text."""
    device = Device.objects.create(
        uid="roof", name="Roof", tags=["north"], expected_interval_s=86_400, last_seen_at=NOW
    )
    temperature = Series.objects.create(
        device=device, metric="temperature", kind=Kind.NUMBER, unit="°C", low=5, high=30
    )
    door = Series.objects.create(device=device, metric="door", kind=Kind.BOOLEAN)
    Series.objects.create(device=device, metric="state", kind=Kind.TEXT)
    store(temperature, [(NOW - timedelta(seconds=n), 20 + n / 10) for n in range(60)])
    store(door, [(NOW, 1.0)])
    return device
