"""The engine's adapter against a `pulumi` that is a script: what it is given, and what becomes of what it says."""

from __future__ import annotations

import json
import os
import socket
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from release_lane.command.adapters.backend import FakeBackend
from release_lane.command.adapters.engine import PulumiEngine, backend_url
from release_lane.command.adapters.machine import FakeMachine
from release_lane.command.adapters.project import read_project
from release_lane.engine.locks import Holder, Note, Origin
from release_lane.engine.state import StackState
from release_lane.errors import CloudError, UsageError
from release_lane.record.container import container_definition
from release_lane.record.placement import Colour
from tests.command.words import A, B, outputs, plan, pre, said

pytestmark = pytest.mark.cli

SCRIPT = """#!{python}
import json, os, pathlib, sys
argv = sys.argv[1:]
here = pathlib.Path(__file__).parent
def option(name): return argv[argv.index(name) + 1]
if argv[0] == "whoami":
    print(json.dumps({{"user": "ann", "url": "file:///asked"}})); sys.exit(0)
if argv[0] == "cancel" or argv[:2] == ["stack", "import"]:
    (here / "asked.json").write_text(json.dumps([argv, sys.stdin.read()]))
    words = here / "words"
    print(words.read_text() if words.exists() else "", file=sys.stderr); sys.exit(int((here / "code").read_text()))
if argv[:2] == ["stack", "export"]:
    answer = here / (option("--stack") + ".json")
    if answer.name == "broken.json":
        print("error: no access to the bucket", file=sys.stderr); sys.exit(1)
    if not answer.exists():
        print("error: no stack named", file=sys.stderr); sys.exit(6)
    print(answer.read_text()); sys.exit(0)
if argv[:2] == ["stack", "init"]:
    own = pathlib.Path(f"Pulumi.{{argv[2]}}.yaml")
    (here / "made.json").write_text(json.dumps([argv, os.getcwd(), own.read_text(), os.environ["PULUMI_BACKEND_URL"]]))
    own.write_text("# the engine saved this")
    words = here / "words"
    print(words.read_text() if words.exists() else "", file=sys.stderr); sys.exit(int((here / "code").read_text()))
settings = pathlib.Path(option("--config-file"))
seen = {{
    "argv": argv, "settings": settings.read_text(), "mode": oct(settings.parent.stat().st_mode & 0o777),
    "environ": dict(os.environ), "cwd": os.getcwd(), "pid": os.getpid(),
}}
settings.write_text(settings.read_text() + "# the engine saved this\\n")
(here / "seen.json").write_text(json.dumps(seen))
with open(option("--event-log"), "w") as log:
    log.write((here / "events").read_text())
print("display")
print("its own error", file=sys.stderr)
sys.exit(int((here / "code").read_text()))
"""


