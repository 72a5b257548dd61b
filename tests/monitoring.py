"""A Prometheus of the tests' own, set up as it is shipped but for where its hubs are, and how often
it looks.

Knows nothing of pytest.
"""

from __future__ import annotations

import json
import shutil
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.servers import PrivateServer
from tests.shipped import PROMETHEUS, read_yaml, write_yaml

INTERVAL = "1s"


class Prometheus(PrivateServer):
    """It asks the hubs at `targets`, and stores in its folder."""

    def __init__(self, program: Path, targets: Sequence[str]) -> None:
        super().__init__()
        self.program = program
        shutil.copytree(PROMETHEUS / "rules", self.folder / "rules")
        shipped = read_yaml(PROMETHEUS / "prometheus.yml")
        shipped["global"] = {"scrape_interval": INTERVAL, "evaluation_interval": INTERVAL}
        [job] = shipped["scrape_configs"]
        job["static_configs"] = [{"targets": list(targets)}]
        write_yaml(self.folder / "prometheus.yml", shipped)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        return [
            str(self.program),
            f"--config.file={self.folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={self.folder / 'stored'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
        ]

    def ping(self) -> None:
        with urllib.request.urlopen(f"{self.url}/-/ready", timeout=5):
            pass

    def samples(self, query: str) -> list[dict[str, Any]]:
        """What an instant query comes to."""
        found: list[dict[str, Any]] = self._ask("query", {"query": query})["result"]
        return found

    def values_of(self, label: str, series: str) -> list[str]:
        """What Grafana's `label_values` gives."""
        found: list[str] = self._ask(f"label/{label}/values", {"match[]": series})
        return found

    def alerts(self, state: str) -> set[str]:
        """Those that are `pending`, or `firing`."""
        found = self._ask("alerts", {})["alerts"]
        return {alert["labels"]["alertname"] for alert in found if alert["state"] == state}

    def _ask(self, what: str, asked: Mapping[str, str]) -> Any:
        url = f"{self.url}/api/v1/{what}?{urlencode(asked)}"
        with urllib.request.urlopen(url, timeout=20) as answer:
            said = json.load(answer)
        assert said["status"] == "success", said
        return said["data"]
