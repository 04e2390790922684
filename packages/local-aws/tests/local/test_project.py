"""A project's stack files, and what the local cloud makes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from local_aws.cloud import IMAGES
from local_aws.errors import LocalError
from local_aws.project import SALT, SERVERS, outdated, overlay, read_project, write_overlays

pytestmark = pytest.mark.provider

STAGING: dict[str, Any] = {
    "config": {
        "aws:region": "eu-central-1",
        "aws:profile": "shop",
        "shop:account": "123456789012",
        "shop:service": {"cpu": 256},
    },
    "secretsprovider": "awskms://alias/shop",
    "encryptedkey": "AQICAHg=",
}
TABLE = """
[tool.local-aws]
stacks = ["staging"]
[tool.local-aws.settings]
account = "000000000000"
"other:key" = 3
[tool.local-aws.environment]
SHOP_STACKS = "{stacks}"
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "Pulumi.yaml").write_text("name: shop\nruntime: python\n")
    (tmp_path / "Pulumi.staging.yaml").write_text(yaml.safe_dump(STAGING))
    (tmp_path / "Pulumi.production.yaml").write_text("config: {}\n")
    return tmp_path


def test_a_project_without_a_table_has_all_stacks_that_have_a_file_and_no_settings(root: Path) -> None:
    found = read_project(root)
    assert (found.name, found.stacks, found.settings, found.environment) == ("shop", ("production", "staging"), {}, {})


def test_the_table_chooses_stacks_settings_and_variables(root: Path) -> None:
    (root / "pyproject.toml").write_text(TABLE)
    found = read_project(root)
    assert found.stacks == ("staging",)
    assert found.settings == {"shop:account": "000000000000", "other:key": 3}
    assert found.variables(root / ".local/stacks") == {"SHOP_STACKS": f"{root}/.local/stacks"}


def test_a_project_names_the_servers_that_its_program_creates(root: Path) -> None:
    assert read_project(root).servers == ()
    (root / "pyproject.toml").write_text('[tool.local-aws]\nservers = ["database"]\n')
    assert read_project(root).servers == ("database",)
    assert {*SERVERS} == IMAGES.keys()


def test_one_stack_may_have_settings_of_its_own(root: Path) -> None:
    own = '[tool.local-aws.settings-of.staging]\naccount = "111111111111"\nreplicas = { most = 2 }\n'
    (root / "pyproject.toml").write_text(TABLE + own)
    config = yaml.safe_load(overlay(read_project(root), "staging"))["config"]
    assert (config["shop:account"], config["shop:replicas"]) == ("111111111111", {"most": 2})
    assert yaml.safe_load(overlay(read_project(root), "production"))["config"]["shop:account"] == "000000000000"
    (root / "pyproject.toml").write_text("[tool.local-aws.settings-of]\nstaging = 3\n")
    with pytest.raises(LocalError, match="needs tables for settings, settings-of"):
        read_project(root)


def test_a_key_with_dots_sets_one_entry_of_a_map_in_the_files_that_have_this_map(root: Path) -> None:
    given = '[tool.local-aws.settings]\n"service.memory" = 512\n"smoke.deadlineSeconds" = 5\n"aws:region.a" = 1\n'
    (root / "pyproject.toml").write_text(given + '[tool.local-aws.settings-of.staging]\n"service.memory" = 1024\n')
    staging, production = (yaml.safe_load(overlay(read_project(root), each)) for each in ("staging", "production"))
    assert staging["config"] == {
        "aws:region": "us-east-1",
        "shop:account": "123456789012",
        "shop:service": {"cpu": 256, "memory": 1024},
    }
    assert production["config"] == {}


def test_a_dot_in_a_projects_name_is_a_part_of_it(root: Path) -> None:
    settings = root / "Pulumi.yaml"
    settings.write_text(settings.read_text().replace("name: shop", "name: my.shop"))
    (root / "Pulumi.staging.yaml").write_text('config:\n  my.shop:account: "123456789012"\n')
    (root / "pyproject.toml").write_text('[tool.local-aws.settings]\naccount = "000000000000"\n')
    assert yaml.safe_load(overlay(read_project(root), "staging"))["config"] == {"my.shop:account": "000000000000"}


def test_an_overlay_has_the_settings_of_here_and_nothing_of_the_accounts_secrets(root: Path) -> None:
    (root / "pyproject.toml").write_text(TABLE)
    assert yaml.safe_load(overlay(read_project(root), "staging")) == {
        "config": {
            "aws:region": "us-east-1",
            "shop:account": "000000000000",
            "shop:service": {"cpu": 256},
            "other:key": 3,
        },
        "encryptionsalt": SALT,
    }


AS_WRITTEN = {
    "2026-12-24": "2026-12-24",
    "'2026-12-24'": '"2026-12-24"',
    "16:00": "16:00",
    "'16:00'": '"16:00"',
    "on": "on",
    "'on'": '"on"',
    "0o17": "0o17",
    "'1e3'": '"1e3"',
    "1e3": "1e3",
    "012345678901": "012345678901",
    "'012345678901'": '"012345678901"',
    "=": "=",
    "": "null",
    "!!str 2026-12-24": '"2026-12-24"',
    "|-\n      a": "a",
}


