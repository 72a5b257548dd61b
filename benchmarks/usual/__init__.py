"""The usual consumer, as the tutorials have it: a Channels project of its own, to compare with.

`json.loads`, one ORM save a reading through `database_sync_to_async`, a `group_send` a message, an
ack a frame after its saves. It checks no token, knows no duplicates and rolls nothing up. It is
given what tutorials leave out and speeds it up: connections that stay open, and WAL on SQLite.
"""
