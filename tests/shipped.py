"""What is in `deploy/`, and in the other files that a site is set up by, as the tests read it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests import ROOT

DEPLOY = ROOT / "deploy"
PROMETHEUS = DEPLOY / "prometheus"
GRAFANA = DEPLOY / "grafana"
OPERATIONS = ROOT / "docs" / "operations.md"


def read_yaml(path: Path) -> Any:
    return YAML(typ="safe", pure=True).load(path)


def write_yaml(path: Path, content: Any) -> None:
    YAML(typ="safe", pure=True).dump(content, path)


def rules() -> list[dict[str, Any]]:
    """Of Prometheus: those that record, and alerts."""
    files = sorted((PROMETHEUS / "rules").glob("*.yml"))
    return [
        rule for file in files for group in read_yaml(file)["groups"] for rule in group["rules"]
    ]


def alerts() -> list[dict[str, Any]]:
    return [rule for rule in rules() if "alert" in rule]


def dashboards() -> list[dict[str, Any]]:
    return [json.loads(file.read_text()) for file in sorted(GRAFANA.glob("dashboards/*.json"))]


def queries() -> list[str]:
    """Of all panels of the dashboards."""
    return [
        target["expr"]
        for dashboard in dashboards()
        for panel in dashboard["panels"]
        for target in panel["targets"]
    ]


def anchors(page: Path) -> set[str]:
    """The names of a page's headings, as a link to them has them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {
        re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings
    }
