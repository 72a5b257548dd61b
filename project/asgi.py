"""The ASGI application: a device's two doors, the dashboards' socket, and Django for the rest."""

from __future__ import annotations

import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

from django.core.asgi import get_asgi_application  # noqa: E402

django_application = get_asgi_application()

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.conf import settings  # noqa: E402
from django.urls import path, re_path  # noqa: E402

from dashboards.routing import live_application, pages_with_board  # noqa: E402
from ingest.consumers import DeviceConsumer, FrameEndpoint  # noqa: E402
from project.hub import Hub, starting  # noqa: E402


async def no_such_socket(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """An unknown WebSocket path: refused before it opens, with no traceback."""
    await receive()
    await send({"type": "websocket.close"})


hub = Hub(settings.OPTIONS)

application = starting(
    ProtocolTypeRouter(
        {
            "websocket": URLRouter(
                [
                    path("ws/ingest/", DeviceConsumer.as_asgi(line=hub.line)),
                    path("ws/live/", live_application(hub.board)),
                    re_path("", no_such_socket),
                ]
            ),
            "http": URLRouter(
                [
                    path("ingest/", FrameEndpoint.as_asgi(line=hub.line)),
                    re_path("", pages_with_board(django_application, hub.board)),
                ]
            ),
        }
    ),
    hub,
)
