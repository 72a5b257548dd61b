from django.apps import AppConfig


class DashboardsConfig(AppConfig):
    """The other end of the line: pages, their queries, and the live view of the fleet."""

    name = "dashboards"
