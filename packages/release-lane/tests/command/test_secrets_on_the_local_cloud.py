"""Secrets of all kinds are planted, and looked for in all that a run leaves behind and shows while it runs.

One story, in order: first what is allowed (and works), then what is refused.
"""

from __future__ import annotations

import secrets
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml
from tests.command.checkout import Checkout, Ended, on_the_local_cloud, until

pytestmark = [pytest.mark.cloud, pytest.mark.long]

OF_SHELL, OF_PARAMETER, OF_WEBHOOK, OF_CONFIG, LITERAL = (
    f"{kind}{secrets.token_hex(8)}" for kind in ("shell", "parameter", "webhook", "config", "literal")
)
HISTORY = ".pulumi/history/"
"""The engine keeps each update's configuration there, as it stands in the stack file."""


@dataclass
class Place:
    """A checkout, and where its processes keep what is temporary."""

    checkout: Checkout
    parameter: str = ""
    seen: list[bytes] = field(default_factory=list)

    def release(self, *arguments: str) -> Ended:
        with self.watched():
            return self.checkout.release(*arguments)

    def pulumi(self, *arguments: str) -> Ended:
        with self.watched():
            return self.checkout.run("pulumi", *arguments, "--stack", "staging", "--non-interactive")

    @contextmanager
    def watched(self) -> Iterator[None]:
        """All command lines of this machine meanwhile."""
        over = threading.Event()

        def look() -> None:
            while not over.wait(0.05):
                for process in Path("/proc").glob("[0-9]*/cmdline"):
                    try:
                        line = process.read_bytes()
                    except OSError:
                        continue
                    if any(each.encode() in line for each in (OF_SHELL, OF_PARAMETER, OF_WEBHOOK, OF_CONFIG, LITERAL)):
                        self.seen.append(line)

        watcher = threading.Thread(target=look)
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join()

    def set(self, **settings: object) -> None:
        """Keys of staging's stack file."""
        file = self.checkout.folder / "Pulumi.staging.yaml"
        content = yaml.safe_load(file.read_text())
        content["config"] |= {f"{self.checkout.project}:{key}": value for key, value in settings.items()}
        file.write_text(yaml.safe_dump(content))

    def declare(self, name: str) -> None:
        """The sample takes this secret as well."""
        recipe, label = self.checkout.folder / "app/Dockerfile", "dev.release-lane.secrets.optional="
        text = recipe.read_text()
        assert f'{label}""' in text
        recipe.write_text(text.replace(f'{label}""', f'{label}"{name}"'))

    def restore(self) -> None:
        self.checkout.git("checkout", "--quiet", "--", "Pulumi.staging.yaml")

    def holding(self, secret: str) -> set[str]:
        """Files below the checkout, its state and its temporary folder."""
        root = self.checkout.folder.parent
        files = (path for path in root.rglob("*") if path.is_file() and not path.is_symlink())
        return {str(path.relative_to(root)) for path in files if secret.encode() in path.read_bytes()}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("secrets")
    (folder / "tmp").mkdir()
    with on_the_local_cloud(folder / "checkout") as checkout:
        name = f"/{checkout.project}/token"
        checkout.aws("ssm").put_parameter(Name=name, Value=OF_PARAMETER, Type="SecureString")
        checkout.variables |= {"TMPDIR": str(folder / "tmp"), "AWS_SECRET_ACCESS_KEY": OF_SHELL}
        place = Place(checkout, f"arn:aws:ssm:us-east-1:000000000000:parameter{name}")
        place.declare("TOKEN")
        place.set(secrets={"TOKEN": place.parameter}, notify={"webhook": f"http://127.0.0.1:9/{OF_WEBHOOK}"})
        checkout.commit("A secret by reference, and a webhook that does not answer")
        yield place
        checkout.aws("ssm").delete_parameter(Name=name)


def texts(*ended: Ended) -> str:
    return "".join(each.out + each.err for each in ended)


def test_a_release_with_a_secret_shows_it_to_its_tasks_alone(place: Place) -> None:
    shown = texts(
        place.release("build").ok(),
        place.release("deploy", "staging", "--json").ok(),
        place.release("status", "--json").ok(),
        place.release("status", "staging").ok(),
        place.release("review", "production"),
        place.pulumi("stack", "output", "--json", "--show-secrets"),
        place.pulumi("stack", "export", "--show-secrets"),
    )
    assert place.parameter in shown, "the reference is no secret"
    for secret in (OF_SHELL, OF_PARAMETER, OF_WEBHOOK):
        assert secret not in shown
    assert place.holding(OF_SHELL) == place.holding(OF_PARAMETER) == set()


PLANTED = (OF_SHELL, OF_PARAMETER, OF_WEBHOOK)


