from django.apps import AppConfig


class ProjectConfig(AppConfig):
    """Wiring: settings, checks, the composition root and the commands that serve."""

    name = "project"
