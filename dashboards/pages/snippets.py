"""Programs ready to send as a device: templates in `templates/dashboards/snippets/`.

Each runs as it is shown, once a token stands where `TOKEN` does: the tests run them. Included by
`dashboards/snippets.html` wherever readings are missing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.template.loader import render_to_string

from dashboards.live.present import Value
from devices.models import METRIC_PATTERN, UID_PATTERN, Device

TOKEN: Final = "TOKEN"
"""What stands for the token where there is none to show."""

# A program for a first try: what it measures should be read at a glance.
METRICS_SHOWN: Final = 3
INTERVAL_DEFAULT_S: Final = 10.0
FIRST: Final[dict[str, Value]] = {"temperature": 21.5}

PROGRAMS: Final = [
    ("shell", "Shell", "One reading, with curl. It may be sent again: it carries its time."),
    (
        "python",
        "Python",
        "Any Python 3, with nothing installed. It keeps what is not acked, and sends it again.",
    ),
    (
        "javascript",
        "JavaScript",
        "In a browser as it is, and in node from version 22; node 20 has a WebSocket with"
        " --experimental-websocket. It keeps what is not acked, and sends it again.",
    ),
    (
        "micropython",
        "MicroPython",
        "main.py of an ESP32 or a Pico W whose boot.py joins the network, with what is in their"
        " firmware. It keeps what is not acked, and sends it again.",
    ),
]


@dataclass(frozen=True)
class Snippet:
    """One program; its text is in two parts, with the token between them."""

    slug: str
    title: str
    note: str
    before: str
    token: str
    after: str

    @property
    def text(self) -> str:
        return self.before + self.token + self.after


def snippets(
    hub_url: str,
    device: Device | None = None,
    values: Mapping[str, tuple[float, Value]] | None = None,
    token: str = TOKEN,
) -> list[Snippet]:
    """The programs for `device`, which measure what it did last by `values`, if that is known."""
    context = _context(hub_url, device, example(values or {}, texts=False), token)
    return [_snippet(*program, context=context, token=token) for program in PROGRAMS]


def example(values: Mapping[str, tuple[float, Value]], *, texts: bool = True) -> dict[str, Value]:
    """A few metrics of a device as its next sample might have them; `FIRST` where it has none."""
    fit = {
        metric: _plain(value)
        for metric, (_, value) in sorted(values.items())
        # A program is no place for a name or a text that might end the quotes it stands in.
        if re.match(METRIC_PATTERN, metric) and (texts or not isinstance(value, str))
    }
    return dict(list(fit.items())[:METRICS_SHOWN]) or FIRST


def _snippet(slug: str, title: str, note: str, *, context: dict[str, Any], token: str) -> Snippet:
    text = render_to_string(f"dashboards/snippets/{slug}.txt", context).strip()
    before, token, after = text.partition(token)
    return Snippet(slug, title, note, before, token, after)


def _context(
    hub_url: str, device: Device | None, values: dict[str, Value], token: str
) -> dict[str, Any]:
    in_json = json.dumps(values)
    known = device is not None and re.match(UID_PATTERN, device.uid)
    interval_s = (device and device.expected_interval_s) or INTERVAL_DEFAULT_S
    return {
        "uid": device.uid if device is not None and known else "the device",
        "url": f"{hub_url}/ingest/",
        "socket_url": f"ws{hub_url.removeprefix('http')}/ws/ingest/",
        "token": token,
        "interval_s": f"{interval_s:g}",
        "interval_ms": f"{max(1, round(interval_s * 1000))}",
        "in_shell": in_json.replace('"', '\\"'),
        "in_python": repr(values),
        "in_javascript": in_json,
    }


def _plain(value: Value) -> Value:
    """As people write it: 21 and not 21.0."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