@pytest.mark.parametrize("written", AS_WRITTEN)
def test_an_overlay_says_what_the_stack_file_says_to_every_reader(root: Path, written: str) -> None:
    """Which scalars are numbers, dates and truths is for the engine to say: PyYAML reads other ones."""
    (root / "Pulumi.staging.yaml").write_text(f"config:\n  shop:one: {written}\n  shop:map:\n    on: {written}\n")
    lines = overlay(read_project(root), "staging").splitlines()
    assert f"  shop:one: {AS_WRITTEN[written]}" in lines
    assert f"    on: {AS_WRITTEN[written]}" in lines


def test_text_of_the_table_stays_text(root: Path) -> None:
    (root / "pyproject.toml").write_text('[tool.local-aws.settings]\naccount = "08"\nmost = 8\nflag = true\n')
    lines = overlay(read_project(root), "staging").splitlines()
    assert {'  shop:account: "08"', "  shop:most: 8", "  shop:flag: true"} <= {*lines}


def test_a_key_that_stands_twice_is_refused_here_as_well(root: Path) -> None:
    (root / "Pulumi.staging.yaml").write_text("config:\n  shop:env: {A: 1}\n  shop:env: {B: 2}\n")
    with pytest.raises(LocalError, match=r"Pulumi\.staging\.yaml cannot be read"):
        overlay(read_project(root), "staging")


def test_overlays_are_outdated_once_a_stack_file_or_the_table_changed(root: Path) -> None:
    stacks = root / ".local/stacks"
    assert outdated(read_project(root), stacks) == ["production", "staging"]
    write_overlays(read_project(root), stacks)
    assert outdated(read_project(root), stacks) == []
    (root / "Pulumi.production.yaml").write_text("config: {shop:size: 2}\n")
    assert outdated(read_project(root), stacks) == ["production"]
    (root / "pyproject.toml").write_text(TABLE)
    assert outdated(read_project(root), stacks) == ["staging"]


def test_the_overlay_of_a_removed_stack_goes(root: Path) -> None:
    stacks = root / ".local/stacks"
    write_overlays(read_project(root), stacks)
    (root / "Pulumi.production.yaml").unlink()
    write_overlays(read_project(root), stacks)
    assert [path.name for path in stacks.iterdir()] == ["Pulumi.staging.yaml"]


def test_stack_files_are_found_where_pulumi_looks_for_them(root: Path) -> None:
    (root / "Pulumi.yaml").write_text("name: shop\nruntime: python\nstackConfigDir: stacks\n")
    (root / "stacks").mkdir()
    (root / "Pulumi.staging.yaml").rename(root / "stacks/Pulumi.staging.yaml")
    assert read_project(root).stacks == ("staging",)
    assert "shop:service" in overlay(read_project(root), "staging")


def test_an_encrypted_setting_is_refused_until_it_has_a_value_for_here(root: Path) -> None:
    (root / "Pulumi.staging.yaml").write_text("config: {shop:token: {secure: AAAB}}\n")
    with pytest.raises(LocalError, match="encrypted settings: shop:token") as refused:
        overlay(read_project(root), "staging")
    assert "[tool.local-aws.settings]" in refused.value.next_step
    (root / "pyproject.toml").write_text('[tool.local-aws.settings]\ntoken = "here"\n')
    assert yaml.safe_load(overlay(read_project(root), "staging"))["config"] == {"shop:token": "here"}


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ('[tool.local-aws]\nstack = ["staging"]\n', "has no key stack"),
        ('[tool.local-aws]\nstacks = ["nowhere"]\n', "without a file Pulumi.<stack>.yaml: nowhere"),
        ('[tool.local-aws]\nstacks = "staging"\n', "needs a list of names"),
        ('[tool.local-aws]\nservers = ["mail"]\n', "needs a list for servers, of cache, database"),
        ("[tool.local-aws]\nservers = 1\n", "needs a list for servers, of cache, database"),
        ("[tool.local-aws.environment]\nA = 1\n", "needs text for A"),
        ("[tool.local-aws]\nsettings = 1\n", "needs tables"),
        ("[tool.local-aws\n", "cannot be read"),
    ],
)
def test_a_wrong_table_is_refused_with_what_is_wrong(root: Path, table: str, complaint: str) -> None:
    (root / "pyproject.toml").write_text(table)
    with pytest.raises(LocalError, match=complaint):
        read_project(root)


@pytest.mark.parametrize("mistake", ["A: to: hunter2", 'A: "hunter2', "A: *hunter2", "A: !hunter2!x", "A: !!hunter2 x"])
def test_a_stack_file_that_cannot_be_read_is_named_with_the_line_and_without_its_text(root: Path, mistake: str) -> None:
    (root / "Pulumi.staging.yaml").write_text(f"config:\n  shop:env:\n    {mistake}\n")
    with pytest.raises(LocalError, match=r"Pulumi\.staging\.yaml cannot be read") as refused:
        overlay(read_project(root), "staging")
    assert "hunter2" not in f"{refused.value} {refused.value.why}"
    assert "line " in refused.value.why
