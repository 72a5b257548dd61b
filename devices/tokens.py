"""Makes tokens and tells whose a shown token is. The plain text is never stored.

A token is `weir_` + 10 characters of prefix + `_` + 43 of secret. The prefix finds the row, the
SHA-256 digest of the whole proves it: a 256-bit random secret needs no slow hash. Read tokens,
which send nothing, begin with `weir_read_`; they are in `dashboards`, and made of the same parts.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from devices.models import Device, Token

READ = "weir_read_"
_FORM = re.compile(r"weir_([A-Za-z0-9]{10})_[A-Za-z0-9_-]{43}")
_PREFIX_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
# Looked for and compared with where there is nothing to, so that any wrong token costs the same.
NO_PREFIX = ""
NO_DIGEST = hashlib.sha256(b"").hexdigest()


class TokenRefused(Exception):
    """A token that lets nobody in. `code` is the protocol's, `closes` its WebSocket close code."""

    def __init__(self, code: str, closes: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.closes = closes
        self.message = message


@dataclass(frozen=True, slots=True)
class Bearer:
    """Whom a token lets in."""

    device_id: int
    token_id: int
    uid: str
    name: str
    expected_interval_s: float | None


def issue(
    device: Device,
    *,
    label: str = "",
    not_before: datetime | None = None,
    expires_at: datetime | None = None,
) -> tuple[Token, str]:
    """Store a new token of `device`; the text returned beside it is shown once and lost."""
    token, text = draw(device, label=label)
    token.not_before = not_before
    token.expires_at = expires_at
    token.save()
    return token, text


def draw(device: Device, *, label: str = "") -> tuple[Token, str]:
    """A new token of `device`, not yet stored, with its text: for who stores many at once."""
    prefix = drawn_prefix()
    text = f"weir_{prefix}_{drawn_secret()}"
    return Token(device=device, label=label, prefix=prefix, digest=digest(text)), text


def drawn_prefix() -> str:
    """What finds a token, and may be shown."""
    return "".join(secrets.choice(_PREFIX_ALPHABET) for _ in range(10))


def drawn_secret() -> str:
    """What proves a token: 256 random bits."""
    return secrets.token_urlsafe(32)


def is_of_device(text: str) -> bool:
    """Whether `text` looks like a device's token, known or not."""
    return _FORM.fullmatch(text) is not None


def bearer(text: str, now: datetime) -> Bearer:
    """Whom `text` lets in at `now`. Raises TokenRefused, saying why.

    One query and one digest, whatever is wrong with it.
    """
    form = _FORM.fullmatch(text)
    prefix = form.group(1) if form else NO_PREFIX
    token = Token.objects.select_related("device").filter(prefix=prefix).first()
    proven = hmac.compare_digest(digest(text), token.digest if token else NO_DIGEST)
    if token is None or not proven:
        raise unknown(text)
    if (refusal := _refusal(token, now)) is not None:
        raise refusal
    device = token.device
    return Bearer(device.id, token.id, device.uid, device.name, device.expected_interval_s)


def digest(text: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def refused(token_ids: Collection[int], now: datetime) -> dict[int, TokenRefused]:
    """Which of these tokens let nobody in any longer, and why; for those who are connected."""
    holding = Token.objects.filter(
        Q(not_before__isnull=True) | Q(not_before__lte=now),
        Q(expires_at__isnull=True) | Q(expires_at__gt=now),
        id__in=token_ids,
        revoked_at__isnull=True,
        device__enabled=True,
    )
    fallen = set(token_ids) - set(holding.values_list("id", flat=True))
    if not fallen:
        return {}
    known = Token.objects.select_related("device").in_bulk(list(fallen))
    return {
        token_id: (_refusal(known[token_id], now) if token_id in known else None) or unknown()
        for token_id in fallen
    }


def unknown(text: str = "") -> TokenRefused:
    """The refusal of a token that no device has, or has any longer."""
    message = "this token is not known to the hub"
    if text.startswith(READ):
        message = "this is a read token, which sends nothing: a device shows its own token"
    return TokenRefused("token_invalid", 4401, message)


def _refusal(token: Token, now: datetime) -> TokenRefused | None:
    if token.revoked_at is not None:
        return TokenRefused("token_revoked", 4403, "this token has been revoked")
    if token.not_before is not None and now < token.not_before:
        return TokenRefused("token_not_yet", 4401, "this token is not valid yet")
    if token.expires_at is not None and now >= token.expires_at:
        return TokenRefused("token_expired", 4401, "this token has expired")
    if not token.device.enabled:
        return TokenRefused("device_disabled", 4403, "this device is disabled")
    return None
