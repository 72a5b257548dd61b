"""What a trace of system calls is taken for."""

from __future__ import annotations

from faults.synced import Synced

WRITE = '41 pwrite64(9</srv/weir.sqlite3-wal>, "…", 4120, 32) = 4120'
SYNC = "41 fdatasync(9</srv/weir.sqlite3-wal>) = 0"
ACK = (
    r'40 sendto(17<TCP:[127.0.0.1:8000->127.0.0.1:9]>, "\201k{\"type\":\"ack\",\"seq\":1}", 9) = 9'
)


def of(*lines: str) -> tuple[int, int]:
    synced = Synced("-wal")
    synced.read(lines)
    return synced.sound, len(synced.unsound)


def test_a_write_a_sync_and_then_the_ack_is_sound() -> None:
    assert of(WRITE, WRITE, SYNC, ACK, WRITE, SYNC, ACK) == (2, 0)


def test_an_ack_without_a_sync_or_without_a_write_is_not() -> None:
    assert of(WRITE, ACK) == (0, 1)
    assert of(SYNC, ACK) == (0, 1)
    assert of(WRITE, SYNC, ACK, ACK) == (1, 1)


def test_a_write_after_the_sync_is_not_covered_by_it() -> None:
    assert of(WRITE, SYNC, WRITE, ACK) == (0, 1)


def test_a_sync_counts_when_it_has_ended_well() -> None:
    begun = "41 fdatasync(9</srv/weir.sqlite3-wal> <unfinished ...>"
    assert of(WRITE, begun, ACK, "41 <... fdatasync resumed>) = 0") == (0, 1)
    assert of(WRITE, begun, "41 <... fdatasync resumed>) = 0", ACK) == (1, 0)
    assert of(WRITE, begun, "42 <... fdatasync resumed>) = 0", ACK) == (0, 1)
    failed = "41 <... fdatasync resumed>) = -1 EIO (Input/output error)"
    assert of(WRITE, begun, failed, ACK) == (0, 1)


def test_other_files_do_not_count() -> None:
    other = "41 fdatasync(8</srv/weir.sqlite3>) = 0"
    assert of(WRITE, other, ACK) == (0, 1)
