"""Which path goes where; what Django does not answer (`/ingest/`, `/healthz`) is in `asgi.py`."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path
from django_prometheus.exports import ExportToDjangoView

handler400 = "dashboards.api.handlers.bad_request"
urlpatterns = [
    path("admin/", admin.site.urls),
    path("metrics", ExportToDjangoView, name="metrics"),
    path("", include("dashboards.urls")),
]
