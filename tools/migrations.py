"""`python -m tools.migrations [FOLDER]`: would the sample's migrations hold up users? squawk judges each one by itself.

All in one file would not do: squawk takes a table that was created further up for a new one, which has no users yet.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from provider_kit.streams import outliving

ROOT = Path(__file__).resolve().parents[1]
SQUAWK = (str(Path(sys.executable).with_name("squawk")), "--pg-version=17.0", "--exclude=prefer-text-field")
"""The table of Alembic has a varchar."""


def main(argv: list[str]) -> int:
    """squawk's exit code: 0 if it found nothing. An error of Alembic is one."""
    config = Config((Path(argv[0]) if argv else ROOT) / "app/alembic.ini")
    with tempfile.TemporaryDirectory() as folder:
        for each in ScriptDirectory.from_config(config).walk_revisions():
            text = _sql(config, f"{each.down_revision or 'base'}:{each.revision}")
            Path(folder, f"{each.revision}.sql").write_text(text)
        return subprocess.run([*SQUAWK, f"{folder}/*.sql"]).returncode


def _sql(config: Config, revisions: str) -> str:
    config.output_buffer = io.StringIO()
    command.upgrade(config, revisions, sql=True)
    return config.output_buffer.getvalue()


if __name__ == "__main__":
    sys.exit(outliving(main, sys.argv[1:]))
