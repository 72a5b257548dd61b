"""Which path goes where; what Django does not answer (`/ingest/`, `/metrics`) is in `asgi.py`."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

handler400 = "dashboards.api.handlers.bad_request"
urlpatterns = [
    path("admin/", admin.site.urls),
    path("", include("dashboards.urls")),
]
