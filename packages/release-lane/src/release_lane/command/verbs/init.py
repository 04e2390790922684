"""`release init`: the files of a new project, and what a newer version would change in them."""

from __future__ import annotations

import argparse
import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from release_lane.command.adapters.project import read_project
from release_lane.command.terminal import Terminal
from release_lane.disk import template
from release_lane.errors import CloudError, UsageError
from release_lane.operate.template import (
    TEMPLATE_ENVIRONMENTS,
    THE_TEAMS,
    Answers,
    Ci,
    answers_in,
    ci_of,
    merged_ignores,
    problems,
    render,
)
from release_lane.record.app import App
from release_lane.record.asking import HEALTH_PATH, Identify

ORDER = 5
NAME = "init"
NEEDS_PROJECT = False
HELP = "Write the files with which a service is released, or show what a newer version would change in them."
DETAILS = """\
The files are the template: Pulumi.yaml and a stack file for each stack, infra/ (what an environment
is made of), smoke/, the pipeline of one CI system (--ci), and RELEASING.md. They are yours from
then on; the rest is the package release-lane, which is upgraded by its version. The service stays
where it is: --app names its folder.

A terminal is asked for what no flag gives, and asked again where an answer cannot be used. A file
that exists is never overwritten without --force (lines are added to a .gitignore); if anything is
refused, nothing is written.

--diff compares the files with the template of the installed version, by the answers that they give
themselves. It changes nothing. Exit code 0: no difference, 1: differences. Stack files and
smoke/test_service.py are left out: they are filled in by you.

  release init --project shop --region eu-central-1 --port 3000 --health-path /healthz
  release init ../shop --app services/shop --account 111111111111 --account production=222222222222
  release init --diff
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this verb."""
    add = parser.add_argument
    add("folder", metavar="DIR", nargs="?", default=".", help="a git repository or an empty folder (default: here)")
    add("--project", metavar="NAME", help="name of the project; names in AWS begin with it (default: DIR's name)")
    add("--region", metavar="REGION", help="AWS region of all stacks")
    add(
        "--account",
        metavar="[STACK=]ID",
        action="append",
        help="AWS account of all stacks, or of one; repeat it for several. Without it: to be filled in by hand",
    )
    add("--environments", metavar="FIRST,SECOND", help="names of the two environments (default: staging,production)")
    add("--domain", metavar="NAME", help="the name that users of the second environment come by, like shop.example.com")
    add("--hosted-zone", metavar="ID", help="the Route 53 zone in which a certificate of that name is validated")
    add("--certificate", metavar="ARN", help="a certificate of that name that ACM has, in place of --hosted-zone")
    add("--port", type=int, metavar="PORT", help="where the service listens (default: 8080)")
    add(
        "--health-path", metavar="PATH", help=f"answers 200 when the service is fit for traffic (default {HEALTH_PATH})"
    )
    add("--status-path", metavar="PATH", help='a JSON object with status: ok; "" where there is none (the default)')
    add(
        "--identify",
        choices=[str(each) for each in Identify],
        help="how answers say which release they are: in the status, in headers, or not at all (the default)",
    )
    add("--app", metavar="DIR", help="the service's folder, relative to DIR; . is all of it (default: app)")
    add("--dockerfile", metavar="FILE", help="relative to the service's folder (default: Dockerfile)")
    add("--ci", choices=[str(each) for each in Ci], help="whose pipeline is written (default: github)")
    add("--force", action="store_true", help="overwrite files that exist")
    add("--diff", action="store_true", help="only show what the template of this version would change")


def run(terminal: Terminal, arguments: argparse.Namespace) -> int:
    """Write the project's files, or compare them."""
    folder = Path(arguments.folder).resolve()
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is not a folder.", next_step="name a folder.")
    if arguments.diff:
        return _compare(terminal, folder)
    answers = _answers(terminal, arguments, folder)
    if wrong := problems(answers):
        raise UsageError(
            "These answers cannot be used; nothing was written:\n" + "\n".join(f"  {line}" for line in wrong),
            next_step="give others; `release init --help` describes each.",
        )
    files = _files(folder, answers)
    existing = [name for name, text in files.items() if _in_the_way(folder, name, text)]
    if existing and not arguments.force:
        raise UsageError(
            f"These files exist in {folder}, with another content; nothing was written:\n"
            + "\n".join(f"  {name}" for name in existing),
            next_step="--force overwrites them; or give the releases a folder of their own, such as "
            "`release init release --app ..`.",
        )
    _write(folder, files)
    _report(terminal, folder, files, answers)
    return 0


