"""Keeps tokens out of what people read: logs, error pages, and addresses that are shown again.

A token belongs into a header, a hello or a subprotocol, and nothing that sees those writes them
down. Here is what stands behind that: whoever puts a token where it does not belong, into an
address most of all, leaves its prefix and no secret.
"""

from __future__ import annotations

import logging
import re
from typing import Any, Final

from django.utils.safestring import SafeString, mark_safe
from django.views.debug import ExceptionReporter

from project.proxies import Application, Receive, Scope, Send

_TOKEN: Final = re.compile(r"(weir_(?:read_)?[A-Za-z0-9]{10})_[A-Za-z0-9_-]{43}")
_PASSWORD: Final = re.compile(r"(://[^:/?#@\s]*):[^/?#@\s]+@")  # in an address of a server
_TOKEN_BYTES: Final = re.compile(_TOKEN.pattern.encode())


def masked(text: str) -> str:
    """The text with the prefix of each token and none of its secret, and without passwords."""
    return _PASSWORD.sub(r"\1:…@", _TOKEN.sub(r"\1_…", text))


class Formatter(logging.Formatter):
    """A line of the log, its traceback too, without tokens."""

    def format(self, record: logging.LogRecord) -> str:
        return masked(super().format(record))


class Report(ExceptionReporter):
    """Django's account of an error, for `WEIR_DEBUG`, without tokens in its values."""

    def get_traceback_html(self) -> SafeString:
        return mark_safe(masked(super().get_traceback_html()))

    def get_traceback_text(self) -> SafeString:
        return mark_safe(masked(super().get_traceback_text()))


def without_tokens_in_addresses(application: Application) -> Application:
    """`application`, which never sees a token in an address, and so can show and log them."""

    async def unseeing(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in {"http", "websocket"}:
            scope = _without_tokens(scope)
        await application(scope, receive, send)

    return unseeing


def _without_tokens(scope: Scope) -> Scope:
    said: dict[str, Any] = {
        "query_string": _masked_bytes(scope.get("query_string", b"")),
        "path": masked(scope.get("path", "")),
        "headers": [
            # A browser sends the address of the page before.
            (name, _masked_bytes(value) if name == b"referer" else value)
            for name, value in scope.get("headers", [])
        ],
    }
    if scope.get("raw_path"):
        said["raw_path"] = _masked_bytes(scope["raw_path"])
    return {**scope, **said}


def _masked_bytes(text: bytes) -> bytes:
    return _TOKEN_BYTES.sub(rb"\1_...", text)
