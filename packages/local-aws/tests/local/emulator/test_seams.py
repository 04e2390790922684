"""Where the emulator reaches into ministack: all of it is named, checked, and a difference is reported."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from local_aws.emulator import seams
from local_aws.emulator_process import ensure_environment
from local_aws.toolchain.cache import cache_folder
from tests.local.repository import ROOT

SOURCES = ROOT / "packages/local-aws/src"
EMULATOR = SOURCES / "local_aws/emulator"


# ---- nothing is reached into in silence


def files() -> list[Path]:
    return [path for path in EMULATOR.rglob("*.py") if path.name != "seams.py"]


def reached(path: Path) -> Iterator[str]:
    """Everything of ministack's that a file uses, as `module:name` below ministack."""
    tree = ast.parse(path.read_text())
    modules: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "ministack":
            for each in node.names:
                below = ".".join([*(node.module or "").split(".")[1:], each.name])
                if (node.module or "").count(".") < 2:  # a module: ministack.app, ministack.services.ecr
                    modules[each.asname or each.name] = below
                else:
                    yield f"{below.rpartition('.')[0]}:{each.name}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            yield f"{modules[node.value.id]}:{node.attr}"


@pytest.mark.pure
@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(EMULATOR)))
def test_whatever_of_ministack_a_file_uses_is_a_seam_of_one_of_its_corrections(path: Path) -> None:
    name = str(path.relative_to(SOURCES))
    declared = {seam for each in seams.CORRECTIONS if each.file == name for seam in each.seams}
    assert set(reached(path)) - declared == set()


@pytest.mark.pure
def test_the_reader_sees_modules_and_names() -> None:
    assert {"app:_state_map", "core.persistence:save_state", "services.ecr:handle_registry_request"} <= set(
        reached(EMULATOR / "durable.py")
    )


@pytest.mark.pure
def test_every_seam_has_a_fingerprint_and_every_correction_a_file() -> None:
    assert seams.named(seams.CORRECTIONS) == sorted(seams.SEAMS)
    assert [each.file for each in seams.CORRECTIONS if not (SOURCES / each.file).exists()] == []


# ---- a difference is shown


def describe(data: Any) -> Any:
    return data


def describe_otherwise(data: Any) -> Any:
    return [data]


KNOWN = {
    "services.ecr:_describe_images": seams.shape("x", lambda _: describe),
    "services.ecr:_images": "dict",
}


@pytest.mark.pure
def test_what_is_as_it_was_passes() -> None:
    seams.check({"services.ecr:_describe_images": describe, "services.ecr:_images": {}}.__getitem__, KNOWN)


@pytest.mark.pure
@pytest.mark.parametrize(
    ("now", "shown"),
    [
        ({"services.ecr:_describe_images": describe_otherwise, "services.ecr:_images": {}}, "_describe_images: was"),
        ({"services.ecr:_describe_images": describe, "services.ecr:_images": []}, "_images: was dict, is list"),
        ({"services.ecr:_describe_images": None, "services.ecr:_images": {}}, "_describe_images: was"),
    ],
)
def test_another_source_or_type_is_refused_with_the_behaviours_in_doubt(now: dict[str, Any], shown: str) -> None:
    with pytest.raises(seams.Moved, match=shown) as refused:
        seams.check(now.__getitem__, KNOWN)
    text = str(refused.value)
    assert ("DescribeImages of an image that is not there" in text) == ("_describe_images" in shown)
    assert "python -m local_aws.emulator.seams" in text


@pytest.mark.pure
def test_what_is_gone_is_refused() -> None:
    def gone(_: str) -> Any:
        raise AttributeError

    with pytest.raises(seams.Moved, match="is missing"):
        seams.check(gone, KNOWN)


# ---- the real ministack

START = """
import os, sys
from ministack.services import ecr
def _describe_images(data):
    return "another version of it"
{change}
from local_aws.emulator.__main__ import Unfit, serve
try:
    serve({{}}, [])
except Unfit as error:
    sys.exit(str(error))
"""


@pytest.mark.provider
def test_an_emulator_whose_ministack_moved_does_not_start_and_says_why(tmp_path: Path) -> None:
    python = ensure_environment(cache_folder(), print)
    program = tmp_path / "start.py"
    program.write_text(START.format(change="ecr._describe_images = _describe_images"))
    environment = {"PYTHONPATH": str(SOURCES), "LOCAL_EMULATOR_STATE": str(tmp_path), "PATH": "/usr/bin:/bin"}
    done = subprocess.run([str(python), str(program)], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "ministack.services.ecr:_describe_images: was" in done.stderr
    assert "DescribeImages of an image that is not there is ImageNotFoundException" in done.stderr
    assert "Traceback" not in done.stderr
