"""The GitHub workflows: what can be read off the files. test_github_runs.py runs them."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted(path for path in (ROOT / ".github").rglob("*.yml") if path.name != "zizmor.yml")
RELEASE = ROOT / ".github/workflows/release.yml"
PREPARE = ROOT / ".github/actions/prepare/action.yml"
QUEUES = {"build": "artifacts", "staging": "staging"}
"""Jobs that take turns by a concurrency group, and the stack that they update."""

pure = pytest.mark.pure


@cache
def read(path: Path) -> dict[str, Any]:
    """A YAML file, for reading only; `on` is read as a key and not as a truth value."""
    content = yaml.safe_load(path.read_text())
    return {"on" if key is True else key: value for key, value in content.items()}


def workflow(name: str) -> dict[str, Any]:
    return read(ROOT / f".github/workflows/{name}.yml")


def jobs() -> dict[str, Any]:
    """Those of the release."""
    found: dict[str, Any] = read(RELEASE)["jobs"]
    return found


def all_jobs() -> dict[str, Any]:
    """Jobs of all workflows that have steps of their own."""
    found = [job for path in WORKFLOWS if path != PREPARE for job in read(path)["jobs"].items()]
    return {name: job for name, job in found if "steps" in job}


def steps() -> list[Mapping[str, Any]]:
    return [*(step for job in all_jobs().values() for step in job["steps"]), *read(PREPARE)["runs"]["steps"]]


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
    assert all(read(path)["permissions"] == {} for path in WORKFLOWS if path != PREPARE)
    hotfix = workflow("hotfix")["jobs"]
    for name, job in {**all_jobs(), **hotfix}.items():
        more = {
            "checks": {},  # tests are other people's code
            **{each: {"actions": "read", "id-token": "write"} for each in ("production", "release")},  # who approved
        }.get(name, {"id-token": "write"})
        assert job["permissions"] == {"contents": "read", **more}, name


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
    roles = {name: job["steps"][1].get("with", {}).get("role") for name, job in all_jobs().items()}
    assert roles == {
        "build": "${{ vars.BUILD_ROLE_ARN }}",
        "checks": None,
        "staging": "${{ vars.DEPLOY_ROLE_ARN }}",
        "review": "${{ vars.REVIEW_ROLE_ARN }}",
        "production": "${{ vars.DEPLOY_ROLE_ARN }}",
        "rollback": "${{ vars.DEPLOY_ROLE_ARN }}",
        "preview": "${{ vars.PREVIEW_ROLE_ARN }}",
        "nightly": "${{ vars.REVIEW_ROLE_ARN }}",
    }
    # DEPLOY_ROLE_ARN is a variable of the environment, so it is another one in each.
    assert {name: job["environment"] for name, job in all_jobs().items() if "environment" in job} == {
        "staging": "staging", "production": "production", "rollback": "${{ inputs.environment }}-rollback"
    }  # fmt: skip


@pure
def test_nothing_from_outside_is_pasted_into_a_script() -> None:
    for step in steps():
        assert "${{" not in step.get("run", ""), step["name"]


@pure
def test_scripts_stop_at_the_first_failure_also_in_a_pipe() -> None:
    """`shell: bash` is `bash -eo pipefail`; without it GitHub takes no `pipefail`."""
    for path in WORKFLOWS:
        content = read(path)
        for job in [content["runs"]] if path == PREPARE else content["jobs"].values():
            default = content.get("defaults", {}).get("run", {}).get("shell")
            assert all(step.get("shell", default) == "bash" for step in job.get("steps", ()) if "run" in step), path


@pure
def test_two_runs_never_update_one_stack_at_once_and_none_is_cut_off_or_thrown_away() -> None:
    """`queue: max` (GitHub, May 2026): without it a third run throws away the second, which waits for its turn."""
    groups = {name: job["concurrency"] for name, job in all_jobs().items() if name in QUEUES}
    assert groups == {
        name: {"group": f"release-{stack}", "cancel-in-progress": False, "queue": "max"}
        for name, stack in QUEUES.items()
    }
    assert {name for name, job in all_jobs().items() if "concurrency" in job} == {*QUEUES, "preview"}
    assert all("concurrency" not in read(path) for path in WORKFLOWS)
    for name in ("production", "watch", "rollback"):  # the lock of the state in place of a group
        assert "--lock-wait 900" in releasing()[name]["run"], name


@pure
def test_a_job_that_waits_for_reviewers_holds_no_group_and_a_rollback_queues_behind_nothing() -> None:
    """GitHub counts a job that waits for the reviewers of its environment as the one that runs in its group."""
    assert "concurrency" not in all_jobs()["production"]  # the environment with reviewers
    rollback = all_jobs()["rollback"]
    assert "concurrency" not in rollback
    assert rollback["environment"] == "${{ inputs.environment }}-rollback"
    assert "needs" not in rollback


@pure
def test_what_was_typed_is_read_by_the_command_alone_in_review_and_promotion_alike() -> None:
    """Its seal covers them; no shell splits them."""
    for name in ("staging", "review", "production", "rollback"):
        assert '--exceptions="$EXCEPTIONS"' in releasing()[name]["run"], name
    assert (
        read(RELEASE)["env"]["EXCEPTIONS"] == releasing()["rollback"]["env"]["EXCEPTIONS"] == "${{ inputs.exceptions }}"
    )
    assert workflow("hotfix")["jobs"]["release"]["with"]["exceptions"] == "${{ inputs.exceptions }}"


GUIDE = ROOT / "docs/guides/bring-your-own-service.md"


@pure
def test_who_calls_the_release_grants_what_its_jobs_ask_for() -> None:
    """A called workflow gets no more than its caller has; GitHub refuses to start it otherwise."""
    (example,) = [each for each in GUIDE.read_text().split("```") if "uses: ./.github/workflows/release.yml" in each]
    guide = yaml.safe_load(example.replace("…", "[]"))["jobs"]["release"]
    needed: dict[str, str] = {}
    for job in jobs().values():
        for scope, access in job["permissions"].items():
            needed[scope] = max(access, needed.get(scope, ""))  # read < write
    assert guide["permissions"] == workflow("hotfix")["jobs"]["release"]["permissions"] == needed


def calling() -> list[Mapping[str, Any]]:
    """All steps that run the command."""
    return [step for step in steps() if ".venv/bin/release" in step.get("run", "")]


NEXT_TO_IT = ("adopt", "scan", "watch", "drill")


def releasing() -> dict[str, Mapping[str, Any]]:
    """The one step of each job that runs the command; those of NEXT_TO_IT have a step of their own besides."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for name, job in all_jobs().items():
        for step in (step for step in job["steps"] if step in calling()):
            verb = step["run"].split(".venv/bin/release ", 1)[1].split()[0]
            found.setdefault(verb if verb in NEXT_TO_IT else name, []).append(step)
    assert all(len(steps) == 1 for steps in found.values())
    return {name: steps[0] for name, steps in found.items()}


