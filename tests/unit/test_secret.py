"""A hub that was given no secret key keeps one of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from project.secret import kept_secret_key


def test_it_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    path = tmp_path / "var" / "secret_key"
    key = kept_secret_key(path)
    assert len(key) > 80
    assert kept_secret_key(path) == key
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["secret_key"]


def test_of_two_hubs_started_at_once_the_second_takes_the_key_of_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "secret_key"
    first = kept_secret_key(path)
    monkeypatch.setattr(Path, "exists", lambda self: False)
    assert kept_secret_key(path) == first


def test_a_key_that_is_too_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "secret_key"
    path.write_text("hunter2\n")
    with pytest.raises(ImproperlyConfigured, match="shorter than 50 characters"):
        kept_secret_key(path)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("a file")
    with pytest.raises(ImproperlyConfigured, match=r"WEIR_SECRET_KEY is not set.*/var/secret_key"):
        kept_secret_key(tmp_path / "var" / "secret_key")
