"""`/metrics`: all figures of this process in Prometheus' words.

Answered before Django, as probes are: Prometheus calls a hub by an address, which is none of the
names of its pages. Who is let in, `details` knows. Who shows no token, being this machine, must
call one of those: else a page elsewhere, under a name that becomes 127.0.0.1, could have the
browser of its reader ask.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from django.http import HttpRequest
from django.http.request import split_domain_port, validate_host
from django_prometheus.exports import ExportToDjangoView

from project.proxies import Application, Receive, Scope, Send

BAD_NAME: Final = b"WEIR_ALLOWED_HOSTS does not have this name.\n"


def exposition(names: Sequence[str], shows_token: Callable[[Scope], bool]) -> Application:
    """The application; `names` are those of the pages, as `WEIR_ALLOWED_HOSTS` has them."""

    async def expose(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in ("GET", "HEAD"):
            await _answer(send, 405, b"Ask by GET.\n")
        elif not shows_token(scope) and not _named(scope, names):
            await _answer(send, 400, BAD_NAME)
        else:
            # In a thread: to read them all takes milliseconds, which are the devices'.
            page = await asyncio.to_thread(ExportToDjangoView, HttpRequest())
            await _answer(send, 200, page.content, page["Content-Type"])

    return expose


def _named(scope: Scope, names: Sequence[str]) -> bool:
    said = dict(scope["headers"]).get(b"host", b"").decode("latin-1")
    return validate_host(split_domain_port(said)[0], list(names))


async def _answer(
    send: Send, status: int, body: bytes, kind: str = "text/plain; charset=utf-8"
) -> None:
    headers = [
        (b"content-type", kind.encode()),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