@pure
def test_the_image_is_built_once_and_goes_on_by_its_digest() -> None:
    commands = {name: step["run"] for name, step in releasing().items()}
    assert [name for name, command in commands.items() if "/release build" in command] == ["build"]
    for name in ("staging", "review", "production"):
        assert '--digest "$DIGEST"' in commands[name]
        assert releasing()[name]["env"]["DIGEST"] == "${{ needs.build.outputs.digest }}"


@pure
def test_what_is_promoted_is_what_the_approved_review_sealed() -> None:
    promote = releasing()["production"]
    assert '--seal "$SEAL"' in promote["run"]
    assert promote["env"]["SEAL"] == "${{ needs.review.outputs.seal }}"
    assert promote["env"]["GITHUB_TOKEN"] == "${{ github.token }}"


@pure
def test_an_image_that_another_job_built_is_adopted_in_place_of_a_build() -> None:
    build, adopt = releasing()["build"], releasing()["adopt"]
    assert (build["if"], adopt["if"]) == ("${{ !inputs.image }}", "${{ inputs.image }}")
    assert adopt["env"] == {name.upper(): f"${{{{ inputs.{name} }}}}" for name in ("image", "commit", "source")}
    written = [step["run"].rsplit("> ", 1)[1].strip() for step in (build, adopt)]
    assert written == ['"$RUNNER_TEMP/digest"'] * 2
    on = read(RELEASE)["on"]
    assert [*on["workflow_dispatch"]["inputs"]] == ["image", "commit", "source", "exceptions"]
    assert [*on["workflow_call"]["inputs"]] == ["image", "commit", "source", "hotfix", "exceptions"]


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
        assert line.startswith("exec .venv/bin/release "), name
        assert not set("|;&`") & set(line), name


