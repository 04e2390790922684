"""Counting: sums hold, steps add up, what comes out of JSON is what went in."""

import json
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st
from release_lane.probe.tally import EXAMPLES, Report, Tally, merged, report_from

pytestmark = pytest.mark.pure


def test_sent_is_ok_and_failed_and_in_flight() -> None:
    tally = Tally("x", began=0, sent=10, ok=6)
    tally.failed(1, "reset")
    counts = tally.counts()
    assert (counts.sent, counts.ok, counts.failed, counts.in_flight) == (10, 6, 1, 3)


def test_a_release_keeps_its_first_and_last_time_whatever_the_order() -> None:
    tally = Tally("x", began=0)
    for at in (5.0, 3.0, 9.0, 7.0):
        tally.named(at, "sha256:aa", "blue")
    (seen,) = tally.counts().releases
    assert (seen.count, seen.first, seen.last) == (4, 3.0, 9.0)


def test_all_failures_are_counted_and_some_are_kept() -> None:
    tally = Tally("x", began=0, sent=100)
    for at in range(100):
        tally.failed(at, "refused" if at % 4 else "reset")
    counts = tally.counts()
    assert counts.reasons == {"refused": 75, "reset": 25}
    assert [failure.at for failure in counts.failures] == list(range(EXAMPLES))


@given(st.lists(st.floats(1e-5, 100), min_size=1, max_size=200))
def test_percentiles_are_right_within_their_fineness(seconds: list[float]) -> None:
    tally = Tally("x", began=0)
    for took in seconds:
        tally.answered(took, 200)
    latency, exact = tally.counts().latency_ms, sorted(seconds)
    for found, share in ((latency.p50, 0.5), (latency.p90, 0.9), (latency.p99, 0.99)):
        true = exact[max(0, -int(-share * len(exact) // 1) - 1)] * 1000
        assert true - 0.06 <= found <= true * 1.06 + 0.06
    assert latency.worst == round(exact[-1] * 1000, 1)


def test_nothing_answered_has_no_latency() -> None:
    assert Tally("x", began=0).counts().latency_ms.worst == 0


steps = st.lists(
    st.builds(
        lambda ok, late, mixed, reasons, seen: _tally(ok, late, mixed, reasons, seen),
        st.integers(0, 9),
        st.integers(0, 9),
        st.integers(0, 9),
        st.lists(st.sampled_from(["reset", "timeout"]), max_size=30),
        st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["blue", "green"]), st.floats(0, 9)), max_size=9),
    ),
    min_size=1,
    max_size=4,
)


def _tally(ok: int, late: int, mixed: int, reasons: list[str], seen: list[tuple[str, str, float]]) -> Tally:
    tally = Tally("step", began=1, sent=ok + len(reasons), ok=ok, late=late, mixed=mixed)
    for reason in reasons:
        tally.failed(2, reason)
    for digest, colour, at in seen:
        tally.named(at, digest, colour)
        tally.answered(at or 1, 200)
    return tally


@given(steps)
def test_the_total_is_the_sum_of_the_steps(tallies: list[Tally]) -> None:
    parts, total = [tally.counts() for tally in tallies], merged(tallies).counts()
    for name in ("sent", "ok", "failed", "late", "mixed", "in_flight"):
        assert getattr(total, name) == sum(getattr(part, name) for part in parts)
    assert sum(seen.count for seen in total.releases) == sum(s.count for part in parts for s in part.releases)
    assert total.latency_ms.worst == max(part.latency_ms.worst for part in parts)
    assert len(total.failures) <= EXAMPLES


@given(steps)
def test_a_report_survives_json(tallies: list[Tally]) -> None:
    counts = tuple(tally.counts() for tally in tallies)
    report = Report("http://x", 10.0, 5.0, 0.1, merged(tallies).counts(), counts)
    assert report_from(json.loads(json.dumps(asdict(report)))) == report


def test_the_latest_step_of_a_name_is_found() -> None:
    first, second = Tally("deploy", 1, sent=1).counts(), Tally("deploy", 2, sent=2).counts()
    report = Report("http://x", 10.0, 5.0, 0.1, second, (first, second))
    assert report.step("deploy") == second
    with pytest.raises(KeyError):
        report.step("rollback")


def test_only_failed_and_mixed_answers_are_flaws() -> None:
    assert Tally("x", 0, sent=2, ok=2, late=1).counts().flawless
    assert not Tally("x", 0, sent=2, ok=2, mixed=1).counts().flawless
