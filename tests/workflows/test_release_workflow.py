"""The release workflow: what can be read off the files, and a run of it by act on the local cloud."""

from __future__ import annotations

import json
import re
import shutil
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from release_lane.record.adoption import REVISION
from tests.command.checkout import FAULT, Checkout, Ended, on_the_local_cloud

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github").rglob("*.yml"))
RELEASE = ROOT / ".github/workflows/release.yml"
PREPARE = ROOT / ".github/actions/prepare/action.yml"
UPDATES = {"build": "artifacts", "staging": "staging", "production": "production"}
"""Jobs that update a stack, and which."""

pure = pytest.mark.pure


def read(path: Path) -> dict[str, Any]:
    """A YAML file; `on` is read as a key and not as a truth value."""
    content = yaml.safe_load(path.read_text())
    return {"on" if key is True else key: value for key, value in content.items()}


def jobs() -> dict[str, Any]:
    found: dict[str, Any] = read(RELEASE)["jobs"]
    return found


def steps() -> list[Mapping[str, Any]]:
    return [*(step for job in jobs().values() for step in job["steps"]), *read(PREPARE)["runs"]["steps"]]


def remote() -> list[Mapping[str, Any]]:
    return [step for step in steps() if "uses" in step and not step["uses"].startswith("./")]


# ---- Read off the files ---------------------------------------------------------------------------------------


