"""What the database refuses is named to its device, and to nobody who reads the log."""

from __future__ import annotations

import psycopg
import pytest

from ingest.storage.postgres_errors import told
from ingest.storage.trouble import Poison


def test_what_postgresql_shows_of_a_refused_row_is_left_out(postgres_server_url: str) -> None:
    with psycopg.connect(postgres_server_url) as connection:
        connection.execute("CREATE TEMPORARY TABLE few (value int CHECK (value < 5))")
        with pytest.raises(psycopg.errors.CheckViolation) as raised:
            connection.execute("INSERT INTO few VALUES (7654321)")
    assert "7654321" in str(raised.value)
    assert isinstance(told(raised.value), Poison)
    assert "7654321" not in str(told(raised.value))
