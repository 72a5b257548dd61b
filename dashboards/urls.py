"""The pages, and the API; `project.urls` includes this at the root."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth import views as auth
from django.urls import path

from dashboards.api import root
from dashboards.export.views import Exports
from dashboards.pages import (
    compare,
    credentials,
    device,
    fleet,
    removal,
    series,
    system,
    trial,
)

urlpatterns = [
    path("", fleet.fleet, name="fleet"),
    path("devices/<str:uid>/", device.device, name="device"),
    path("devices/<str:uid>/refused/", device.refused, name="refused"),
    path("devices/<str:uid>/tokens/rotate/", credentials.rotate_token, name="rotate_token"),
    path(
        "devices/<str:uid>/tokens/<int:token_id>/revoke/",
        credentials.revoke_token,
        name="revoke_token",
    ),
    path("devices/<str:uid>/try/begin/", trial.begin_trial, name="begin_trial"),
    path("devices/<str:uid>/try/end/", trial.end_trial, name="end_trial"),
    path("devices/<str:uid>/series/<int:series_id>/", series.series, name="series"),
    path(
        "devices/<str:uid>/series/<int:series_id>/reset/", series.reset_series, name="reset_series"
    ),
    path("devices/<str:uid>/delete/", removal.delete_device, name="delete_device"),
    path("compare/", compare.compare, name="compare"),
    path("compare/candidates/", compare.candidates, name="candidates"),
    path("system/", system.system, name="system"),
    path("system/figures/", system.figures, name="figures"),
    path(
        "accounts/login/",
        auth.LoginView.as_view(redirect_authenticated_user=True),
        name="login",
    ),
    path("accounts/logout/", auth.LogoutView.as_view(), name="logout"),
    *Exports(settings.OPTIONS.exports).urlpatterns,
    *root.urlpatterns,
]
