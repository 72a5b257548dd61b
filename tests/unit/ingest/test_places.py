"""Who may come in beside whom, and who makes room."""

from __future__ import annotations

from ingest.places import Places

ROOF, CELLAR = 1, 2


class Connection:
    replaced = 0

    def replace(self) -> None:
        self.replaced += 1


def test_a_device_has_so_many_plain_connections_and_each_that_ends_makes_room() -> None:
    places = Places(plain_most=2)
    assert [places.enter_plain(ROOF) for _ in range(3)] == [True, True, False]
    assert places.enter_plain(CELLAR)
    places.leave_plain(ROOF)
    assert [places.enter_plain(ROOF) for _ in range(2)] == [True, False]


def test_so_many_wait_to_show_a_token_and_each_that_does_makes_room() -> None:
    places = Places(waiting_most=1)
    assert [places.enter_waiting() for _ in range(2)] == [True, False]
    assert places.waiting == 1
    places.leave_waiting()
    assert places.waiting == 0
    assert places.enter_waiting()


def test_the_newest_connection_of_a_stream_replaces_the_one_before_it_and_no_other() -> None:
    places = Places()
    first, second, other, another = (Connection() for _ in range(4))
    places.enter_stream(ROOF, "s", first)
    places.enter_stream(ROOF, "t", other)
    places.enter_stream(CELLAR, "s", another)
    places.enter_stream(ROOF, "s", second)
    assert [c.replaced for c in (first, second, other, another)] == [1, 0, 0, 0]


def test_a_connection_that_was_replaced_does_not_take_the_newer_one_along_when_it_leaves() -> None:
    places = Places()
    first, second, third = (Connection() for _ in range(3))
    places.enter_stream(ROOF, "s", first)
    places.enter_stream(ROOF, "s", second)
    places.leave_stream(ROOF, "s", first)
    places.enter_stream(ROOF, "s", third)
    assert (second.replaced, third.replaced) == (1, 0)


def test_a_connection_that_opens_its_stream_again_is_not_replaced_by_itself() -> None:
    places, same = Places(), Connection()
    places.enter_stream(ROOF, "s", same)
    places.enter_stream(ROOF, "s", same)
    assert same.replaced == 0


def test_nobody_is_remembered_who_has_left() -> None:
    places = Places()
    for device in range(100):
        connection = Connection()
        places.enter_plain(device)
        places.enter_stream(device, "s", connection)
        places.leave_plain(device)
        places.leave_stream(device, "s", connection)
    assert (places._plain, places._streams) == ({}, {})
