"""The version is said in two places, and is the same."""

from __future__ import annotations

import tomllib

from django.conf import settings

from tests import ROOT


def test_a_hub_says_the_version_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == settings.VERSION
