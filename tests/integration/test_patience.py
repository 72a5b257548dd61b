"""How long a hub waits for a PostgreSQL that has vanished: all of its connections, not the writer's
alone. One that waits for ever lets nobody in when the database is back."""

from __future__ import annotations

import json

import pytest

from ingest.storage.postgres_connection import PATIENCE
from tests.hubs import manage

ASK = (
    "import json; from django.db import connection as c; c.ensure_connection();"
    "print('parameters', json.dumps(c.connection.info.get_parameters()))"
)


@pytest.mark.parametrize(
    ("said", "patience"),
    [("", PATIENCE), ("?tcp_user_timeout=7000", PATIENCE | {"tcp_user_timeout": 7_000})],
)
def test_every_connection_gives_up_a_server_that_vanished(
    postgres_url: str, said: str, patience: dict[str, int]
) -> None:
    shown = manage(postgres_url + said, "shell", "-c", ASK).stdout
    found = json.loads(shown.rpartition("parameters ")[2])
    assert {name: found.get(name) for name in patience} == {
        name: str(value) for name, value in patience.items()
    }
