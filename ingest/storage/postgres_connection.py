"""What a writer's connection to PostgreSQL is set to, and whether it keeps the hub's promise."""

from __future__ import annotations

from typing import Final

# A server that vanished answers nothing, and Linux would wait two hours for it, or a quarter of one
# for what was sent. One that is only slow does answer to these: its kernel does. All in seconds,
# but the last, which is in milliseconds. For every connection of a hub.
PATIENCE: Final = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
CONNECTION: Final = PATIENCE | {"application_name": "weir writer"}

# By a reload of its configuration the server may give them up in mid-connection: each batch looks.
DURABILITY: Final = "current_setting('fsync'), current_setting('synchronous_commit')"
SESSION: Final = (
    "SET TIME ZONE 'UTC'",
    # What a hub that froze in mid-batch holds is free after this; its batch is then sent again.
    "SET idle_in_transaction_session_timeout = '10s'",
    "SET lock_timeout = '5s'",
    # Begun on an estimate that grows with the tables, and slower than what it compiles.
    "SET jit = off",
    # A plan for any time names each partition, and locks them all before it looks into one; made
    # while a week was empty, it would read that week from end to end.
    "SET plan_cache_mode = force_custom_plan",
    "CREATE TEMP TABLE incoming (pos integer NOT NULL, series_id bigint NOT NULL,"
    " time timestamptz NOT NULL, value double precision NOT NULL) ON COMMIT DELETE ROWS",
    "CREATE TEMP TABLE incoming_text (pos integer NOT NULL, series_id bigint NOT NULL,"
    " time timestamptz NOT NULL, value text NOT NULL) ON COMMIT DELETE ROWS",
    "CREATE TEMP TABLE moving (series_id bigint NOT NULL, time timestamptz NOT NULL,"
    " value double precision NOT NULL) ON COMMIT DELETE ROWS",
    "CREATE TEMP TABLE folded (series_id bigint, start timestamptz, count bigint,"
    " sum double precision, min double precision, max double precision, first double precision,"
    " first_time timestamptz, last double precision, last_time timestamptz) ON COMMIT DELETE ROWS",
)


def weakness(fsync: str, synchronous_commit: str) -> str | None:
    """Why a power cut might lose what is committed, by these two settings of the connection."""
    if fsync != "on":
        return "PostgreSQL runs with fsync = off: a power cut would lose acked readings"
    # Each of its other values waits for the local disk.
    if synchronous_commit == "off":
        return "PostgreSQL runs with synchronous_commit = off: a crash would lose acked readings"
    return None
