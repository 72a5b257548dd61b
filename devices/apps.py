from django.apps import AppConfig, apps
from django.db.models.signals import post_migrate


class DevicesConfig(AppConfig):
    """Who may speak: devices, their tokens, and the series they own."""

    name = "devices"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from devices.roles import make_groups

        # Said of one app after the other; by auth's turn the permissions of devices are there.
        post_migrate.connect(make_groups, sender=apps.get_app_config("auth"))
