"""One row a reading."""

from typing import ClassVar

from django.db import models


class SensorReading(models.Model):
    device = models.CharField(max_length=64, db_index=True)
    metric = models.CharField(max_length=128)
    value = models.FloatField()
    time = models.DateTimeField()

    class Meta:
        app_label: ClassVar = "usual"
