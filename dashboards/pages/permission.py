"""Who may see a page, and who may do what it offers: a login first, then a permission.

Somebody without a login is led to one. Somebody whose login lacks the permission is told so, with
403: another login page would only lead back here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.auth.decorators import login_required, permission_required
from django.http import HttpRequest, HttpResponse

from devices.roles import LOOK

View = Callable[..., HttpResponse]
Decorator = Callable[[View], View]


def needs(permission: str) -> Decorator:
    """The view is for users with `permission`, one of `devices.roles`, who may look as well."""
    asked = (LOOK, permission)

    def guarded(view: View) -> View:
        permitted: View = permission_required(asked, raise_exception=True)(view)
        return login_required(permitted)

    return guarded


needs_look: Decorator = needs(LOOK)
"""For every page, and for all that a page asks for."""


def may(request: HttpRequest, **permissions: str) -> dict[str, Any]:
    """By the same names, which of the `permissions` the user has: what a template may offer."""
    return {name: request.user.has_perm(each) for name, each in permissions.items()}
