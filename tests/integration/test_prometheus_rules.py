"""The rules and the configuration for Prometheus, as Prometheus' own tool sees them."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest

from tests import ROOT
from tests.shipped import DEPLOY, OPERATIONS, PROMETHEUS, alerts, anchors, read_yaml, rules


@pytest.fixture(scope="module")
def promtool(leave_out: Callable[[str, str], NoReturn]) -> Callable[..., str]:
    """Runs it in the folder of the shipped files, and returns what it said."""
    program = shutil.which("promtool") or leave_out(
        "Prometheus", "no promtool found: install prometheus"
    )

    def promtool(*arguments: str) -> str:
        ended = subprocess.run(
            [program, *arguments],
            cwd=PROMETHEUS,
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    return promtool


def test_each_rule_is_one(promtool: Callable[..., str]) -> None:
    files = sorted(map(str, (PROMETHEUS / "rules").glob("*.yml")))
    assert "SUCCESS" in promtool("check", "rules", *files)


def test_prometheus_would_start_with_it(promtool: Callable[..., str]) -> None:
    assert "2 rule files found" in promtool("check", "config", "prometheus.yml")


def test_alerts_fire_when_they_should_and_no_sooner(promtool: Callable[..., str]) -> None:
    assert "SUCCESS" in promtool("test", "rules", "tests.yml")


def test_each_alert_is_seen_to_fire_and_not_to() -> None:
    cases: list[dict[str, Any]] = [
        case
        for test in read_yaml(PROMETHEUS / "tests.yml")["tests"]
        for case in test["alert_rule_test"]
    ]
    names = {alert["alert"] for alert in alerts()}
    assert {case["alertname"] for case in cases if case.get("exp_alerts")} == names
    assert {case["alertname"] for case in cases if not case.get("exp_alerts")} == names


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: str(alert["alert"]))
def test_an_alert_says_what_is_to_be_done(alert: dict[str, Any]) -> None:
    page, _, place = alert["annotations"]["runbook"].partition("#")
    assert ROOT / page == OPERATIONS
    assert place in anchors(OPERATIONS)
    assert alert["labels"]["severity"] in {"page", "ticket"}


def test_what_rules_ask_for_by_their_own_names_is_recorded() -> None:
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    asked = {name for rule in rules() for name in re.findall(r"weir:[a-z0-9_:]+", rule["expr"])}
    assert asked <= recorded


def test_hubs_in_containers_are_found_by_the_same_rules() -> None:
    files: list[Path] = [PROMETHEUS / "prometheus.yml", DEPLOY / "compose" / "prometheus.yml"]
    here, contained = map(read_yaml, files)
    assert here["global"] == contained["global"]
    assert {job["job_name"] for job in here["scrape_configs"]} <= {
        job["job_name"] for job in contained["scrape_configs"]
    }
