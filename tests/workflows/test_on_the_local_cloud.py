"""The pipelines on the local cloud, with the real command, engine and containers: each CI system takes the same cases.

All share one environment: a system begins where the one before it ended. A case that runs alone first makes the
releases that it needs.
"""

from __future__ import annotations

import re
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from release_lane.record.adoption import REVISION
from tests.command.checkout import FAULT, Checkout, Ended, on_the_local_cloud

from tests.workflows import github, gitlab, jenkins

pytestmark = [pytest.mark.cloud, pytest.mark.long]

HEADING = "# Review: production"
REASON = "prices are wrong"
CHECKS = r"(?ms)^(\[tool\.release-lane\.checks\]\n).*?(?=^\[)"
"""What `release check` runs. It is of no account here; a hotfix leaves out all but `tests`."""


class System(ABC):
    """A CI system over a checkout, in which each approval is given."""

    promotes: ClassVar[str]
    """A pattern of its output: the job of production began."""

    def __init__(self, folder: Path, checkout: Checkout) -> None:
        """`folder`: for files of its own, outside the checkout."""
        self.folder, self.checkout = folder, checkout

    @abstractmethod
    def push(self) -> Ended:
        """What a push of HEAD to main would run."""

    @abstractmethod
    def hotfix(self, reason: str) -> Ended:
        """What a person starts by hand on main to release HEAD as a hotfix."""

    @abstractmethod
    def rollback(self, environment: str, reason: str) -> Ended:
        """What a person starts by hand on main to go back to the previous release."""

    def review(self, done: Ended) -> str:
        """What the approver of this run read, from its heading on."""
        return "".join(done.out.partition(HEADING)[1:])


class Github(System):
    """act."""

    promotes = r"(?m)^(?!.*Job.*skipped).*Promote to production"

    def push(self) -> Ended:
        return self._run("release", "push", {"after": self.checkout.git("rev-parse", "HEAD")})

    def hotfix(self, reason: str) -> Ended:
        return self.dispatch("hotfix", reason=reason)

    def rollback(self, environment: str, reason: str) -> Ended:
        return self.dispatch("rollback", environment=environment, digest="", reason=reason)

    def dispatch(self, workflow: str, **inputs: str) -> Ended:
        """What a person starts by hand on main, with these inputs."""
        return self._run(workflow, "workflow_dispatch", {"inputs": inputs})

    def _run(self, workflow: str, event: str, about: Any) -> Ended:
        code = ("--env", f"PYTHONPATH={self.checkout.folder}")
        command = github.command(self.folder, workflow, event, about, code)
        return self.checkout.run(*command, **github.places(self.folder))


class Gitlab(System):
    """gitlab-ci-local; a person starts the job `production`."""

    promotes = r"(?m)^production +\$ .*release promote"

    def push(self) -> Ended:
        return self._run("push")

    def hotfix(self, reason: str) -> Ended:
        return self._run("web", HOTFIX=reason)

    def rollback(self, environment: str, reason: str) -> Ended:
        return self._run("web", ROLLBACK=environment, REASON=reason)

    def review(self, done: Ended) -> str:
        del done
        return (self.checkout.folder / "review.md").read_text()

    def _run(self, source: str, **variables: str) -> Ended:
        command = gitlab.command(self.folder, manual=("production",), source=source, **variables)
        return self.checkout.run(*command, "--no-shell-isolation")


class Jenkins(System):
    """The stages by Groovy."""

    promotes = r"(?m)^\[jenkins\] stage Production$"

    def push(self) -> Ended:
        return self._run()

    def hotfix(self, reason: str) -> Ended:
        return self._run(PARAM_HOTFIX=reason)

    def rollback(self, environment: str, reason: str) -> Ended:
        return self._run(PARAM_ROLLBACK=environment, PARAM_REASON=reason)

    def _run(self, **parameters: str) -> Ended:
        work = self.folder / str(len(list(self.folder.iterdir())))
        return self.checkout.run(
            *jenkins.command(self.checkout.folder, work), BRANCH_NAME="main", APPROVER="ann", **parameters
        )


def without(program: str) -> pytest.MarkDecorator:
    """Left out where this program is not installed."""
    return pytest.mark.skipif(not shutil.which(program), reason=f"{program} is not installed (./bootstrap as root)")


SYSTEMS = [
    pytest.param(Github, id="github"),
    pytest.param(Gitlab, id="gitlab", marks=without("rsync")),
    pytest.param(Jenkins, id="jenkins", marks=without("java")),
]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """Pipelines as their runners here know them, checks that take no time, and one ledger for all workspaces."""
    with on_the_local_cloud(tmp_path_factory.mktemp("pipelines") / "checkout") as made:
        github.known_to_act(made.folder)
        gitlab.in_a_shell(made.folder)
        replace(made.folder / "pyproject.toml", CHECKS, '\\1tests = "true"\nlint = "true"\n\n')
        for stack in ("staging", "production"):
            replace(made.folder / f"Pulumi.{stack}.yaml", "file://.local", f"file://{made.folder}/.local")
        # GitLab checks out anew for each job; here what jobs write stays, and must not become part of a commit.
        (made.folder / ".git/info/exclude").write_text("digest\n*.env\nreview.*\n.gitlab-ci-local/\n")
        made.commit("For runners on this machine")
        yield made


def replace(path: Path, pattern: str, by: str) -> None:
    """Write a file anew, with something else in place of a pattern."""
    found, count = re.subn(pattern, by, path.read_text())
    assert count, f"{path} has no {pattern}"
    path.write_text(found)


