"""Who may speak: devices, their tokens, and the series their readings belong to.

Knows nothing of connections, frames or storage; `ingest` asks here who a token belongs to.
"""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.utils import timezone

UID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}\Z"
METRIC_PATTERN = r"^[A-Za-z][A-Za-z0-9_.:/-]{0,127}\Z"


class Device(models.Model):
    """Something that sends readings, known by its `uid`, which may be a URN."""

    uid = models.CharField(
        max_length=64,
        unique=True,
        validators=[
            RegexValidator(
                UID_PATTERN,
                "A uid starts with a letter or digit; _ . : - may follow (64).",
            )
        ],
    )
    name = models.CharField(max_length=200, blank=True)
    enabled = models.BooleanField(
        default=True, help_text="Not enabled, it is refused, and closed if connected."
    )
    tags = models.JSONField(
        default=list, blank=True, help_text='A list of texts: ["roof", "north"]'
    )
    expected_interval_s = models.FloatField(
        null=True,
        blank=True,
        validators=[MinValueValidator(0.001)],
        help_text="Seconds between its frames; within three of them it is online.",
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    last_seen_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["uid"]
        permissions = [("try_device", "Can send readings as a device from its page")]

    def __str__(self) -> str:
        return self.name or self.uid


class Token(models.Model):
    """What a device shows to be let in. Only a digest is kept; see `devices.tokens`."""

    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="tokens")
    label = models.CharField(max_length=100, blank=True)
    prefix = models.CharField(max_length=16, unique=True, editable=False)
    digest = models.CharField(max_length=64, editable=False)
    not_before = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["device", "created_at"]

    def __str__(self) -> str:
        return f"{self.prefix}…"


class Kind(models.IntegerChoices):
    """What the values of a series are; set by its first reading."""

    NUMBER = 0
    BOOLEAN = 1
    TEXT = 2

    @property
    def word(self) -> str:
        """As it is said to programs."""
        return self.name.lower()


class Series(models.Model):
    """One metric of one device: what a reading belongs to.

    `unit`, `low` and `high` are for people: how it is written, and the band it should keep to.
    """

    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="series")
    metric = models.CharField(max_length=128, validators=[RegexValidator(METRIC_PATTERN)])
    kind = models.SmallIntegerField(choices=Kind.choices)
    unit = models.CharField(
        max_length=16,
        blank=True,
        default="",
        db_default="",  # the line adds series by plain SQL, and knows nothing of units
        help_text="As it is shown beside a value: °C, %, hPa.",
    )
    low = models.FloatField(
        null=True, blank=True, help_text="Below this value a chart shows it out of its band."
    )
    high = models.FloatField(
        null=True, blank=True, help_text="Above this value a chart shows it out of its band."
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["device", "metric"]
        verbose_name_plural = "series"
        constraints = [
            models.UniqueConstraint(fields=["device", "metric"], name="series_natural_key")
        ]

    def __str__(self) -> str:
        return f"{self.device.uid} {self.metric}"

    def clean(self) -> None:
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValidationError({"high": "The band ends below its beginning."})


_DAYS_MOST = 100_000  # not quite three centuries, and well within every calendar


def _days_field(what: str) -> models.PositiveIntegerField[int | None, int | None]:
    return models.PositiveIntegerField(
        f"{what} (days)",
        null=True,
        blank=True,
        validators=[MaxValueValidator(_DAYS_MOST)],
        help_text="Empty: as a wider rule has it. 0: for ever.",
    )


class Retention(models.Model):
    """For how many days what is stored is kept: of a device, of a metric, or of both.

    What holds where no rule says anything is the hub's setting. `ingest.retention` has the order.
    """

    device = models.ForeignKey(
        Device,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="retention",
        help_text="Empty: every device.",
    )
    metric = models.CharField(
        max_length=128,
        blank=True,
        validators=[RegexValidator(METRIC_PATTERN)],
        help_text="Empty: every metric of the device.",
    )
    readings_days = _days_field("readings")
    minutes_days = _days_field("rollups of a minute")
    hours_days = _days_field("rollups of an hour")

    class Meta:
        ordering = ["device", "metric"]
        verbose_name = "retention rule"
        constraints = [
            models.UniqueConstraint(fields=["device", "metric"], name="retention_of_device"),
            models.UniqueConstraint(
                fields=["metric"], condition=models.Q(device=None), name="retention_of_metric"
            ),
        ]

    def __str__(self) -> str:
        device = self.device.uid if self.device else "every device"
        return f"{device}, {self.metric or 'every metric'}"

    def clean(self) -> None:
        if self.device is None and not self.metric:
            raise ValidationError(
                "Name a device, a metric or both: what holds for all is the hub's setting."
            )
        if self.readings_days is self.minutes_days is self.hours_days is None:
            raise ValidationError("Say for how many days at least one of the three is kept.")
