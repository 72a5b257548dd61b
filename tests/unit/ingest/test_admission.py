"""Who waits for room: first come, first let in, and no more are woken than there is room for."""

from __future__ import annotations

from ingest.admission import Admission


class Waiter:
    """Lets itself in while there is room; `tries` are of all."""

    room = 0
    tries: list[str]

    def __init__(self, name: str, tries: list[str]) -> None:
        self.name = name
        self.tries = tries

    def attempt(self) -> bool:
        self.tries.append(self.name)
        if Waiter.room == 0:
            return False
        Waiter.room -= 1
        return True


def queue(names: str) -> tuple[Admission, dict[str, Waiter], list[str]]:
    admission = Admission()
    tries: list[str] = []
    waiters = {name: Waiter(name, tries) for name in names}
    for waiter in waiters.values():
        admission.enter(waiter)
    return admission, waiters, tries


def test_they_are_let_in_in_the_order_they_came_and_no_more_are_woken_than_one() -> None:
    admission, _, tries = queue("abcdef")
    Waiter.room = 3
    admission.let_in()
    assert tries == list("abcd")
    assert len(admission) == 3


def test_the_first_keeps_its_place_while_there_is_no_room() -> None:
    admission, waiters, tries = queue("ab")
    Waiter.room = 0
    admission.let_in()
    admission.enter(waiters["a"])
    Waiter.room = 1
    admission.let_in()
    assert tries == ["a", "a", "b"]
    assert waiters["b"] in admission


def test_who_leaves_is_not_asked() -> None:
    admission, waiters, tries = queue("abc")
    admission.leave(waiters["a"])
    admission.leave(waiters["a"])
    Waiter.room = 9
    admission.let_in()
    assert tries == ["b", "c"]
    assert len(admission) == 0
