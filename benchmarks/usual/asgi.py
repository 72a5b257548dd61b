"""The usual project's ASGI application, for `daphne benchmarks.usual.asgi:application`."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.usual.settings")

from django.core.asgi import get_asgi_application

django_application = get_asgi_application()

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.urls import path  # noqa: E402

from benchmarks.usual.consumers import DashboardConsumer, SensorConsumer  # noqa: E402

application = ProtocolTypeRouter(
    {
        "http": django_application,
        "websocket": URLRouter(
            [
                path("ws/ingest/", SensorConsumer.as_asgi()),
                path("ws/live/", DashboardConsumer.as_asgi()),
            ]
        ),
    }
)