# ---- answers


def _answers(terminal: Terminal, given: argparse.Namespace, folder: Path) -> Answers:
    """From flags, and from the person at the terminal, who is asked again after an answer that cannot be used."""
    found = Answers(
        project=_project_name(folder),
        region="",
        certificate=given.certificate or "",
        identify=Identify(given.identify or Identify.NONE),
        ci=Ci(given.ci or Ci.GITHUB),
    )

    def answer(flag: str, question: str, default: str, into: Callable[[str], dict[str, Any]]) -> None:
        nonlocal found
        value = getattr(given, flag.removeprefix("--").replace("-", "_"))
        if value is None and terminal.interactive:
            found = _asked(terminal, question, default, lambda text: _checked(flag, found, into(text)))
        else:
            found = replace(found, **into(default if value is None else str(value)))

    answer("--project", "Name of the project", found.project, lambda text: {"project": text})
    answer("--region", "AWS region", "", lambda text: {"region": text})
    answer("--environments", "Names of the two environments", ",".join(TEMPLATE_ENVIRONMENTS), _environments)
    later, second = "empty: fill it in later", found.environments[1]
    answer("--domain", f"Name that users of {second} come by ({later})", "", lambda text: {"domain": text})
    if given.hosted_zone or (found.domain and not found.certificate):
        answer("--hosted-zone", f"ID of its Route 53 zone ({later})", "", lambda text: {"hosted_zone": text})
    answer("--port", "Port of the service", str(found.port), _port)
    answer("--health-path", "Health path", found.health_path, lambda text: {"health_path": text})
    answer("--status-path", "Status path (empty: none)", "", lambda text: {"status_path": text})
    app = App(dockerfile=given.dockerfile or App().dockerfile)
    answer("--app", "Folder of the service", app.folder, lambda text: {"app": replace(app, folder=text)})
    if given.account:
        return replace(found, accounts=_accounts(given.account, found))
    answer(
        "--account", f"AWS account ({later})", "", lambda text: {"accounts": _accounts([text] if text else [], found)}
    )
    return found


def _environments(text: str) -> dict[str, Any]:
    names = [name.strip() for name in text.split(",")]
    if len(names) != 2:
        raise UsageError(
            f"--environments needs two names, not {text!r}.",
            next_step="give them like staging,production; a third environment is one more stack file.",
        )
    return {"environments": (names[0], names[1])}


def _port(text: str) -> dict[str, Any]:
    return {"port": int(text) if text.isascii() and text.isdigit() else 0}


def _checked(flag: str, before: Answers, added: Mapping[str, Any]) -> Answers:
    """The answers with this one, unless it is what is wrong with them."""
    answers = replace(before, **added)
    if wrong := [line for line in problems(answers) if line.startswith(f"{flag}: ")]:
        raise UsageError("\n".join(wrong))
    return answers


def _asked(terminal: Terminal, question: str, default: str, take: Callable[[str], Answers]) -> Answers:
    """Ask until `take` accepts the answer. Where input has ended, its refusal is final."""
    while True:
        print(f"{question}{f' [{default}]' if default else ''}: ", end="", file=terminal.err, flush=True)
        line = terminal.source.readline()
        try:
            return take(line.strip() or default)
        except UsageError as error:
            if not line:
                raise
            print(f"  {error.what}", file=terminal.err)


def _accounts(given: list[str], answers: Answers) -> dict[str, str]:
    """`ID` is for all stacks, `STACK=ID` for one."""
    found = {stack: each for each in given if "=" not in each for stack in answers.stacks}
    return found | dict(each.split("=", 1) for each in given if "=" in each)


def _project_name(folder: Path) -> str:
    return re.sub(r"[^a-z0-9]+", "-", folder.name.lower()).strip("-") or "service"


# ---- files


def _files(folder: Path, answers: Answers) -> dict[str, str]:
    """The template for this folder: what a .gitignore has, it keeps."""
    files = render(template.read(), answers)
    ignores = folder / ".gitignore"
    if ignores.is_file():
        files[".gitignore"] = merged_ignores(ignores.read_text(encoding="utf-8"), files[".gitignore"])
    return files


