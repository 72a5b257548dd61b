"""The admin login that a first start makes, for a hub that only its own machine can reach."""

from __future__ import annotations

import secrets

from django.contrib.auth.models import User

NAME = "admin"
# Tells the login made here from an operator's own of the same name, which is left alone.
_MARK = "Demo login"


def enable_login() -> str | None:
    """Create the login, or let it in again; its password if it was made now."""
    if not User.objects.filter(username=NAME).exists():
        password = secrets.token_urlsafe(12)
        User.objects.create_superuser(NAME, password=password, first_name=_MARK)
        return password
    User.objects.filter(username=NAME, first_name=_MARK).update(is_active=True)
    return None


def disable_login() -> None:
    """Let the login in no more, nor any browser that is logged in with it."""
    User.objects.filter(username=NAME, first_name=_MARK).update(is_active=False)
