"""Read tokens: what a program shows to read from the hub. Only a digest is kept.

Devices' own tokens, which send, are in `devices.models`; neither is ever taken for the other.
"""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone

from dashboards.readscope import NoScope, ReadScope


class ReadToken(models.Model):
    """Lets who shows it read the devices in its scope; see `dashboards.readtokens`."""

    label = models.CharField(max_length=100)
    prefix = models.CharField(max_length=16, unique=True, editable=False)
    digest = models.CharField(max_length=64, editable=False)
    scope = models.JSONField(default=list, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["created_at"]

    def __str__(self) -> str:
        return f"{self.label} (weir_read_{self.prefix}…)"

    def clean(self) -> None:
        try:
            ReadScope.of(self.scope)
        except NoScope as error:
            raise ValidationError({"scope": str(error)}) from None
