from django.apps import AppConfig


class ProjectConfig(AppConfig):
    """Wiring: settings, checks, the composition root and the commands that serve."""

    name = "project"

    def ready(self) -> None:
        from project import checks  # noqa: F401  registers them
