"""Which processes are plugins that lost their engine, and of which stack."""

from __future__ import annotations

from dataclasses import replace

import pytest
from release_lane.engine.plugins import Process, Stack, Trace, left_over, outlived, own_engine

pytestmark = pytest.mark.pure

STAGING = Stack(backend="s3://b", project="lane", name="staging")
INIT = Process(pid=1, parent=0, began=0, command=("init",))
SHELL = Process(pid=5, parent=1, began=1, command=("sh",))
ENGINE = Process(pid=10, parent=5, began=100, command=("pulumi", "up"))
HOST = Process(
    pid=11, parent=10, began=101, command=("/bin/pulumi-language-python", "127.0.0.1:4000"), backend="s3://b"
)
PROGRAM = Process(pid=12, parent=11, began=102, command=("python", "program", "--engine", "127.0.0.1:4000", "infra"))
AWS = Process(
    pid=13, parent=10, began=103, command=("/x/pulumi-resource-aws", "-v=9", "127.0.0.1:4000"), project="lane",
    backend="s3://b",
)  # fmt: skip
TRACE = Trace(port=4000, engine=10, began=100, project="lane", stack="staging")
ORPHAN = replace(AWS, parent=1)


def listens(pid: int, port: int) -> bool:
    return (pid, port) in {(ENGINE.pid, 4000), (ENGINE.pid, 4001), (20, 4000), (6, 80)}


def left(*processes: Process, traces: tuple[Trace, ...] = (TRACE,), stack: Stack = STAGING) -> list[tuple[int, bool]]:
    return [(each.pid, each.known) for each in left_over([INIT, SHELL, *processes], traces, stack, listens)]


def test_the_plugins_of_an_engine_that_runs_are_its_own_business() -> None:
    assert left(ENGINE, HOST, PROGRAM, AWS) == []


def test_plugins_and_language_host_of_a_dead_engine_are_found() -> None:
    assert left(replace(HOST, parent=1), ORPHAN) == [(11, True), (13, True)]


def test_one_that_a_shell_or_the_language_host_started_has_the_same_engine() -> None:
    wrapped = replace(AWS, parent=11)
    assert left(ENGINE, HOST, wrapped) == []
    assert left(replace(HOST, parent=1), wrapped) == [(11, True), (13, True)]


def test_another_process_on_a_dead_engines_port_is_not_its_engine() -> None:
    assert left(replace(ENGINE, pid=20, began=900), ORPHAN) == [(13, True)]


def test_an_ancestor_that_listens_elsewhere_is_not_its_engine() -> None:
    reaper = replace(SHELL, pid=6)
    assert left(reaper, replace(AWS, parent=6)) == [(13, True)]


@pytest.mark.parametrize("other", [{"backend": "file://s"}, {"project": "other"}, {"name": "production"}], ids=str)
def test_those_of_another_stack_project_or_backend_are_left_out(other: dict[str, str]) -> None:
    assert left(ORPHAN, stack=replace(STAGING, **other)) == []


def test_without_a_trace_the_stack_of_a_projects_plugin_is_not_known() -> None:
    assert left(ORPHAN, traces=()) == [(13, False)]
    assert left(replace(ORPHAN, project="other"), traces=()) == []
    assert left(replace(HOST, parent=1), traces=()) == [], "it calls nothing by itself"


def test_of_two_engines_on_one_port_the_one_that_began_before_the_plugin_is_meant() -> None:
    later = Trace(port=4000, engine=30, began=500, project="lane", stack="production")
    earlier = Trace(port=4000, engine=3, began=50, project="lane", stack="artifacts")
    assert left(ORPHAN, traces=(later, TRACE, earlier)) == [(13, True)]
    assert left(replace(ORPHAN, began=600), traces=(later, TRACE, earlier)) == []
    assert left(ORPHAN, traces=(later,)) == [(13, False)]


def test_other_processes_are_no_plugins() -> None:
    asking = Process(pid=40, parent=5, began=1, command=("curl", "http://127.0.0.1:4000"), project="lane")
    bare = Process(pid=41, parent=5, began=1, command=("127.0.0.1:4000",), project="lane")
    assert left(replace(asking, backend="s3://b"), replace(bare, backend="s3://b"), traces=()) == []


def test_a_program_finds_its_engine_by_its_language_host() -> None:
    by_id = {each.pid: each for each in (INIT, SHELL, ENGINE, HOST, PROGRAM)}
    assert own_engine(PROGRAM.pid, by_id, listens) == (ENGINE, 4000)
    assert own_engine(SHELL.pid, by_id, listens) is None
    assert own_engine(99, by_id, listens) is None


def test_parents_that_run_in_a_circle_end_the_search() -> None:
    """Processes are read one after the other; ids are used again meanwhile."""
    assert left(replace(AWS, parent=50), Process(pid=50, parent=13, began=1, command=("a",))) == [(13, True)]


def test_they_are_named_with_the_way_out() -> None:
    (known,) = left_over([ORPHAN], [TRACE], STAGING, listens)
    refused = outlived("staging", [known])
    assert "pulumi-resource-aws (process 13)" in refused.what
    assert "release recover staging" in refused.next_step


def test_of_an_unknown_stack_a_person_has_to_look() -> None:
    plugin = replace(ORPHAN, command=("python", "-m", "my.plugin", "127.0.0.1:4000"))
    (unknown,) = left_over([plugin], [], STAGING, listens)
    refused = outlived("staging", [unknown])
    assert "python my.plugin (process 13)" in refused.what
    assert "`kill 13`" in refused.next_step
    assert "recover" not in refused.next_step