class World:
    """A project, a pulumi on the PATH, and what it saw."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.bin = folder, folder / "bin"
        self.backend = FakeBackend()
        self.bin.mkdir()
        command = self.bin / "pulumi"
        command.write_text(SCRIPT.format(python=sys.executable))
        command.chmod(command.stat().st_mode | stat.S_IXUSR)
        (folder / "Pulumi.yaml").write_text("name: release-lane\nruntime: python\n")
        (folder / "Pulumi.staging.yaml").write_text("config:\n  release-lane:account: '1'\n")
        self.display = (folder / "display").open("w+")
        self.answers()

    def answers(self, *events: object, code: int = 0) -> None:
        lines = "".join(json.dumps(each, separators=(",", ":")) + "\n" for each in events)
        (self.bin / "events").write_text(lines)
        (self.bin / "code").write_text(str(code))

    def engine(self, **environ: str) -> PulumiEngine:
        path = {"PATH": f"{self.bin}:{os.environ['PATH']}"}
        return PulumiEngine(
            project=read_project(self.folder), display=self.display, environ=path | environ,
            backend=self.backend, machine=FakeMachine(), origin=Origin(who="ann", run="https://r/7"),
        )  # fmt: skip

    @property
    def seen(self) -> dict[str, object]:
        found: dict[str, object] = json.loads((self.bin / "seen.json").read_text())
        return found


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_configuration_that_no_program_could_be_given_is_refused_before_the_engine_starts(tmp_path: Path) -> None:
    world = World(tmp_path)
    big = "config:\n  release-lane:env:\n    BLOB: " + "x" * 300_000 + "\n"
    (tmp_path / "Pulumi.staging.yaml").write_text(big)
    for run in (lambda: world.engine().preview("staging", {}), lambda: world.engine().update("staging", {}, "m")):
        with pytest.raises(UsageError) as refused:
            run()
        assert "release-lane:env alone has 300,0" in refused.value.why
    assert not (world.bin / "seen.json").exists()


def test_the_committed_stack_file_never_changes(world: World) -> None:
    before = (world.folder / "Pulumi.staging.yaml").read_text()
    world.engine().update("staging", {"imageDigest": A.digest}, "why")
    assert (world.folder / "Pulumi.staging.yaml").read_text() == before
    assert world.seen["settings"] == before
    assert world.seen["mode"] == "0o700"
    argv = world.seen["argv"]
    assert isinstance(argv, list)
    assert not Path(argv[argv.index("--config-file") + 1]).exists()


def test_the_stack_of_an_environments_flags_has_the_environments_settings(world: World) -> None:
    before = (world.folder / "Pulumi.staging.yaml").read_text()
    world.engine().update("staging-flags", {"role": "flags"}, "why")
    argv = world.seen["argv"]
    assert isinstance(argv, list)
    assert argv[argv.index("--stack") + 1] == "staging-flags"
    assert "--refresh" in argv, "the parameter may have been changed by hand"
    assert world.seen["settings"] == before
    assert [path.name for path in world.folder.glob("Pulumi.*.yaml")] == ["Pulumi.staging.yaml"]


@pytest.mark.parametrize("provider", ["", "awskms://alias/states?region=us-east-1"])
def test_a_stack_is_created_under_the_key_of_its_settings_and_leaves_no_file(world: World, provider: str) -> None:
    settings = world.folder / "Pulumi.staging.yaml"
    if provider:
        settings.write_text(f"secretsprovider: {provider}\nencryptedkey: abc\n{settings.read_text()}")
    before = settings.read_text()
    world.engine().create("staging-flags")
    argv, folder, given, backend = json.loads((world.bin / "made.json").read_text())
    options = ["--secrets-provider", provider] if provider else []
    assert argv == ["stack", "init", "staging-flags", "--no-select", *options, "--non-interactive"]
    assert (given, settings.read_text()) == (before, before)
    assert backend == "file:///asked", "a relative one would mean another folder there"
    assert not Path(folder).exists()
    assert [path.name for path in world.folder.glob("Pulumi.*.yaml")] == ["Pulumi.staging.yaml"]


def test_a_stack_that_cannot_be_created_is_an_error_and_one_that_is_there_is_fine(world: World) -> None:
    world.answers(code=1)
    (world.bin / "words").write_text("error: no access to the bucket")
    with pytest.raises(CloudError, match="could not be created"):
        world.engine().create("staging-flags")
    (world.bin / "words").write_text("error: stack 'organization/release-lane/staging-flags' already exists")
    world.engine().create("staging-flags")


def test_an_update_is_not_asked_about_and_makes_no_preview_of_its_own(world: World) -> None:
    world.engine().update("staging", {"imageDigest": A.digest, "rollbackFrom": B.digest}, "why")
    argv = world.seen["argv"]
    assert isinstance(argv, list)
    assert argv[:5] == ["up", "--yes", "--skip-preview", "--message", "why"]
    assert "--refresh" not in argv
    assert [argv[at + 1] for at, part in enumerate(argv) if part == "--config"] == [
        f"imageDigest={A.digest}", f"rollbackFrom={B.digest}"
    ]  # fmt: skip
    assert world.seen["cwd"] == str(world.folder)


@pytest.mark.parametrize(("config", "lifted"), [({}, False), ({"allowReplace": "true"}, True)])
def test_only_leave_to_replace_lifts_the_engines_protection(world: World, config: dict[str, str], lifted: bool) -> None:
    for run in (world.engine().preview, lambda *given: world.engine().update(*given, "why")):
        run("staging", config)
        argv = world.seen["argv"]
        assert isinstance(argv, list)
        assert ("--ignore-protect" in argv) is lifted


def test_settings_that_would_lose_records_are_not_handed_on(world: World) -> None:
    world.engine(PULUMI_CONTINUE_ON_ERROR="true", PULUMI_SKIP_CHECKPOINTS="true", KEPT="1").preview("staging", {})
    environ = world.seen["environ"]
    assert isinstance(environ, dict)
    assert not {"PULUMI_CONTINUE_ON_ERROR", "PULUMI_SKIP_CHECKPOINTS"} & environ.keys()
    assert environ["KEPT"] == "1"


def test_a_run_has_exit_code_events_and_the_engines_own_words(world: World) -> None:
    world.answers(*plan("deploy", Colour.GREEN, B, target=Colour.GREEN), said("no"), code=1)
    run = world.engine().update("staging", {}, "why")
    assert (run.exit_code, run.stderr, run.signal) == (1, "its own error\n", None)
    assert [message.text for message in run.log.errors] == ["no"]
    assert run.log.step("release:index:TrafficSwitch")
    world.display.seek(0)
    assert sorted(world.display.read().split("\n")) == ["", "display", "its own error"]


def test_the_event_log_never_has_a_name_in_the_file_system(world: World) -> None:
    world.answers(pre("create", "t", "n"))
    world.engine().preview("staging", {})
    argv = world.seen["argv"]
    assert isinstance(argv, list)
    assert str(argv[argv.index("--event-log") + 1]).startswith("/dev/fd/")


# ---- The state ----------------------------------------------------------------------------------------------


def exported() -> dict[str, object]:
    definition = container_definition(
        A, Colour.GREEN, repository="registry/app", container="app", log_group="g", region="r"
    )
    replaced = container_definition(
        B, Colour.GREEN, repository="registry/app", container="app", log_group="g", region="r"
    )
    prefix = "urn:pulumi:staging::release-lane::"
    parent = "release-lane:infra:Colour$"
    return {
        "deployment": {
            "resources": [
                {"type": "pulumi:pulumi:Stack", "urn": f"{prefix}pulumi:pulumi:Stack::release-lane-staging",
                 "outputs": outputs(Colour.BLUE, A, B)},
                {"type": "aws:ecs/taskDefinition:TaskDefinition",
                 "urn": f"{prefix}{parent}aws:ecs/taskDefinition:TaskDefinition::release-lane-staging-green",
                 "inputs": {"containerDefinitions": json.dumps([definition])}},
                {"type": "aws:ecs/taskDefinition:TaskDefinition", "delete": True,
                 "urn": f"{prefix}{parent}aws:ecs/taskDefinition:TaskDefinition::release-lane-staging-green",
                 "inputs": {"containerDefinitions": json.dumps([replaced])}},
                {"type": "aws:ecs/service:Service",
                 "urn": f"{prefix}{parent}aws:ecs/service:Service::release-lane-staging-green",
                 "inputs": {"desiredCount": 2}},
            ],
            "pending_operations": [{"resource": {"urn": "urn:x"}, "type": "creating"}],
        }
    }  # fmt: skip


def test_a_state_has_outputs_what_each_colour_was_given_and_what_is_unfinished(world: World) -> None:
    (world.bin / "staging.json").write_text(json.dumps(exported()))
    state = world.engine().state("staging")
    assert state
    assert state.recorded
    assert state.recorded.live == B
    assert state.held[Colour.GREEN].release == A
    assert state.held[Colour.GREEN].tasks == 2
    assert state.held[Colour.BLUE].release is None
    assert state.pending == ("urn:x",)


def test_a_stack_without_any_update_has_an_empty_state() -> None:
    assert StackState.of("staging", "p", {"version": 3, "deployment": None}).recorded is None


def test_a_stack_that_does_not_exist_has_no_state(world: World) -> None:
    assert world.engine().state("staging") is None


def test_a_backend_that_refuses_is_reported_in_its_own_words(world: World) -> None:
    with pytest.raises(CloudError, match="cannot be read") as caught:
        world.engine().state("broken")
    assert caught.value.why == "no access to the bucket"


# ---- Notes, locks, and states that are restored -------------------------------------------------------------


def test_an_update_leaves_a_note_of_its_engine_for_as_long_as_it_runs(world: World) -> None:
    world.engine().update("staging", {}, "release deploy staging")
    (note,) = world.backend.left
    assert (note.doing, note.who, note.run) == ("release deploy staging", "ann", "https://r/7")
    assert note.pid == world.seen["pid"]
    assert world.backend.notes == {}


def test_the_note_stays_next_to_a_lock_that_a_killed_engine_left(world: World) -> None:
    """Else the lock would be said to be of something that `release` did not start."""

    class Locked(FakeBackend):
        def leave(self, stack: str, note: Note) -> None:
            super().leave(stack, note)
            self.held[stack] = (Holder(user="ann", host=note.host, pid=note.pid, since=note.at),)

    world.backend = Locked()
    world.engine().update("staging", {}, "release deploy staging")
    (holder,) = world.backend.holders("staging") or ()
    assert "`release deploy staging` by ann in https://r/7" in str(holder)
    world.display.seek(0)
    assert "Next: `release recover staging`" in world.display.read()


def test_a_preview_takes_no_lock_and_leaves_no_note(world: World) -> None:
    world.engine().preview("staging", {})
    assert world.backend.left == []


def test_a_note_that_cannot_be_left_stops_no_update(world: World) -> None:
    class Away(FakeBackend):
        def leave(self, stack: str, note: Note) -> None:
            del stack, note
            raise CloudError("The note could not be left.", why="no access")

    world.backend = Away()
    assert world.engine().update("staging", {}, "why").exit_code == 0
    world.display.seek(0)
    assert "Others cannot see who runs this update (no access)" in world.display.read()


def asked(world: World) -> tuple[list[str], str]:
    argv, given = json.loads((world.bin / "asked.json").read_text())
    return argv, given


def test_a_lock_is_removed_by_the_engine_itself(world: World) -> None:
    world.engine().unlock("staging")
    assert asked(world)[0] == ["cancel", "--yes", "--stack", "staging", "--non-interactive"]


def test_a_lock_that_is_gone_meanwhile_is_removed_enough(world: World) -> None:
    world.answers(code=255)
    (world.bin / "words").write_text("error: stack staging is not currently locked")
    world.engine().unlock("staging")


def test_a_lock_that_cannot_be_removed_is_reported_in_the_engines_words(world: World) -> None:
    world.answers(code=255)
    (world.bin / "words").write_text("error: access denied")
    with pytest.raises(CloudError, match="could not be removed") as caught:
        world.engine().unlock("staging")
    assert caught.value.why == "access denied"


def test_an_edited_state_goes_to_the_engine_on_its_stdin(world: World) -> None:
    world.engine().put_state("staging", {"version": 3})
    assert asked(world) == (["stack", "import", "--stack", "staging", "--non-interactive"], '{"version": 3}')


def test_a_state_that_the_engine_refuses_is_reported(world: World) -> None:
    world.answers(code=255)
    (world.bin / "words").write_text("error: snapshot integrity")
    with pytest.raises(CloudError, match="could not be written"):
        world.engine().put_state("staging", {})


def test_only_what_is_named_is_read_anew(world: World) -> None:
    world.engine().refresh("staging", ["urn:a", "urn:b"])
    argv = world.seen["argv"]
    assert isinstance(argv, list)
    assert argv[:3] == ["refresh", "--yes", "--skip-preview"]
    assert [argv[at + 1] for at, part in enumerate(argv) if part == "--target"] == ["urn:a", "urn:b"]


def test_the_backend_is_the_one_that_is_set_or_the_one_that_the_engine_names(world: World) -> None:
    path = f"{world.bin}:{os.environ['PATH']}"
    assert backend_url({"PULUMI_BACKEND_URL": "s3://b", "PATH": "/nowhere"}, world.folder) == "s3://b"
    assert backend_url({"PATH": path}, world.folder) == "file:///asked"


# ---- Is everything there? -----------------------------------------------------------------------------------


def test_without_an_engine_the_way_to_get_one_is_reported(world: World) -> None:
    (world.bin / "pulumi").unlink()
    engine = world.engine(PATH=str(world.bin))
    with pytest.raises(CloudError, match="not on the PATH"):
        engine.ready()


@contextmanager
def none_there() -> Iterator[str]:
    """An endpoint that no process listens on, nor will meanwhile."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


def test_an_endpoint_that_nothing_listens_on_is_reported(world: World) -> None:
    with none_there() as endpoint, pytest.raises(CloudError, match=r"The cloud's endpoint .* does not answer"):
        world.engine(AWS_ENDPOINT_URL=endpoint).ready()


def test_a_state_that_went_with_its_local_cloud_is_not_blamed_on_the_backend(world: World) -> None:
    with none_there() as endpoint, pytest.raises(CloudError) as caught:
        world.engine(AWS_ENDPOINT_URL=endpoint, LOCAL_AWS_HOME="/a").state("broken")
    assert caught.value.what.startswith(f"The local cloud is not running: its endpoint {endpoint} does not answer.")
    assert (caught.value.why, "`local-aws up`" in caught.value.next_step) == ("no access to the bucket", True)


def test_an_endpoint_that_answers_is_enough(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        world.engine(AWS_ENDPOINT_URL=f"http://127.0.0.1:{server.getsockname()[1]}").ready()
    world.engine().ready()
