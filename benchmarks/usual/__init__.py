"""The usual consumer, as the tutorials have it: a Channels project of its own, to compare with.

`json.loads`, one ORM save a reading through `database_sync_to_async`, a `group_send` a message, an
ack a frame after its saves. It checks no token, knows no duplicates and rolls nothing up. On
SQLite it is given WAL and an fsync each commit, as the hub has: faster than Django's defaults.
"""
