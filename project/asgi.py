"""The ASGI application: a device's two doors, the dashboards' socket, and Django for the rest."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any, cast

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

from django.core.asgi import get_asgi_application

django_application = get_asgi_application()

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.conf import settings  # noqa: E402
from django.urls import path, re_path  # noqa: E402

from dashboards.live.routing import live_application, pages_with_board  # noqa: E402
from dashboards.readgate import ReadGate, pages_with_read_gate  # noqa: E402
from ingest.consumers import DeviceConsumer  # noqa: E402
from ingest.endpoint import FrameEndpoint  # noqa: E402
from project.database import take_database  # noqa: E402
from project.details import Details  # noqa: E402
from project.exposition import exposition  # noqa: E402
from project.guesses import Guesses  # noqa: E402
from project.health import Probe, database_answers, healthz, readyz  # noqa: E402
from project.hub import Hub, starting  # noqa: E402
from project.lifespan import living  # noqa: E402
from project.loglines import correlated  # noqa: E402
from project.masking import without_tokens_in_addresses  # noqa: E402
from project.proxies import behind  # noqa: E402
from project.sockets import bounded  # noqa: E402

# Django reads it at its first request; but the figures of pages are to be there from the start.
import_module(settings.ROOT_URLCONF)


async def no_such_socket(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """An unknown WebSocket path: refused before it opens, with no traceback."""
    await receive()
    await send({"type": "websocket.close"})


def at(pattern: str, answers: Any) -> Any:
    """A route; an empty pattern takes what is left. Django's types know of its own views only."""
    return re_path("", answers) if not pattern else path(pattern, answers)


hub = Hub(settings.OPTIONS)

details = Details(settings.OPTIONS.metrics_token)
pages: Any = pages_with_board(cast(Any, django_application), hub.board)
pages = pages_with_read_gate(pages, ReadGate(settings.OPTIONS.failed_tokens_per_min))
if settings.DEBUG:  # whatever server runs this: error pages show settings and source
    pages = details.guard(pages)
pages = Guesses(settings.OPTIONS.failed_logins_per_min).guard(pages)

routes = ProtocolTypeRouter(
    {
        "websocket": URLRouter(
            [
                at("ws/ingest/", DeviceConsumer.as_asgi(line=hub.line)),
                at("ws/live/", live_application(hub.board, hub.logins)),
                at("", no_such_socket),
            ]
        ),
        "http": URLRouter(
            [
                at("ingest/", FrameEndpoint.as_asgi(line=hub.line)),
                at("healthz", healthz),
                at(
                    "readyz",
                    readyz(hub.line.writer, Probe(database_answers), details.may_be_seen),
                ),
                at(
                    "metrics",
                    details.guard(exposition(settings.ALLOWED_HOSTS, details.shows_token)),
                ),
                at("", pages),
            ]
        ),
    }
)

places = bounded(routes, settings.OPTIONS.sockets, hub.line.retry_after_ms)
guarded = behind(
    without_tokens_in_addresses(starting(places, hub)), settings.OPTIONS.trusted_proxies
)
application = living(correlated(guarded), hub, settings.OPTIONS.stop_timeout_s, take_database)
