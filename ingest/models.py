"""What the line stores, as the ORM sees it. The writer itself writes through `ingest.storage`.

Readings are one relation on either engine: a partitioned table in PostgreSQL; in SQLite a view
that joins `ingest_recent` (keyed by time, takes what is on time) and `ingest_sealed` (keyed by
series, takes what sealing moves there). `migrations/0002_readings.py` holds their SQL.
"""

from __future__ import annotations

from datetime import UTC, datetime

from django.db import models
from django.utils import timezone

from devices.models import Device, Series
from ingest.fields import InstantField


class Reading(models.Model):
    """A number, or a boolean as 1 or 0, of one series at one time."""

    pk = models.CompositePrimaryKey("series_id", "time")
    series = models.ForeignKey(
        Series, on_delete=models.DO_NOTHING, db_constraint=False, related_name="readings"
    )
    time = InstantField()
    value = models.FloatField()

    class Meta:
        managed = False
        db_table = "ingest_reading"


class TextReading(models.Model):
    """A text of one series at one time."""

    pk = models.CompositePrimaryKey("series_id", "time")
    series = models.ForeignKey(
        Series, on_delete=models.DO_NOTHING, db_constraint=False, related_name="text_readings"
    )
    time = InstantField()
    value = models.TextField()

    class Meta:
        managed = False
        db_table = "ingest_textreading"


class Rollup(models.Model):
    """What the readings of one series in one minute or one hour come to, up to the watermark."""

    MINUTE_S = 60
    HOUR_S = 3600

    pk = models.CompositePrimaryKey("series_id", "step_s", "start")
    series = models.ForeignKey(
        Series, on_delete=models.DO_NOTHING, db_constraint=False, related_name="rollups"
    )
    step_s = models.IntegerField()
    start = InstantField()
    count = models.BigIntegerField()
    sum = models.FloatField()
    min = models.FloatField()
    max = models.FloatField()
    first = models.FloatField()
    first_time = InstantField()
    last = models.FloatField()
    last_time = InstantField()

    class Meta:
        managed = False
        db_table = "ingest_rollup"


class Stream(models.Model):
    """How far a device's numbered frames are committed, and what became of their readings.

    `epoch` is random and drawn anew by each `hello`; a batch moves `committed` only while it still
    holds the epoch it was given, so a connection that was taken over can store nothing.
    """

    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="streams")
    name = models.CharField(max_length=64)
    epoch = models.BigIntegerField()
    committed = models.BigIntegerField(default=0)
    lost = models.BigIntegerField(default=0)
    stored = models.BigIntegerField(default=0)
    duplicate = models.BigIntegerField(default=0)
    rejected = models.BigIntegerField(default=0)
    used_at = InstantField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["device", "name"], name="stream_natural_key")
        ]

    def __str__(self) -> str:
        return f"{self.device.uid} {self.name}"


class RefusedReading(models.Model):
    """A reading that was refused by name, kept for people to see; the oldest make room."""

    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="refused")
    received_at = models.DateTimeField(default=timezone.now)
    seq = models.BigIntegerField(null=True)
    sample = models.IntegerField(null=True)
    metric = models.CharField(max_length=128, blank=True)
    count = models.IntegerField(default=1, help_text="How many readings of the sample this is.")
    code = models.CharField(max_length=32)
    message = models.CharField(max_length=300)
    value = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.metric or 'frame'}: {self.code}"


class Horizon(models.Model):
    """From when on the readings of a series, or its rollups of one step, are kept.

    Nothing before `kept_from`, which is a full hour, is stored any more: a reading with such a time
    is refused. Of what was stored, all before `swept_to` is deleted.
    """

    READINGS = 0

    pk = models.CompositePrimaryKey("series_id", "step_s")
    series = models.ForeignKey(
        Series,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="horizons",
    )
    step_s = models.IntegerField(help_text="0 for readings, else that of the rollups.")
    kept_from = InstantField()
    swept_to = InstantField()


class LineState(models.Model):
    """The one row that says how far sealing has come.

    Readings of series `s` are in their rollups exactly where
    `time < (sealing_to if s <= sealing_series else sealing_from)`. `catalogue` counts the changes
    that make a writer's memory of series wrong: a device deleted, a series reset. No series has a
    horizon for its readings later than `horizon`.
    """

    sealing_from = InstantField()
    sealing_to = InstantField()
    sealing_series = models.BigIntegerField(default=0)
    catalogue = models.BigIntegerField(default=0)
    horizon = InstantField(default=datetime.min.replace(tzinfo=UTC))

    class Meta:
        db_table = "ingest_linestate"
