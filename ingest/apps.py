from django.apps import AppConfig


class IngestConfig(AppConfig):
    """The line from a device's frame to the committed reading and its ack."""

    name = "ingest"
    default_auto_field = "django.db.models.BigAutoField"
