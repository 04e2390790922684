"""What HAProxy counted and timed, read from its own words."""

from __future__ import annotations

import pytest
from local_aws.emulator.edge.meter import Look, Meter, Names, OwnAnswers, attributed, rows, sample
from local_aws.emulator.elbv2.traffic import Count

pytestmark = pytest.mark.pure

HEADER = "# pxname,svname,qcur,qmax,scur,smax,slim,stot,econ,hrsp_1xx,hrsp_2xx,hrsp_3xx,hrsp_4xx,hrsp_5xx,more,"


def stat(*lines: str) -> str:
    return "\n".join([HEADER, *lines])


def line(proxy: str, server: str, total: int, two: int = 0, five: int = 0, unreachable: int = 0) -> str:
    return f"{proxy},{server},0,0,0,0,,{total},{unreachable},0,{two},0,0,{five},text"


def test_only_what_ever_had_a_request_is_read() -> None:
    found = list(rows(stat(line("blue.1", "s1", 7, two=5, five=1, unreachable=1), line("blue.1", "s2", 0), "", "x,y")))
    assert found == [("blue.1", "s1", Count(7, {2: 5, 3: 0, 4: 0, 5: 1}, 1))]


def test_counters_of_all_servers_and_processes_add_up_and_each_is_counted_once() -> None:
    meter = Meter()
    meter.read(
        1, stat(line("blue.1", "s1", 5, two=5), line("blue.1", "open1", 1, five=1), line("lb.80", "FRONTEND", 1, two=5))
    )
    meter.read(1, stat(line("blue.1", "s1", 8, two=8)))
    meter.read(2, stat(line("blue.1", "s1", 2, two=2)))
    listeners, groups = meter.take()
    assert (groups["blue.1"].requests, groups["blue.1"].answers[2], groups["blue.1"].answers[5]) == (11, 10, 1)
    assert listeners["lb.80"].answers[2] == 5
    meter.read(2, stat(line("blue.1", "s1", 3, two=3)))
    assert meter.take()[1]["blue.1"].requests == 1
    assert meter.take() == ({}, {})


def test_a_process_that_has_ended_leaves_nothing_to_compare_with() -> None:
    meter = Meter()
    meter.read(1, stat(line("blue.1", "s1", 5)))
    meter.forget(1)
    meter.read(1, stat(line("blue.1", "s1", 2)))  # a process id is used again
    assert meter.take()[1]["blue.1"].requests == 7


def test_what_no_target_answered_is_the_load_balancers_own() -> None:
    own = OwnAnswers()
    assert own.of("lb", Count(10, {5: 3, 4: 1}), Count(9, {5: 2})) == {5: 1, 4: 1}


def test_an_answer_that_has_begun_but_not_ended_is_nobodys_own() -> None:
    own = OwnAnswers()
    assert own.of("lb", Count(), Count(1, {5: 1})) == {}
    assert own.of("lb", Count(1, {5: 1}), Count()) == {}
    assert own.of("lb", Count(1, {5: 1}), Count()) == {5: 1}


def test_everything_is_attributed_to_arns() -> None:
    names = Names(
        {"lb.80": "arn:lb", "lb.81": "arn:lb"}, {"blue.1": ("arn:lb", "arn:blue"), "old.2": ("arn:lb", "arn:old")}
    )
    look = Look(
        listeners={"lb.80": Count(3, {5: 2}), "lb.81": Count(1, {5: 1}), "gone.1": Count(9, {5: 9})},
        groups={"blue.1": Count(3, {5: 1})},
        times={"blue.1": {0.1: 2.0}},
        hosts={"blue.1": (2, 1)},
    )
    traffic = attributed(look, names, OwnAnswers())
    blue, old = traffic.groups
    assert (blue.target_group, blue.count.requests, blue.times, blue.healthy, blue.unhealthy) == (
        *("arn:blue", 3, {0.1: 2.0}),
        *(2, 1),
    )
    assert (old.count.requests, old.healthy) == (0, None)
    assert [(one.load_balancer, one.own) for one in traffic.balancers] == [("arn:lb", {5: 2})]


def test_a_sample_stands_for_the_requests_that_were_not_logged() -> None:
    assert sample(b"<142>Nov 21 11:24:18 haproxy[5372]: blue.1a2b 202 50\n") == ("blue.1a2b", 0.202, 1.0)
    assert sample(b"<142>Nov 21 11:24:18 haproxy[5372]: blue.1a2b 3 20000") == ("blue.1a2b", 0.003, 200.0)


def test_a_request_that_no_target_answered_has_no_response_time() -> None:
    assert sample(b"<142>Nov 21 11:24:19 haproxy[5372]: dead -1 1\n") is None
    assert sample(b"<142>Nov 21 11:24:19 haproxy[5372]: lb.80 -1 -\n") is None