@pytest.fixture(scope="module", params=SYSTEMS)
def system(request: pytest.FixtureRequest, checkout: Checkout, tmp_path_factory: pytest.TempPathFactory) -> System:
    made: System = request.param(tmp_path_factory.mktemp("system"), checkout)
    return made


on_github = pytest.mark.parametrize("system", [pytest.param(Github, id="github")], indirect=True)


def digests(checkout: Checkout) -> tuple[str, str]:
    """What is live in staging and in production; None where nothing is."""
    staging, production = checkout.release("status", "--json").ok().data["environments"]
    return staging["digest"], production["digest"]


def differ(checkout: Checkout) -> str:
    """A commit whose build differs, and does the same."""
    return checkout.change("app/checksums.py", "hashlib.sha512", "hashlib.sha512 ")


def begun(checkout: Checkout) -> tuple[str, str]:
    """The verb of production's last update and the reason that was given, by the ledger."""
    entries = checkout.release("history", "production", "--last", "1", "--json").ok().data["entries"]
    intent = [each for each in entries if each["kind"] == "intent"][-1]
    return intent["verb"], intent["reason"]


def hotfixes(checkout: Checkout) -> dict[str, Any]:
    """What the metrics say of production's hotfixes."""
    (row,) = checkout.release("metrics", "production", "--json").ok().data["environments"]
    return row["hotfixes"] or {"count": 0}


@pytest.fixture
def live(system: System, checkout: Checkout) -> tuple[str, str]:
    """What is live in staging and in production; HEAD is released where nothing is."""
    if not all(found := digests(checkout)):
        system.push().ok()
        found = digests(checkout)
    return found


@pytest.fixture
def previous(system: System, checkout: Checkout, live: tuple[str, str]) -> str:
    """What production goes back to; one more release is made where there is nothing to go back to."""
    row = checkout.status("production")
    if row["previousDigest"] and "forwardAgain" not in row["rollback"]:
        return str(row["previousDigest"])
    differ(checkout)
    system.push().ok()
    return live[1]


def test_a_push_to_main_goes_to_production_by_one_digest(system: System, checkout: Checkout) -> None:
    commit = differ(checkout)
    done = system.push().ok()
    staging, production = digests(checkout)
    assert checkout.status("production")["commit"] == commit
    assert staging == production
    assert system.review(done).startswith(HEADING)
    assert f"**staging** proved `{staging}`" in system.review(done)
    assert re.search(system.promotes, done.out), done.out


@on_github
@pytest.mark.usefixtures("live")
def test_the_same_commit_again_builds_and_changes_nothing(system: System, checkout: Checkout) -> None:
    before = checkout.status("production")
    done = system.push().ok()
    assert checkout.status("production") == before
    assert "nothing to do" in done.out


def test_a_hotfix_goes_to_production_and_the_metrics_have_its_time(
    system: System, checkout: Checkout, live: tuple[str, str]
) -> None:
    before, commit = hotfixes(checkout), differ(checkout)
    done = system.hotfix(REASON).ok()
    assert checkout.status("production")["commit"] == commit
    assert digests(checkout) != live
    assert f"Left out for a hotfix: {REASON}: lint." in done.out
    after = hotfixes(checkout)
    assert after["count"] == before["count"] + 1
    assert after["medianSeconds"] > 0
    assert begun(checkout) == ("promote", REASON)


def test_a_rollback_takes_production_back_and_leaves_staging(system: System, checkout: Checkout, previous: str) -> None:
    staging, left = digests(checkout)
    system.rollback("production", "errors").ok()
    now, back = digests(checkout)
    assert (now, back) == (staging, previous)
    assert back != left
    assert begun(checkout) == ("rollback", "errors")


@on_github
@pytest.mark.usefixtures("live")
@without("skopeo")
def test_an_image_of_another_job_goes_to_production_without_a_build(system: Github, checkout: Checkout) -> None:
    registry = checkout.variables["AWS_ENDPOINT_URL"].removeprefix("http://")
    ours = f"{registry}/{checkout.project}/app"
    commit = checkout.commit("Built by another job")
    recipe = f"FROM {ours}@{checkout.status('production')['digest']}\nENV COMMIT={commit}\nLABEL {REVISION}={commit}\n"
    checkout.run_with("docker", "build", "-q", "-t", f"{ours}:ci-7", "-", given=recipe).ok()
    digest = checkout.run("docker", "push", f"{ours}:ci-7").ok().out.rsplit("digest: ", 1)[1].split()[0]
    system.dispatch("release", image=f"{ours}@{digest}", commit=commit, source="https://example.test/shop").ok()
    production = checkout.status("production")
    assert (production["digest"], production["commit"]) == (digest, commit)
    assert "that it is commit" in " ".join(production["unchecked"])


@pytest.fixture
def broken(checkout: Checkout, live: tuple[str, str]) -> Iterator[tuple[str, str]]:
    """HEAD is healthy, but its self-check says error; what is live before it is released."""
    checkout.change("app/checksums.py", *FAULT)
    yield live
    checkout.change("app/checksums.py", *reversed(FAULT))


def test_a_broken_commit_stops_in_staging(system: System, checkout: Checkout, broken: tuple[str, str]) -> None:
    done = system.push()
    assert done.code != 0
    assert "The smoke gate refused" in done.out + done.err
    assert not re.search(system.promotes, done.out), done.out
    assert digests(checkout) == broken
