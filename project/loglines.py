"""What a line of the log looks like, and which connection it is about.

Around the whole application, so that whatever is logged while a connection is served can name it;
`welcome` tells the same name to its device as `session`. No token gets into a line: `masking`.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Final

from project.masking import masked
from project.proxies import Application, Receive, Scope, Send

# What a caller may say besides, by `extra`: words of ours or of the database, none of a frame.
FIELDS: Final = ("device", "address", "close", "code")

_connection: ContextVar[str] = ContextVar("weir_connection", default="")


def correlated(application: Application) -> Application:
    """`application`, each connection of which has a random name, in its scope and in the log."""

    async def named(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in {"http", "websocket"}:
            name = secrets.token_hex(8)
            _connection.set(name)  # in this connection's own task, and in what it starts
            scope = {**scope, "connection": name}
        await application(scope, receive, send)

    return named


class Json(logging.Formatter):
    """One JSON object a line, for programs that gather logs."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, Any] = {
            "time": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "pid": os.getpid(),
            "message": record.getMessage(),
        }
        if connection := _connection.get():
            line["connection"] = connection
        line |= {name: getattr(record, name) for name in FIELDS if hasattr(record, name)}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        # Each text by itself: what masks a password knows nothing of quotes.
        return json.dumps({name: _masked(said) for name, said in line.items()}, ensure_ascii=False)


def _masked(said: object) -> object:
    return masked(said) if isinstance(said, str) else said
