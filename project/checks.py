"""What Django's `check` says of Weir's settings, and why a hub must not listen where it was told.

What must hold of the database is in `database`; `check --database default` and `migrate` show it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connections

from project.address import is_loopback
from project.database import start_problems
from project.options import unknown_variables


def exposure_problems(host: str) -> list[str]:
    """Why a hub must not listen on `host`: one sentence each, none if it may."""
    problems = []
    if settings.DEBUG and not is_loopback(host):
        problems.append(
            "WEIR_DEBUG shows settings and source to whoever meets an error:"
            f" it is for 127.0.0.1, not for {host}."
        )
    if settings.OPTIONS.https and not settings.OPTIONS.trusted_proxies:
        problems.append(
            "WEIR_HTTPS needs the address of the proxy that ends TLS in WEIR_TRUSTED_PROXIES:"
            " pages would be redirected for ever."
        )
    return problems


@register()
def check_variables(**kwargs: Any) -> list[CheckMessage]:
    return [
        checks.Warning(f"{name} is set, but it is no setting of Weir.", id="weir.W001")
        for name in unknown_variables()
    ]


@register(Tags.database)
def check_databases(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    return [
        Error(problem, id="weir.E001")
        for alias in databases or []
        for problem in start_problems(connections[alias])
    ]
