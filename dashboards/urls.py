"""The pages, and the API; `project.urls` includes this at the root."""

from __future__ import annotations

from django.contrib.auth import views as auth
from django.urls import path

from dashboards.api import root
from dashboards.pages import compare, device, fleet, system

urlpatterns = [
    path("", fleet.fleet, name="fleet"),
    path("devices/<str:uid>/", device.device, name="device"),
    path("devices/<str:uid>/history/", device.history, name="history"),
    path("devices/<str:uid>/refused/", device.refused, name="refused"),
    path("compare/", compare.compare, name="compare"),
    path("system/", system.system, name="system"),
    path("system/figures/", system.figures, name="figures"),
    path(
        "accounts/login/",
        auth.LoginView.as_view(redirect_authenticated_user=True),
        name="login",
    ),
    path("accounts/logout/", auth.LogoutView.as_view(), name="logout"),
    *root.urlpatterns,
]
