"""What an operator reads who set something that cannot be."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.forks import run


def check(tmp_path: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return manage(tmp_path, "check", **variables)


def manage(tmp_path: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    given = {**os.environ, "WEIR_DATA_DIR": str(tmp_path), **variables}
    return run(arguments, given, 60)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("WEIR_TIME_ZONE", "Mars", "should be a zone such as Europe/Berlin, or UTC, not 'Mars'."),
        ("WEIR_IN_FLIGHT", "many", "Input should be a valid integer"),
        ("WEIR_FRAME_MAX_BYTES", "16777216", "should be less than or equal to 4194304"),
        ("WEIR_SECRET_KEY", "short", "should have at least 50 characters."),
        ("WEIR_SECRET_KEY", "django-insecure-" + "q7Rw" * 12, "could guess: draw one at random."),
        ("WEIR_SECRET_KEY", "change-me " * 5, "could guess: draw one at random."),
        ("WEIR_SECRET_KEY", "secret" * 10, "could guess: draw one at random."),
        ("WEIR_METRICS_TOKEN", "short", "should have at least 20 characters."),
        ("WEIR_TRUSTED_PROXIES", "nginx", "should be addresses and networks such as 10.0.0.0/8"),
        ("DATABASE_URL", "mysql://root@db/weir", "Weir runs on sqlite:///PATH and on postgres://"),
        ("REDIS_URL", "nonsense", "should be redis://HOST:PORT/NUMBER"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_in_one_sentence(
    tmp_path: Path, name: str, value: str, said: str
) -> None:
    done = check(tmp_path, **{name: value})
    assert done.returncode == 1
    assert done.stderr.startswith(f"Weir cannot start. {name}: ")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("name", ["WEIR_SECRET_KEY", "WEIR_METRICS_TOKEN", "DATABASE_URL"])
def test_a_secret_is_not_shown_in_the_refusal(tmp_path: Path, name: str) -> None:
    done = check(tmp_path, **{name: "x://u:hunter2@h/n"})
    assert done.returncode == 1
    assert "hunter2" not in done.stdout + done.stderr


def test_a_misspelt_setting_is_named(tmp_path: Path) -> None:
    done = check(tmp_path, WEIR_INFLIGHT="8")
    assert done.returncode == 0
    assert "WEIR_INFLIGHT is set, but it is no setting of Weir." in done.stderr


TLS = {"WEIR_HTTPS": "true", "WEIR_TRUSTED_PROXIES": "127.0.0.1"}
DEPLOY = ["check", "--deploy", "--fail-level", "WARNING"]


def test_a_hub_behind_tls_passes_every_check_of_a_deployment(tmp_path: Path) -> None:
    done = manage(tmp_path, *DEPLOY, **TLS)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("wrong", [{"WEIR_HTTPS": "false"}, {"WEIR_DEBUG": "true"}])
def test_a_hub_that_is_open_passes_not(tmp_path: Path, wrong: dict[str, str]) -> None:
    assert "security.W" in manage(tmp_path, *DEPLOY, **(TLS | wrong)).stderr


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7"])
@pytest.mark.parametrize("command", ["runhub", "demo"])
def test_error_pages_with_settings_are_not_shown_to_a_network(
    tmp_path: Path, command: str, host: str
) -> None:
    done = manage(tmp_path, command, "--host", host, WEIR_DEBUG="true")
    assert done.returncode == 1
    assert done.stderr == (
        "CommandError: WEIR_DEBUG shows settings and source to whoever meets an error:"
        f" it is for 127.0.0.1, not for {host}.\n"
    )


def test_https_without_a_proxy_is_refused_in_one_sentence(tmp_path: Path) -> None:
    done = manage(tmp_path, "runhub", WEIR_HTTPS="true")
    assert done.returncode == 1
    assert done.stderr.startswith("CommandError: WEIR_HTTPS needs the address of the proxy")
