"""What the emulator keeps in files."""

from __future__ import annotations

import errno
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from local_aws.emulator import wire
from local_aws.emulator.ecr import KnownLayers, LayerFiles
from local_aws.emulator.wire import StateFile


def test_a_state_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    file = StateFile(tmp_path / "folder" / "state.json")
    assert file.load() is None
    for document in ({"a": 1}, {"a": 2}):
        file.save(document)
        assert file.load() == document
    assert [path.name for path in file.path.parent.iterdir()] == ["state.json"]


def test_layers_are_files(tmp_path: Path) -> None:
    layers = LayerFiles(tmp_path / "repository", KnownLayers(tmp_path / "cache"))
    assert (len(layers), layers.get("sha256:1")) == (0, None)
    layers["sha256:1"] = b"content"
    assert (list(layers), layers["sha256:1"], "sha256:1" in layers) == (["sha256:1"], b"content", True)
    assert layers.pop("sha256:1") == b"content"
    assert "sha256:1" not in layers


BIG = b"." * KnownLayers.BIG


def test_a_big_layer_is_had_by_the_next_cloud_as_well_until_it_is_out_of_use(tmp_path: Path) -> None:
    def cloud(name: str) -> LayerFiles:
        return LayerFiles(tmp_path / name / "repository", KnownLayers(tmp_path / "cache"))

    first = cloud("first")
    first.update({"sha256:big": BIG, "sha256:small": b"."})
    second = cloud("second")
    assert (second["sha256:big"] == BIG, "sha256:small" in second) == (True, False)
    del second["sha256:big"], first["sha256:big"]
    (kept,) = (tmp_path / "cache").iterdir()
    os.utime(kept, (0, 0))
    assert "sha256:big" not in cloud("third")
    assert [*(tmp_path / "cache").iterdir()] == []


def test_a_layer_is_shared_across_file_systems_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def link(*_: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", link)
    known = KnownLayers(tmp_path / "cache")
    LayerFiles(tmp_path / "first", known)["sha256:big"] = BIG
    assert LayerFiles(tmp_path / "second", known)["sha256:big"] == BIG


def test_a_layer_is_taken_where_the_cache_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("no folder")
    layers = LayerFiles(tmp_path / "repository", KnownLayers(tmp_path / "cache"))
    layers["sha256:big"] = BIG
    assert (layers["sha256:big"] == BIG, "sha256:other" in layers) == (True, False)


def test_what_did_not_change_is_not_written_out_again(monkeypatch: pytest.MonkeyPatch) -> None:
    @dataclass(frozen=True)
    class Value:
        name: str

    encoded: list[Any] = []
    monkeypatch.setattr(wire, "encode", lambda value: encoded.append(value) or {"name": value.name})
    texts, one, two = wire.Texts(), Value("one"), Value("two")
    assert texts.of([]) == "[]"
    assert json.loads(texts.of([one, two])) == [{"name": "one"}, {"name": "two"}]
    changed = Value("more")
    assert json.loads(texts.of([one, changed])) == [{"name": "one"}, {"name": "more"}]
    assert encoded == [one, two, changed]
    assert texts.of([two]) == '[{"name": "two"}]'
    assert encoded[-1] is two, "what was gone in between is no longer known"
