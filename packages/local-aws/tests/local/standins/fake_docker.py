"""A `docker` command for tests: a script that writes down how it was called and answers as instructed."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DIGEST = "sha256:" + "a" * 64
LOCAL_ID = "sha256:" + "b" * 64
_SCRIPT = """\
#!{python}
import json, os, sys, time
here = os.path.dirname(os.path.abspath(__file__))
verb = sys.argv[1]
config = os.path.join(os.environ.get("DOCKER_CONFIG", "nowhere"), "config.json")
with open(os.path.join(here, "calls"), "a") as file:
    print(json.dumps({{
        "arguments": sys.argv[1:],
        "buildkit": os.environ.get("DOCKER_BUILDKIT"),
        "login": json.load(open(config)) if os.path.exists(config) else None,
        "host": os.environ.get("DOCKER_HOST"),
        "base": os.environ.get("BASE_IMAGE"),
    }}), file=file)
answer = json.load(open(os.path.join(here, "answers.json"))).get(verb, {{}})
print(answer.get("out", ""), flush=True)
if answer.get("err"):
    print(answer["err"], file=sys.stderr, flush=True)
if answer.get("hang"):
    time.sleep(600)
sys.exit(answer.get("code", 0))
"""


@dataclass(frozen=True)
class FakeDocker:
    """`environment` puts it on PATH; `answers` by verb: out, err, code, hang."""

    folder: Path

    @classmethod
    def make(cls, folder: Path, **answers: dict[str, Any]) -> FakeDocker:
        script = folder / "docker"
        script.write_text(_SCRIPT.format(python=sys.executable))
        script.chmod(0o755)
        ready = {
            "version": {"out": "linux/amd64"},
            "context": {"out": "unix:///run/the-users.sock"},
            "build": {"out": "Successfully built 0123"},
            "image": {"out": LOCAL_ID},
            "push": {"out": f"1: Pushed\nc1: digest: {DIGEST} size: 736"},
        }
        (folder / "answers.json").write_text(json.dumps(ready | answers))
        return cls(folder)

    @property
    def environment(self) -> dict[str, str]:
        return {"PATH": str(self.folder), "AWS_ENDPOINT_URL": "http://127.0.0.1:4566"}

    def calls(self, verb: str) -> list[dict[str, Any]]:
        """How it was called with that verb."""
        path = self.folder / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        return [call for call in map(json.loads, lines) if call["arguments"][0] == verb]
