"""The two groups that a migrated database has, and that an admin's changes of them stay."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, User

from devices import roles

pytestmark = pytest.mark.django_db

OPERATE = (roles.ROTATE, roles.REVOKE, roles.TRY, roles.RESET, roles.DELETE)


def member_of(name: str) -> User:
    user = User.objects.create_user("ada")
    user.groups.add(Group.objects.get(name=name))
    return user


def test_a_viewer_looks_and_no_more() -> None:
    viewer = member_of(roles.VIEWERS)
    assert viewer.has_perm(roles.LOOK)
    assert not any(viewer.has_perm(each) for each in OPERATE)


def test_an_operator_does_all_that_pages_offer() -> None:
    assert member_of(roles.OPERATORS).has_perms((roles.LOOK, *OPERATE))


def test_a_group_that_was_changed_stays_as_it_is() -> None:
    Group.objects.get(name=roles.OPERATORS).permissions.clear()
    roles.make_groups()
    assert not member_of(roles.OPERATORS).has_perm(roles.DELETE)
