"""Which path goes where; the device's own doors (`/ws/ingest/`, `POST /ingest/`) are in `asgi.py`."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", include("dashboards.urls")),
]
