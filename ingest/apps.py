from django.apps import AppConfig
from django.db.models.signals import pre_delete


class IngestConfig(AppConfig):
    """The line from a device's frame to the committed reading and its ack."""

    name = "ingest"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from devices.models import Device, Series
        from ingest import erasure

        pre_delete.connect(erasure.before_device_is_deleted, sender=Device)
        pre_delete.connect(erasure.before_series_is_deleted, sender=Series)
