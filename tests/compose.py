"""docker-compose.yml as compose would read it, and its commands as this machine can run them.

Containers see each other by the names of their services; here each of those is a port of the tests'
own, and what is a folder of an image is one of this tree or of the test. Knows nothing of pytest.
"""

from __future__ import annotations

import re
import shutil
import sys
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests import ROOT
from tests.servers import PrivateServer, free_port
from tests.shipped import read_yaml

FILE = ROOT / "docker-compose.yml"
NO_SECRETS = {"POSTGRES_PASSWORD": "x", "WEIR_SECRET_KEY": "x"}
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
_VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")


def services(**given: str) -> dict[str, dict[str, Any]]:
    """With these variables, as from a .env; raises KeyError for one that must be given."""
    found = read_yaml(FILE)["services"]
    filled: dict[str, dict[str, Any]] = _filled(found, given)
    return filled


def variables() -> dict[str, set[str]]:
    """Each that is asked for, with what is taken in its place."""
    found: dict[str, set[str]] = {}
    for name, sign, otherwise in _VARIABLE.findall(FILE.read_text()):
        found.setdefault(name, set()).add(otherwise if sign == "-" else "")
    return found


def _filled(node: Any, given: Mapping[str, str]) -> Any:
    if isinstance(node, dict):
        return {name: _filled(each, given) for name, each in node.items()}
    if isinstance(node, list):
        return [_filled(each, given) for each in node]
    return _VARIABLE.sub(lambda one: _value(one, given), node) if isinstance(node, str) else node


def _value(one: re.Match[str], given: Mapping[str, str]) -> str:
    name, sign, otherwise = one.groups()
    if given.get(name):
        return given[name]
    if sign == "?":
        raise KeyError(name)
    return otherwise or ""


def here(words: Sequence[str], places: Mapping[str, str]) -> list[str]:
    """A command of a service, with each of `places` in the place of what containers call it."""
    return [re.sub(r"(?<![\w.])python\b", sys.executable, put(word, places)) for word in words]


def put(text: str, places: Mapping[str, str]) -> str:
    for named, real in places.items():
        text = text.replace(named, real)
    return text


class Front(PrivateServer):
    """The nginx of the file, before one hub at `hub_port`, with its own configuration."""

    def __init__(self, program: Path, hub_port: int) -> None:
        super().__init__()
        self.program = program
        self._hub_port = hub_port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        etc, service = self.folder / "etc", services(**NO_SECRETS)["nginx"]
        places = {
            "hub:8000": f"127.0.0.1:{self._hub_port}",
            "listen 8080": f"listen 127.0.0.1:{self.port}",
            "127.0.0.1:8081": f"127.0.0.1:{free_port()}",
            "/dev/stdout": f"{self.folder}/access.log",  # that is root's, and this is not
            "/run/nginx.pid": f"{self.folder}/pid",
            "/etc/weir": str(etc),
        }
        shutil.rmtree(etc, ignore_errors=True)
        for mounted in service["volumes"]:
            source, target, _ = mounted.split(":")
            _copy(ROOT / source, etc / target.removeprefix("/etc/weir/"), places)
        # What is a tmpfs there. Run by nobody in particular, it cannot have Debian's own folders.
        own = [f"{name}_temp_path {self.folder}/{name};\n" for name in TEMPORARY]
        hubs = etc / "site" / "hubs.conf"
        hubs.write_text("".join(own) + hubs.read_text())
        return [str(self.program), *here(service["command"], places)[1:], "-e", "stderr"]

    def ping(self) -> None:
        with urllib.request.urlopen(f"{self.url}/healthz", timeout=5):
            pass


def _copy(source: Path, target: Path, places: Mapping[str, str]) -> None:
    if source.is_dir():
        for each in source.iterdir():
            _copy(each, target / each.name, places)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(put(source.read_text(), places))
