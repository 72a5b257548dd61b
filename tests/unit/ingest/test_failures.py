"""Who may show another token after wrong ones, and who pays for them."""

from __future__ import annotations

import pytest

from ingest import failures
from ingest.failures import FailedTokens, Verdict, network_of

HERE, THERE = "192.0.2.1", "192.0.2.2"
PER_MIN = 3


@pytest.fixture
def failed() -> FailedTokens:
    return FailedTokens(PER_MIN)


def guess(failed: FailedTokens, count: int, address: str = HERE, now_s: float = 0.0) -> None:
    for n in range(count):
        failed.wrong(f"guess {n} at {now_s} from {address}", address, now_s)


def test_the_first_failures_of_an_address_are_looked_at(failed: FailedTokens) -> None:
    guess(failed, PER_MIN - 1)
    assert failed.look("next", HERE, 0) is Verdict.ASK


def test_one_failure_more_and_no_new_token_is_looked_at(failed: FailedTokens) -> None:
    guess(failed, PER_MIN)
    assert failed.look("next", HERE, 0) is Verdict.TOO_MANY
    assert failed.look("next", THERE, 0) is Verdict.ASK


def test_time_lets_an_address_in_again_and_says_when(failed: FailedTokens) -> None:
    guess(failed, PER_MIN)
    wait_s = failed.retry_after_s("next", HERE, 0)
    assert wait_s == 60 / PER_MIN
    assert failed.look("next", HERE, wait_s - 0.1) is Verdict.TOO_MANY
    assert failed.look("next", HERE, wait_s) is Verdict.ASK
    assert failed.retry_after_s("next", HERE, wait_s) == 0


def test_no_more_failures_are_saved_up_than_one_minute_has(failed: FailedTokens) -> None:
    guess(failed, 1)
    guess(failed, PER_MIN, now_s=86_400)
    assert failed.look("next", HERE, 86_400) is Verdict.TOO_MANY


def test_a_clock_that_goes_back_gives_nothing(failed: FailedTokens) -> None:
    guess(failed, PER_MIN, now_s=100)
    assert failed.look("next", HERE, 0) is Verdict.TOO_MANY


def test_a_wrong_token_shown_again_is_known_and_costs_nothing(failed: FailedTokens) -> None:
    failed.wrong("stuck", HERE, 0)
    for second in range(500):
        assert failed.look("stuck", HERE, second) is Verdict.KNOWN_WRONG
    guess(failed, PER_MIN)
    assert failed.look("stuck", HERE, 1) is Verdict.KNOWN_WRONG


def test_a_wrong_token_is_asked_for_again_after_a_while(failed: FailedTokens) -> None:
    failed.wrong("stuck", HERE, 0)
    assert failed.look("stuck", HERE, failures.WRONG_REMEMBERED_S) is Verdict.ASK


def test_a_token_that_was_let_in_passes_where_others_are_stopped(failed: FailedTokens) -> None:
    failed.admitted("good")
    guess(failed, PER_MIN)
    assert failed.look("good", HERE, 0) is Verdict.ASK


def test_a_token_that_was_revoked_is_charged_to_itself_alone(failed: FailedTokens) -> None:
    for _ in range(PER_MIN):
        failed.refused("revoked", 0)
    assert failed.look("revoked", HERE, 0) is Verdict.TOO_MANY
    assert failed.look("next", HERE, 0) is Verdict.ASK


def test_a_token_that_was_let_in_and_is_gone_is_charged_to_its_address(
    failed: FailedTokens,
) -> None:
    failed.admitted("gone")
    failed.wrong("gone", HERE, 0)
    guess(failed, PER_MIN - 1)
    assert failed.look("next", HERE, 0) is Verdict.TOO_MANY


def test_without_a_limit_every_token_is_looked_at() -> None:
    failed = FailedTokens(0)
    guess(failed, 1_000)
    assert failed.look("next", HERE, 0) is Verdict.ASK


def test_what_is_remembered_is_bounded(
    failed: FailedTokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    for bound in ("BUCKETS", "PROVEN", "WRONG"):
        monkeypatch.setattr(failures, bound, 10)
    for n in range(100):
        failed.wrong(f"wrong {n}", f"192.0.2.{n}", 0)
        failed.admitted(f"good {n}")
    sizes = [len(kept) for kept in (failed._allowances, failed._proven, failed._wrong)]
    assert sizes == [10, 10, 10]
    assert failed.look("wrong 99", HERE, 0) is Verdict.KNOWN_WRONG
    assert failed.look("wrong 0", HERE, 0) is Verdict.ASK


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("a socket", "a socket"),
        ("x" * 10_000, "x" * 64),
    ],
)
def test_an_address_stands_for_what_one_customer_has(address: str, network: str) -> None:
    assert network_of(address) == network
