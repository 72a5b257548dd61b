"""How long tokens let their device in: one issued in place of the others, one revoked, the state
of each. What a token is, and whose, is in `devices.tokens`.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from devices.models import Device, Token
from devices.tokens import issue


def rotate(
    device: Device, changeover: timedelta, now: datetime, *, label: str = ""
) -> tuple[Token, str]:
    """Issue a new token of `device`; the others let it in until the `changeover` is over.

    One that ends sooner by itself still does. The text is shown once and lost, as of `issue`.
    """
    until = now + changeover
    with transaction.atomic():
        lasting = Q(expires_at__isnull=True) | Q(expires_at__gt=until)
        device.tokens.filter(lasting, revoked_at=None).update(expires_at=until)
        return issue(device, label=label)


def revoke(token: Token, now: datetime) -> None:
    """Let nobody in by it any more; who is connected with it is shown out within seconds."""
    token.revoked_at = now
    token.save(update_fields=["revoked_at"])


def state_of(token: Token, now: datetime) -> str:
    """In a few words, whether a token lets its device in."""
    if token.revoked_at is not None:
        return "revoked"
    if token.expires_at is not None and token.expires_at <= now:
        return "expired"
    if token.not_before is not None and token.not_before > now:
        return "not yet valid"
    return "valid"
