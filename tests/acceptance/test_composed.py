"""The very commands of docker-compose.yml, one after the other as it would start them, here."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import ROOT
from tests.compose import NO_SECRETS, Front, here, services
from tests.hubs import DEADLINE_S, Hub, Store, environment, wait_until
from tests.servers import free_port

KEY = "of-this-test-0123456789-abcdefghijklmnopqrstuvwxyz"
SERVICES = services(**{**NO_SECRETS, "WEIR_SECRET_KEY": KEY, "WEIR_METRICS_TOKEN": "t" * 20})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("composed")
    (folder / "fleet").mkdir()
    return folder


@pytest.fixture(scope="module")
def surroundings(
    postgres_database: Callable[[], str], redis_server_url: str, folder: Path
) -> dict[str, str]:
    """The environment of the services that are Weir's."""
    settings: dict[str, Any] = SERVICES["hub"]["environment"]
    named = {"DATABASE_URL": postgres_database(), "REDIS_URL": redis_server_url}
    assert named.keys() < settings.keys()
    return environment("", {**settings, **named})


@pytest.fixture(scope="module")
def run(
    surroundings: dict[str, str], folder: Path
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a service that ends by itself, or a check of one that does not."""

    def run(
        words: list[str], places: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        shipped = {"fleet/": f"{folder}/fleet/", "manage.py": str(ROOT / "manage.py")}
        return subprocess.run(
            here(words, shipped | (places or {})),
            env=surroundings,
            cwd=ROOT,
            check=False,
            capture_output=True,
            text=True,
            timeout=2 * DEADLINE_S,
        )

    return run


@pytest.fixture(scope="module")
def hub(
    run: Callable[..., subprocess.CompletedProcess[str]],
    surroundings: dict[str, str],
    folder: Path,
) -> Iterator[Hub]:
    """Migrated and started as there; only its port is one of ours."""
    migrated = run(SERVICES["migrate"]["command"])
    assert migrated.returncode == 0, migrated.stderr
    hub = Hub(Store(surroundings["DATABASE_URL"]), folder)
    hub.environment = surroundings
    command = here(SERVICES["hub"]["command"], {"manage.py": str(ROOT / "manage.py")})
    assert command[-4:] == ["--host", "0.0.0.0", "--port", "8000"]
    hub.command = [*command[:-4], "--host", "127.0.0.1"]
    with hub:
        yield hub


@pytest.fixture(scope="module")
def front(hub: Hub, nginx_program: Path) -> Iterator[Front]:
    with Front(nginx_program, hub.port) as front:
        yield front


def test_a_second_migration_finds_nothing_to_do(
    hub: Hub, run: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    assert "No migrations to apply" in run(SERVICES["migrate"]["command"]).stdout


def test_the_health_check_tells_a_hub_that_is_ready_from_one_that_is_not(
    hub: Hub, run: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    check = SERVICES["hub"]["healthcheck"]["test"][1:]
    assert run(check, {":8000": f":{hub.port}"}).returncode == 0
    assert run(check, {":8000": f":{free_port()}"}).returncode != 0


def test_the_health_check_of_nginx_asks_a_hub(front: Front) -> None:
    check = here(SERVICES["nginx"]["healthcheck"]["test"][1:], {":8080": f":{front.port}"})
    assert subprocess.run(check, check=False, timeout=DEADLINE_S).returncode == 0


def test_the_fleet_is_made_once_and_streams_through_nginx(
    front: Front, hub: Hub, run: Callable[..., subprocess.CompletedProcess[str]], folder: Path
) -> None:
    for _ in range(2):
        made = run(SERVICES["fleet"]["command"])
        assert made.returncode == 0, made.stderr
    assert hub.store.number("SELECT count(*) FROM devices_device") == 20
    assert hub.store.number("SELECT count(*) FROM devices_token") == 20
    places = {
        "fleet/": f"{folder}/fleet/",
        "nginx:8080": f"127.0.0.1:{front.port}",
        "forever": "1s",
    }
    sent = subprocess.run(
        here(SERVICES["simulators"]["command"], places),
        cwd=ROOT,
        env=os.environ,
        check=False,
        capture_output=True,
        text=True,
        timeout=2 * DEADLINE_S,
    )
    assert sent.returncode == 0, sent.stderr
    wait_until(lambda: hub.store.readings() >= 20 * 3, "each device's first frame is stored")
