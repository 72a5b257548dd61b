"""Who may do what on the pages: two groups, made once, whose permissions an admin may change.

Viewers look. Operators also rotate tokens, try devices, name units and bands, reset and delete.
"""

from __future__ import annotations

from typing import Any, Final

from django.db import DEFAULT_DB_ALIAS

LOOK: Final = "devices.view_device"
TOKENS: Final = "devices.view_token"
BANDS: Final = "devices.change_series"
ROTATE: Final = "devices.add_token"
REVOKE: Final = "devices.change_token"
TRY: Final = "devices.try_device"
RESET: Final = "devices.delete_series"
DELETE: Final = "devices.delete_device"

VIEWERS: Final = "Viewers"
OPERATORS: Final = "Operators"
_VIEWERS_MAY: Final = (LOOK, "devices.view_series")
_OPERATORS_MAY: Final = (
    *_VIEWERS_MAY,
    TOKENS,
    BANDS,
    ROTATE,
    REVOKE,
    TRY,
    RESET,
    DELETE,
)


def make_groups(using: str = DEFAULT_DB_ALIAS, **kwargs: Any) -> None:
    """Add the groups that are missing; those that are there stay as they are.

    Called after each `migrate`, when Django has made the permissions.
    """
    from django.contrib.auth.models import Group, Permission  # noqa: PLC0415  # apps are loaded now

    for name, allowed in ((VIEWERS, _VIEWERS_MAY), (OPERATORS, _OPERATORS_MAY)):
        group, is_new = Group.objects.using(using).get_or_create(name=name)
        if is_new:
            codenames = [each.partition(".")[2] for each in allowed]
            group.permissions.set(
                Permission.objects.using(using).filter(
                    content_type__app_label="devices", codename__in=codenames
                )
            )
