"""Makes read tokens and tells whose a shown one is. The plain text is never stored.

A read token is `weir_read_` + 10 characters of prefix + `_` + 43 of secret, and is found and proven
as a device's is (`devices.tokens`).
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Collection
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

from django.db import DatabaseError
from django.db.models import Q

from dashboards.models import ReadToken
from devices import tokens

_FORM: Final = re.compile(rf"{tokens.READ}([A-Za-z0-9]{{10}})_[A-Za-z0-9_-]{{43}}")
# More often would be a write for each request, on the disk that devices' readings wait for.
USED_WRITTEN_EVERY: Final = timedelta(minutes=1)


class ReadTokenRefused(Exception):
    """A token that lets nobody read; `known` where the hub had it once. The text says why."""

    def __init__(self, message: str, *, known: bool) -> None:
        super().__init__(message)
        self.known = known


def issue(
    label: str, scope: Collection[str] = (), expires_at: datetime | None = None
) -> tuple[ReadToken, str]:
    """Store a new read token; the text returned beside it is shown once and lost."""
    token = ReadToken(label=label, scope=list(scope), expires_at=expires_at)
    text = draw(token)
    token.save()
    return token, text


def draw(token: ReadToken) -> str:
    """Give `token`, not yet stored, what it is known by; its text."""
    token.prefix = tokens.drawn_prefix()
    text = f"{tokens.READ}{token.prefix}_{tokens.drawn_secret()}"
    token.digest = tokens.digest(text)
    return text


def find(text: str, now: datetime) -> ReadToken:
    """The read token that `text` is, which holds at `now`. Raises ReadTokenRefused, saying why.

    One query and one digest, whatever is wrong with it.
    """
    form = _FORM.fullmatch(text)
    prefix = form.group(1) if form else tokens.NO_PREFIX
    token = ReadToken.objects.filter(prefix=prefix).first()
    proven = hmac.compare_digest(tokens.digest(text), token.digest if token else tokens.NO_DIGEST)
    if token is None or not proven:
        raise unknown(text)
    if token.revoked_at is not None:
        raise ReadTokenRefused("This read token has been revoked.", known=True)
    if token.expires_at is not None and now >= token.expires_at:
        raise ReadTokenRefused("This read token has expired.", known=True)
    return token


def unknown(text: str) -> ReadTokenRefused:
    """The refusal of a token that is none, or is none any longer."""
    if tokens.is_of_device(text):
        message = (
            f"This is a device's token, which sends readings: to read, show a {tokens.READ}… token."
        )
    else:
        message = "This read token is not known to the hub."
    return ReadTokenRefused(message, known=False)


def note_use(token: ReadToken, now: datetime) -> None:
    """Write down that `token` was used, at most once a minute."""
    before = now - USED_WRITTEN_EVERY
    if token.last_used_at is not None and token.last_used_at > before:
        return
    unwritten = Q(last_used_at=None) | Q(last_used_at__lte=before)
    with suppress(DatabaseError):  # a full disk can be read all the same
        ReadToken.objects.filter(unwritten, pk=token.pk).update(last_used_at=now)
