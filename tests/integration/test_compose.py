"""docker-compose.yml and the Dockerfile: by the published schema, and by what we ask of them."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import pytest

from tests import ROOT
from tests.compose import FILE, NO_SECRETS, services, variables
from tests.shipped import read_yaml

SERVICES = services(**NO_SECRETS)
ENDS = {"migrate", "fleet"}  # by themselves
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()


def dotenv() -> dict[str, str]:
    return dict(re.findall(r"^(\w+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE))


def test_it_is_a_compose_file() -> None:
    checked = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", FILE],
        check=False,
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("name", SERVICES)
def test_an_image_is_of_one_version(name: str) -> None:
    assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+(\.\d+)?(-[\w.]+)?", SERVICES[name]["image"])


def test_what_an_image_is_made_from_is_of_one_version() -> None:
    for image in re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE):
        assert re.fullmatch(r"\w+:\d+\.\d+\.\d+(-[\w.]+)+", image)


@pytest.mark.parametrize("name", sorted(SERVICES.keys() - ENDS - {"simulators"}))
def test_a_service_that_stays_says_whether_it_is_well(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"
    assert SERVICES[name]["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", SERVICES)
def test_a_port_is_for_this_machine_unless_somebody_says_otherwise(name: str) -> None:
    for port in SERVICES[name].get("ports", []):
        assert port.startswith("127.0.0.1:")


def test_a_secret_must_be_given_and_is_in_no_file_of_ours() -> None:
    for missing in NO_SECRETS:
        with pytest.raises(KeyError, match=missing):
            services(**{name: value for name, value in NO_SECRETS.items() if name != missing})
    assert not re.search(r"(?i)(password|secret|token)\w*:\s*[\"']?[\w-]*\d", FILE.read_text())
    assert {name for name, value in dotenv().items() if not value} == {
        *NO_SECRETS,
        "WEIR_METRICS_TOKEN",
    }


@pytest.mark.parametrize("name", variables())
def test_what_it_asks_for_is_in_the_example_with_the_same_default(name: str) -> None:
    example = (ROOT / ".env.example").read_text()
    assert re.search(rf"^#?{name}=", example, re.MULTILINE), name
    for default in variables()[name] - {""}:
        assert dotenv().get(name, default) == default


def test_what_is_mounted_is_there() -> None:
    mounted = [m for s in SERVICES.values() for m in s.get("volumes", []) if m.startswith("./")]
    assert mounted
    for each in mounted:
        assert (ROOT / each.partition(":")[0]).exists(), each


def test_hubs_wait_for_the_one_migration() -> None:
    migrated = {"condition": "service_completed_successfully"}
    assert SERVICES["hub"]["depends_on"]["migrate"] == migrated
    assert "ports" not in SERVICES["hub"], "or two could not have it at once"
    assert "migrate" not in " ".join(SERVICES["hub"]["command"])


def test_nothing_of_ours_runs_as_root_or_writes_to_its_image() -> None:
    assert re.search(r"^USER weir$", DOCKERFILE, re.MULTILINE)
    ours = [each for each in SERVICES.values() if each["image"].startswith("weir:")]
    for service in ours:
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        assert "user" not in service


def test_what_the_image_copies_is_there_and_let_through() -> None:
    """`.dockerignore` begins with `*`: what it does not name is not sent to the builder."""
    through = set(re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE))
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    sources = {source for line in copied for source in line.split()}
    assert all((ROOT / source).exists() for source in sources)
    assert sources == through


def test_prometheus_finds_the_hubs_by_their_service_and_shows_their_token() -> None:
    compose: Any = read_yaml(FILE)
    [job] = read_yaml(ROOT / "deploy" / "compose" / "prometheus.yml")["scrape_configs"]
    [found] = job["dns_sd_configs"]
    assert found["names"] == ["hub"]
    assert str(found["port"]) in SERVICES["hub"]["expose"]
    secret = job["authorization"]["credentials_file"].removeprefix("/run/secrets/")
    assert secret in SERVICES["prometheus"]["secrets"]
    assert compose["secrets"][secret]["environment"] in SERVICES["hub"]["environment"]
