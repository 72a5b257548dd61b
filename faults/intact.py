"""Whether a database is whole, by its own means: each page read, each index against its table."""

from __future__ import annotations

from tests.hubs import Store


def intact(store: Store) -> str:
    """What was checked, in a few words; an AssertionError where something is broken."""
    if store.is_sqlite:
        assert store.rows("PRAGMA integrity_check") == [("ok",)]
        assert store.rows("PRAGMA foreign_key_check") == []
        return "`integrity_check` ok"
    if not store.rows("SELECT 1 FROM pg_available_extensions WHERE name = 'amcheck'"):
        return "read as a whole"  # by what follows each fault: `reconcile` reads all of it
    store.rows("CREATE EXTENSION IF NOT EXISTS amcheck")
    broken = store.rows(
        "SELECT c.relname, found.blkno, found.msg FROM pg_class c"
        " CROSS JOIN LATERAL verify_heapam(c.oid) found"
        " WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace"
    )
    assert broken == []
    store.rows(  # it raises what it finds
        "SELECT bt_index_check(c.oid, true) FROM pg_class c JOIN pg_am a ON a.oid = c.relam"
        " WHERE c.relkind = 'i' AND a.amname = 'btree'"
        " AND c.relnamespace = 'public'::regnamespace"
    )
    return "`amcheck` ok"