def test_pages_records_and_plans_of_it_hold_none(place: Place) -> None:
    files = [part for suffix in ("md", "html", "json", "seal") for part in ("--out", f"review.{suffix}")]
    shown = texts(
        place.release("review", "staging", *files).ok(),
        place.release("plan", "--out", "pages").ok(),
        place.release("board", "--out", "pages").ok(),
        place.release("metrics", "--out", "pages").ok(),
        place.release("history", "--last", "0", "--json").ok(),
        place.release("drift", "staging", "--json"),
        place.pulumi("preview", "--diff"),
        place.pulumi("preview", "--json"),
    )
    assert not [secret for secret in PLANTED if secret in shown]
    written = {file.removeprefix("checkout/") for file in place.holding("staging")}
    assert {"review.html", "review.json", "pages/board.html", "pages/plan.json"} <= written, "they are among the files"
    assert any("ledger" in file for file in written), "and so is the ledger"
    assert place.holding(OF_SHELL) == place.holding(OF_PARAMETER) == set()
    assert {file for file in place.holding(OF_WEBHOOK) if HISTORY not in file} <= {
        "checkout/Pulumi.staging.yaml",
        "checkout/.local/stacks/Pulumi.staging.yaml",
    }


def test_logs_of_tasks_and_the_image_hold_none(place: Place) -> None:
    checkout, logs = place.checkout, place.checkout.aws("logs")
    groups = [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]]
    (group,) = [name for name in groups if checkout.project in name and "staging" in name]
    lines = "".join(event["message"] for event in logs.filter_log_events(logGroupName=group)["events"])
    assert "/api/v1/status" in lines, "or this test would see nothing"
    assert not [secret for secret in PLANTED if secret in lines]
    live = place.release("status", "staging", "--json").ok().data["environments"][0]
    registry = checkout.variables["AWS_ENDPOINT_URL"].removeprefix("http://")
    image = f"{registry}/{checkout.project}/app@{live['digest']}"
    subprocess.run(["docker", "pull", "--quiet", image], check=True, capture_output=True, env=checkout.variables)
    saved = subprocess.run(["docker", "save", image], check=True, capture_output=True, env=checkout.variables).stdout
    assert live["commit"].encode() in saved, "or this test would see nothing"
    assert not [secret for secret in PLANTED if secret.encode() in saved]


def test_a_webhooks_address_is_never_shown_although_it_does_not_answer(place: Place) -> None:
    refused = place.release("deploy", "staging", "--digest", "sha256:" + "0" * 64, "--json")
    assert refused.code == 4
    assert "the webhook did not get it: 127.0.0.1 did not answer" in refused.err
    assert OF_WEBHOOK not in texts(refused)
    left = place.holding(OF_WEBHOOK)
    assert "checkout/Pulumi.staging.yaml" in left, "where a person wrote it; or this test would see nothing"
    assert {file for file in left if HISTORY not in file} == {"checkout/Pulumi.staging.yaml"}


def test_a_secret_of_the_configuration_is_no_setting(place: Place) -> None:
    key = f"{place.checkout.project}:env.API_TOKEN"
    place.checkout.run_with(
        "pulumi", "config", "set", "--secret", "--path", key, "--stack", "staging", "--non-interactive", given=OF_CONFIG
    ).ok()
    tries = (
        place.release("deploy", "staging", "--json"),
        place.release("review", "staging"),
        place.pulumi("preview", "--diff"),
        place.pulumi("up", "--yes", "--skip-preview"),
    )
    assert [each.code for each in tries[:2]] == [2, 2]
    for each in tries:
        assert "env: is given as a secret (pulumi config set --secret)" in texts(each)
        assert "its ARN under `secrets`" in texts(each)
    assert OF_CONFIG not in texts(*tries, place.release("status", "--json").ok())
    assert place.holding(OF_CONFIG) == set()
    place.restore()


def test_a_secret_in_place_of_its_reference_is_refused_and_not_repeated(place: Place) -> None:
    place.set(secrets={"DB_PASSWORD": LITERAL})
    tries = (
        place.release("deploy", "staging", "--json"),
        place.pulumi("preview", "--diff"),
        place.pulumi("up", "--yes", "--skip-preview"),
    )
    for each in tries:
        assert each.code != 0
        assert "secrets.DB_PASSWORD: should be the ARN of an SSM parameter" in texts(each)
    assert LITERAL not in texts(*tries)
    assert {file for file in place.holding(LITERAL) if HISTORY not in file} == {"checkout/Pulumi.staging.yaml"}
    place.restore()


def test_nothing_of_it_was_ever_an_argument_of_a_process(place: Place) -> None:
    assert place.seen == []
    with place.watched(), subprocess.Popen(["cat", "-", LITERAL], stdin=subprocess.PIPE):
        until(lambda: place.seen, "one that is an argument is seen")


def test_what_is_live_is_untouched_by_all_of_this(place: Place) -> None:
    row = place.checkout.status("staging")
    assert row["history"][-1]["service"]["secrets"] == {"TOKEN": place.parameter}
    assert place.release("smoke", "staging").code == 0
