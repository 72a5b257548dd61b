from django.apps import AppConfig


class DashboardsConfig(AppConfig):
    """The other end of the line: pages, the API, their queries, and the live view of the fleet."""

    name = "dashboards"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # Importing registers the checks; not before now, since they read the settings.
        from dashboards import checks  # noqa: F401