@pure
def test_production_comes_after_staging_and_a_review() -> None:
    assert jobs()["checks"]["needs"] == "build"
    assert jobs()["staging"]["needs"] == ["build", "checks"]
    assert jobs()["review"]["needs"] == ["build", "staging"]
    assert jobs()["production"]["needs"] == ["build", "review"]


@pure
def test_only_main_is_released() -> None:
    assert read(RELEASE)["on"]["push"] == {"branches": ["main"]}
    assert jobs()["build"]["if"] == all_jobs()["rollback"]["if"] == "github.ref == 'refs/heads/main'"


@pure
def test_the_engine_is_the_one_that_the_sdk_is_pinned_to() -> None:
    (engine,) = [step for step in remote() if "pulumi/actions" in step["uses"]]
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert f"pulumi=={engine['with']['pulumi-version']}" in dependencies


@pure
def test_what_needs_the_internet_is_left_out_by_act() -> None:
    """But for the checkout: act copies the working directory in its place."""
    assert all(step["if"].startswith("${{ !env.ACT ") for step in remote() if "checkout" not in step["uses"])


@pure
def test_a_pull_request_of_a_fork_is_never_previewed_and_no_secret_reaches_one() -> None:
    preview = workflow("preview")
    assert [*preview["on"]] == ["pull_request"]  # never pull_request_target, which gives forks this repository's roles
    job = preview["jobs"]["preview"]
    assert job["if"] == "github.event.pull_request.head.repo.full_name == github.repository"
    assert "environment" not in job


@pure
def test_a_preview_asks_only_for_a_review_of_staging() -> None:
    assert releasing()["preview"]["run"] == 'exec .venv/bin/release review staging > "$RUNNER_TEMP/result"'


@pure
def test_a_hotfix_is_a_release_with_a_reason() -> None:
    hotfix = workflow("hotfix")
    (job,) = hotfix["jobs"].values()
    assert (job["uses"], job["with"]["hotfix"]) == ("./.github/workflows/release.yml", "${{ inputs.reason }}")
    assert hotfix["on"]["workflow_dispatch"]["inputs"]["reason"]["required"] is True


@pure
def test_nothing_that_a_step_writes_becomes_part_of_the_environment_of_later_steps() -> None:
    """But for what act takes from this machine. zizmor: github-env."""
    for step in steps():
        if step.get("if") != "${{ env.ACT }}":
            assert "GITHUB_ENV" not in step.get("run", ""), step["name"]
            assert "GITHUB_PATH" not in step.get("run", ""), step["name"]


@pure
def test_zizmor_finds_nothing() -> None:
    zizmor = Path(sys.executable).with_name("zizmor")
    done = subprocess.run([zizmor, "--offline", "--quiet", "."], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.pipeline
def test_actionlint_finds_nothing() -> None:
    """But for `queue`, which it does not know yet."""
    from local_aws.toolchain import ensure_actionlint
    from local_aws.toolchain.cache import cache_folder

    binary = ensure_actionlint(cache_folder(), lambda text: print(text, file=sys.stderr))
    files = [str(path) for path in WORKFLOWS if path != PREPARE]
    queue = 'unexpected key "queue" for "concurrency" section'
    done = subprocess.run([binary, "-ignore", queue, *files], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