def _in_the_way(folder: Path, name: str, text: str) -> bool:
    """Is there something else? A .gitignore is only added to."""
    path = folder / name
    if any(parent.exists() and not parent.is_dir() for parent in path.parents):
        return True
    if name == ".gitignore":
        return path.exists() and not path.is_file()
    return (path.exists() or path.is_symlink()) and _text(path) != text


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None


def _write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        try:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
        except OSError as error:
            raise CloudError(
                f"{name} could not be written to {folder}.",
                why=str(error),
                next_step="make that possible, then run it again with --force: files before it are there already.",
            ) from error


def _report(terminal: Terminal, folder: Path, files: Mapping[str, str], answers: Answers) -> None:
    """What was written, what is missing, and the next three commands."""
    notes = list(_notes(folder, answers))
    commands = [
        "uv sync",
        ". .venv/bin/activate && local-aws up && . .local/env",
        'git add --all && git commit -m "Release lane" && release deploy '
        f'{answers.environments[0]} --digest "$(release build)"',
    ]
    text = [f"{len(files)} files are in {folder}. RELEASING.md says what each is for."]
    text += [f"Note: {note}" for note in notes]
    text += [
        f"Next, in {folder} (with the wheels in a folder: `uv sync --find-links FOLDER`):",
        *(f"  {command}" for command in commands),
    ]
    data = {"folder": str(folder), "files": sorted(files), "notes": notes, "next": commands}
    terminal.emit(data, "\n".join(text))


def _notes(folder: Path, answers: Answers) -> Iterator[str]:
    dockerfile = folder / answers.app.folder / answers.app.dockerfile
    if not dockerfile.is_file():
        yield f"there is no {answers.app.folder}/{answers.app.dockerfile} yet; `release build` needs it in a commit."
    if missing := [name for name in answers.stacks if not answers.accounts.get(name)]:
        files = ", ".join(f"Pulumi.{name}.yaml" for name in missing)
        yield f"fill in the AWS account in {files} before you release there (the local cloud needs none)."
    if not (answers.domain and (answers.hosted_zone or answers.certificate)):
        name = f"Pulumi.{answers.environments[1]}.yaml"
        yield f"fill in https (or insecure: true) in {name} before you release there (the local cloud needs none)."
    above = next((each for each in (folder, *folder.parents) if (each / ".git").exists()), None)
    if above is None:
        yield "this is no git repository yet; `git init` makes it one."
    elif above != folder and answers.ci is Ci.GITHUB:
        yield f"GitHub reads .github in {above} only: move it there, and give each step this working-directory."


# ---- a newer version


def _compare(terminal: Terminal, folder: Path) -> int:
    """Unified diffs from the project's files to those of the template."""
    files = _files(folder, _answers_in(folder))
    found = {
        name: diff
        for name, text in files.items()
        if not THE_TEAMS.fullmatch(name) and (diff := _difference(folder, name, text))
    }
    text = "".join(found.values()).rstrip("\n") or "No difference."
    terminal.emit({"folder": str(folder), "differences": found}, text)
    return 1 if found else 0


def _difference(folder: Path, name: str, wanted: str) -> str:
    path = folder / name
    existing = _text(path) if path.exists() else ""
    if existing is None:
        return f"{name} cannot be read as text.\n"
    before = name if path.exists() else "/dev/null"
    lines = difflib.unified_diff(
        existing.splitlines(keepends=True), wanted.splitlines(keepends=True), before, f"{name} (template)"
    )
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _ci(folder: Path) -> Ci:
    return ci_of([name for name in template.read() if (folder / name).exists()])


def _answers_in(folder: Path) -> Answers:
    if not (folder / "Pulumi.yaml").is_file():
        raise UsageError(
            f"There is no Pulumi.yaml in {folder}, so there is nothing to compare.",
            next_step="name the project's folder, or write the files first: `release init`.",
        )
    project = read_project(folder)
    try:
        return answers_in(project.name, {name: stack.config for name, stack in project.stacks.items()}, _ci(folder))
    except (AttributeError, TypeError, ValueError):
        raise UsageError(
            f"The stack files in {folder} cannot be compared.",
            why="a setting in them is of another kind than it should be",
            next_step="correct it (`release settings` has all keys); a preview names it.",
        ) from None
