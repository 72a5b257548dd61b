from django.apps import AppConfig


class DashboardsConfig(AppConfig):
    """The other end of the line: pages, their queries, and the live view of the fleet."""

    name = "dashboards"

    def ready(self) -> None:
        # Importing registers the checks; not before now, since they read the settings.
        from dashboards import checks  # noqa: F401
