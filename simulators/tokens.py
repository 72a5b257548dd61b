"""The tokens file: who may speak. One JSON object a line, `{"uid": …, "token": …}`.

It is what `manage.py makefleet N --tokens FILE` writes and `manage.py adddevice UID --json` prints.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import orjson

from simulators import Trouble


class Credential(NamedTuple):
    uid: str
    token: str


def read_tokens(path: Path) -> list[Credential]:
    """Read all credentials in the order of the file; raise `Trouble` naming the wrong line."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise Trouble(
            f"The tokens file {path} cannot be read ({error.strerror}); "
            f"`manage.py makefleet 10 --tokens {path}` makes one."
        ) from None
    found = [_credential(path, n, line) for n, line in enumerate(lines, start=1) if line.strip()]
    if not found:
        raise Trouble(f"The tokens file {path} is empty.")
    return found


def _credential(path: Path, number: int, line: bytes) -> Credential:
    try:
        entry = orjson.loads(line)
        uid, token = entry["uid"], entry["token"]
    except (ValueError, TypeError, KeyError):
        uid = token = None
    if not isinstance(uid, str) or not isinstance(token, str):
        raise Trouble(f'{path}, line {number}: expected {{"uid": "…", "token": "…"}}.')
    return Credential(uid, token)
