"""The secret key of a hub that was given none: made once, kept in a file beside its database.

Hubs on several machines that serve the same logins share one key through `WEIR_SECRET_KEY`.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

# Django warns below 50 characters; 64 random bytes are 86 of them.
_KEY_BYTES = 64
_SHORTEST = 50


def kept_secret_key(path: Path) -> str:
    """The key kept at `path`, made if missing. Raises ImproperlyConfigured, saying why not."""
    try:
        if not path.exists():
            _make(path)
        key = path.read_text().strip()
    except OSError as error:
        raise ImproperlyConfigured(
            f"WEIR_SECRET_KEY is not set, and no key can be kept in {path}: {error.strerror}."
        ) from error
    if len(key) < _SHORTEST:
        raise ImproperlyConfigured(
            f"The secret key in {path} is shorter than {_SHORTEST} characters;"
            " remove the file, and a new one is made."
        )
    return key


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_urlsafe(_KEY_BYTES) + "\n")
    try:
        # A link appears whole and never replaces: of two hubs started at once, both get one key.
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
