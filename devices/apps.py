from django.apps import AppConfig


class DevicesConfig(AppConfig):
    """Who may speak: devices, their tokens, and the series they own."""

    name = "devices"
    default_auto_field = "django.db.models.BigAutoField"
