"""What an operator reads who set something that cannot be."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def check(tmp_path: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=ROOT,
        env={**os.environ, "WEIR_DATA_DIR": str(tmp_path), **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("WEIR_TIME_ZONE", "Mars", "should be a zone such as Europe/Berlin, or UTC, not 'Mars'."),
        ("WEIR_IN_FLIGHT", "many", "Input should be a valid integer"),
        ("WEIR_FRAME_MAX_BYTES", "16777216", "should be less than or equal to 4194304"),
        ("WEIR_SECRET_KEY", "short", "should have at least 50 characters."),
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


@pytest.mark.parametrize("name", ["WEIR_SECRET_KEY", "DATABASE_URL"])
def test_a_secret_is_not_shown_in_the_refusal(tmp_path: Path, name: str) -> None:
    assert "hunter2" not in check(tmp_path, **{name: "x://u:hunter2@h/n"}).stderr


def test_a_misspelt_setting_is_named(tmp_path: Path) -> None:
    done = check(tmp_path, WEIR_INFLIGHT="8")
    assert done.returncode == 0
    assert "WEIR_INFLIGHT is set, but it is no setting of Weir." in done.stderr
