"""Retention rules in the admin: what can be said, and what is refused in a sentence."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from devices.models import Device, Retention

pytestmark = pytest.mark.django_db

EMPTY = {"device": "", "metric": "", "readings_days": "", "minutes_days": "", "hours_days": ""}


def said(client: Client, **fields: object) -> str:
    """The page after a rule was added with these fields; empty where it was taken."""
    url = reverse("admin:devices_retention_add")
    answer = client.post(url, EMPTY | {name: str(value) for name, value in fields.items()})
    return "" if answer.status_code == 302 else answer.content.decode()


def test_a_rule_is_for_a_device_a_metric_or_both(admin_client: Client) -> None:
    roof = Device.objects.create(uid="roof")
    assert not said(admin_client, device=roof.pk, readings_days=30)
    assert not said(admin_client, metric="t", readings_days=7, minutes_days=0)
    assert not said(admin_client, device=roof.pk, metric="t", hours_days=400)
    assert [str(rule) for rule in Retention.objects.order_by("pk")] == [
        "roof, every metric",
        "every device, t",
        "roof, t",
    ]
    assert (
        "roof, every metric"
        in admin_client.get(reverse("admin:devices_retention_changelist")).content.decode()
    )


def test_a_second_rule_of_the_same_is_refused(admin_client: Client) -> None:
    roof = Device.objects.create(uid="roof")
    for whose in ({"device": roof.pk}, {"metric": "t"}, {"device": roof.pk, "metric": "t"}):
        assert not said(admin_client, **whose, readings_days=1)
        assert said(admin_client, **whose, readings_days=2)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"readings_days": 1}, "Name a device, a metric or both"),
        ({"metric": "t"}, "Say for how many days at least one of the three is kept."),
        ({"metric": "t", "readings_days": -1}, "greater than or equal to 0"),
        ({"metric": "t", "readings_days": 100_001}, "less than or equal to 100000"),
        ({"metric": "wind speed", "readings_days": 1}, "Enter a valid value."),
    ],
)
def test_what_makes_no_sense_is_refused(
    admin_client: Client, fields: dict[str, object], sentence: str
) -> None:
    assert sentence in said(admin_client, **fields)


def test_a_device_has_its_rules_on_its_page_and_takes_them_along(admin_client: Client) -> None:
    roof = Device.objects.create(uid="roof")
    Retention.objects.create(device=roof, metric="humidity", readings_days=30)
    page = admin_client.get(reverse("admin:devices_device_change", args=[roof.pk]))
    assert 'value="humidity"' in page.content.decode()
    roof.delete()
    assert not Retention.objects.exists()