@pure
@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.parent.name + "/" + path.name)
def test_actions_are_pinned_by_commit_and_say_which_version_that_is(path: Path) -> None:
    for line in path.read_text().splitlines():
        if re.match(r"\s*(- )?uses:", line) and " ./" not in line:
            assert re.search(r"uses: [\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line), line


@pure
def test_there_are_actions_to_pin() -> None:
    assert len({step["uses"] for step in remote()}) == 4


@pure
def test_the_same_action_is_pinned_the_same_everywhere() -> None:
    pins = {step["uses"].split("@")[0]: step["uses"] for step in remote()}
    assert all(pins[step["uses"].split("@")[0]] == step["uses"] for step in remote())


@pure
def test_no_permission_is_given_but_what_a_job_needs() -> None:
    assert read(RELEASE)["permissions"] == {}
    for name, job in jobs().items():
        assert job["permissions"] == {"contents": "read", "id-token": "write"}, name


@pure
def test_there_is_no_long_lived_key() -> None:
    for path in WORKFLOWS:
        text = path.read_text()
        assert "secrets." not in text
        assert "aws-access-key-id" not in text
        assert "aws-secret-access-key" not in text
    assert all(step["with"]["persist-credentials"] is False for step in remote() if "checkout" in step["uses"])


@pure
def test_each_job_takes_a_role_of_its_own_from_variables() -> None:
    roles = {name: job["steps"][1]["with"]["role"] for name, job in jobs().items()}
    assert roles == {
        "build": "${{ vars.BUILD_ROLE_ARN }}",
        "staging": "${{ vars.DEPLOY_ROLE_ARN }}",
        "review": "${{ vars.REVIEW_ROLE_ARN }}",
        "production": "${{ vars.DEPLOY_ROLE_ARN }}",
    }
    # DEPLOY_ROLE_ARN is a variable of the environment, so it is another one in each.
    assert {name: job.get("environment") for name, job in jobs().items()} == {
        "build": None, "staging": "staging", "review": None, "production": "production"
    }  # fmt: skip


@pure
def test_nothing_from_outside_is_pasted_into_a_script() -> None:
    for step in steps():
        assert "${{" not in step.get("run", ""), step["name"]


@pure
def test_scripts_stop_at_the_first_failure_also_in_a_pipe() -> None:
    assert all(step["shell"] == "bash" for step in steps() if "run" in step)


@pure
def test_two_runs_never_update_one_stack_at_once_and_none_is_cut_off() -> None:
    groups = {name: job.get("concurrency") for name, job in jobs().items()}
    assert groups == {
        name: {"group": f"release-{UPDATES[name]}", "cancel-in-progress": False} if name in UPDATES else None
        for name in jobs()
    }


def releasing() -> dict[str, Mapping[str, Any]]:
    """The one step of each job that runs the command; `adopt`: what the build does in place of building."""
    found = {
        name: [s for s in job["steps"] if "release_lane.command" in s.get("run", "")] for name, job in jobs().items()
    }
    adopting = [step for step in found["build"] if "release_lane.command adopt" in step["run"]]
    found = {"adopt": adopting, **found, "build": [step for step in found["build"] if step not in adopting]}
    assert all(len(steps) == 1 for steps in found.values())
    return {name: steps[0] for name, steps in found.items()}


@pure
def test_the_image_is_built_once_and_goes_on_by_its_digest() -> None:
    commands = {name: step["run"] for name, step in releasing().items()}
    assert [name for name, command in commands.items() if "release_lane.command build" in command] == ["build"]
    for name in ("staging", "review", "production"):
        assert '--digest "$DIGEST"' in commands[name]
        assert releasing()[name]["env"] == {"DIGEST": "${{ needs.build.outputs.digest }}"}


@pure
def test_an_image_that_another_job_built_is_adopted_in_place_of_a_build() -> None:
    build, adopt = releasing()["build"], releasing()["adopt"]
    assert (build["if"], adopt["if"]) == ("${{ !inputs.image }}", "${{ inputs.image }}")
    assert adopt["env"] == {name.upper(): f"${{{{ inputs.{name} }}}}" for name in ("image", "commit", "source")}
    written = [step["run"].rsplit("> ", 1)[1].strip() for step in (build, adopt)]
    assert written == ['"$RUNNER_TEMP/digest"'] * 2
    on = read(RELEASE)["on"]
    assert [*on["workflow_dispatch"]["inputs"]] == [*on["workflow_call"]["inputs"]] == ["image", "commit", "source"]


@pure
def test_jobs_that_ask_for_the_order_of_commits_have_the_whole_history() -> None:
    depths = {name: job["steps"][0]["with"].get("fetch-depth") for name, job in jobs().items()}
    assert {name: depths[name] for name in ("staging", "review", "production")} == dict.fromkeys(
        ("staging", "review", "production"), 0
    )


@pure
def test_the_command_takes_the_shells_place_so_that_a_cancelled_job_reaches_it() -> None:
    """test_cancelled_job.py sends the signals."""
    for name, step in releasing().items():
        (line,) = step["run"].strip().splitlines()
        assert line.startswith("exec python -m release_lane.command "), name
        assert not set("|;&`") & set(line), name


@pure
def test_production_comes_after_staging_and_a_review() -> None:
    assert jobs()["staging"]["needs"] == "build"
    assert jobs()["review"]["needs"] == ["build", "staging"]
    assert jobs()["production"]["needs"] == ["build", "review"]


@pure
def test_only_main_is_released() -> None:
    assert read(RELEASE)["on"]["push"] == {"branches": ["main"]}
    assert jobs()["build"]["if"] == "github.ref == 'refs/heads/main'"


@pure
def test_the_engine_is_the_one_that_the_sdk_is_pinned_to() -> None:
    (engine,) = [step for step in remote() if "pulumi/actions" in step["uses"]]
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert f"pulumi=={engine['with']['pulumi-version']}" in dependencies


@pure
def test_what_needs_the_internet_is_left_out_by_act() -> None:
    """But for the checkout: act copies the working directory in its place."""
    assert all(step["if"] == "${{ !env.ACT }}" for step in remote() if "checkout" not in step["uses"])


# ---- Run by act -----------------------------------------------------------------------------------------------

MUST_NOT_RUN = """
name: stands in for an action that must not run here
runs:
  using: composite
  steps:
    - shell: bash
      run: exit 99
"""


class Act:
    """act on this machine itself, without any container and without the internet."""

    def __init__(self, binary: Path, folder: Path, checkout: Checkout) -> None:
        self.binary, self.folder, self.checkout = binary, folder, checkout
        folder.mkdir()
        (folder / "action.yml").write_text(MUST_NOT_RUN)

    def push(self) -> Ended:
        """What a push of HEAD to main would run."""
        return self._run("push", {"after": self.checkout.git("rev-parse", "HEAD")})

    def dispatch(self, **inputs: str) -> Ended:
        """What a person starts by hand on main, with these inputs."""
        return self._run("workflow_dispatch", {"inputs": inputs})

    def _run(self, name: str, about: Mapping[str, Any]) -> Ended:
        event = {"ref": "refs/heads/main", "repository": {}, **about}
        (self.folder / "event.json").write_text(json.dumps(event))
        stand_ins = [f"--local-repository={step['uses']}={self.folder}" for step in remote()]
        return self.checkout.run(
            str(self.binary), name, "--workflows", ".github/workflows/release.yml", "--use-gitignore=false",
            "--platform", "ubuntu-latest=-self-hosted", "--eventpath", str(self.folder / "event.json"),
            "--env", f"PYTHONPATH={self.checkout.folder}", "--action-offline-mode", *dict.fromkeys(stand_ins),
            XDG_CACHE_HOME=str(self.folder / "cache"), XDG_CONFIG_HOME=str(self.folder / "config"),
        )  # fmt: skip


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    with on_the_local_cloud(tmp_path_factory.mktemp("workflow") / "checkout") as made:
        yield made


@pytest.fixture(scope="module")
def act(checkout: Checkout, tmp_path_factory: pytest.TempPathFactory) -> Act:
    from local_aws.toolchain import ensure_act
    from local_aws.toolchain.cache import cache_folder

    binary = ensure_act(cache_folder(), lambda text: print(text, file=sys.stderr))
    return Act(binary, tmp_path_factory.mktemp("act") / "act", checkout)


@pytest.mark.cloud
@pytest.mark.long
def test_a_push_to_main_goes_to_production_by_one_digest(act: Act, checkout: Checkout) -> None:
    done = act.push()
    assert done.code == 0, done.out + done.err
    staging, production = checkout.status("staging"), checkout.status("production")
    assert production["commit"] == checkout.git("rev-parse", "HEAD")
    assert staging["digest"] == production["digest"]
    assert "# Review: production" in done.out
    assert f"**staging** proved `{staging['digest']}`" in done.out


@pytest.mark.cloud
@pytest.mark.long
def test_the_same_commit_again_builds_and_changes_nothing(act: Act, checkout: Checkout) -> None:
    before = checkout.status("production")
    done = act.push()
    assert done.code == 0, done.out + done.err
    assert checkout.status("production") == before
    assert "nothing to do" in done.out


@pytest.mark.cloud
@pytest.mark.long
@pytest.mark.skipif(not shutil.which("skopeo"), reason="skopeo is not installed (./bootstrap as root installs it)")
def test_an_image_of_another_job_goes_to_production_without_a_build(act: Act, checkout: Checkout) -> None:
    registry = checkout.variables["AWS_ENDPOINT_URL"].removeprefix("http://")
    ours = f"{registry}/{checkout.project}/app"
    commit = checkout.commit("Built by another job")
    recipe = f"FROM {ours}@{checkout.status('production')['digest']}\nENV COMMIT={commit}\nLABEL {REVISION}={commit}\n"
    checkout.run_with("docker", "build", "-q", "-t", f"{ours}:ci-7", "-", given=recipe).ok()
    digest = checkout.run("docker", "push", f"{ours}:ci-7").ok().out.rsplit("digest: ", 1)[1].split()[0]
    done = act.dispatch(image=f"{ours}@{digest}", commit=commit, source="https://example.test/shop")
    assert done.code == 0, done.out + done.err
    production = checkout.status("production")
    assert (production["digest"], production["commit"]) == (digest, commit)
    assert "that it is commit" in " ".join(production["unchecked"])


@pytest.mark.cloud
@pytest.mark.long
def test_a_broken_commit_stops_in_staging(act: Act, checkout: Checkout) -> None:
    before = {name: checkout.status(name)["digest"] for name in ("staging", "production")}
    checkout.change("app/checksums.py", *FAULT)
    done = act.push()
    assert done.code != 0
    assert "The smoke gate refused" in done.out
    assert "Promote to production" not in re.sub(r"(?m)^.*Job.*skipped.*$", "", done.out)
    assert {name: checkout.status(name)["digest"] for name in ("staging", "production")} == before
