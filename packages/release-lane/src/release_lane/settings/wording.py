"""Problems in words: where each is, and what stands there instead, unless that may be a secret."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from release_lane.errors import UsageError
from release_lane.settings.secrecy import concealed, may_be_shown


def wrong(problems: Sequence[str], where: str, file: str) -> UsageError:
    """The error that names the file and every problem. `where`: in which settings."""
    return UsageError(
        f"The stack's settings are wrong {where}:\n" + "\n".join(f"  {concealed(line)}" for line in problems),
        next_step=f"correct {file} (all keys: `release settings`).",
    )


def encrypted(key: str, project: str) -> str:
    """Of a key that was set with --secret."""
    way = {
        f"{project}:env": ": put the value into Secrets Manager or an SSM parameter, and its ARN under `secrets`",
        f"{project}:app": ": a build argument stays in the image; give the container the value by `secrets`",
        f"{project}:secrets": ": what belongs there are ARNs, which are none",
        f"{project}:notify": ": give the ARN of the secret that holds the webhook",
    }
    said = "is given as a secret (pulumi config set --secret), but settings stand in the state and in outputs in clear"
    return f"{key.removeprefix(f'{project}:')}: {said}{way.get(key, '')}"


NEVER_SHOWN = frozenset({"env", "secrets", "notify", "app", "migration"})
"""Sections whose values may be a secret of any shape. No message repeats them, only names."""

SHOWN = (["notify", "events"], ["app", "folder"], ["app", "dockerfile"], ["migration", "deadlineSeconds"])
"""Keys of these sections that hold none."""

LONGEST_SHOWN = 60


def words(problem: Any, model: type[BaseModel]) -> str:
    """One of the errors that pydantic found in a `model`: its path, and what is wrong."""
    path = ".".join(shown_name(str(part)) for part in problem["loc"]) or "(all)"
    match problem["type"]:
        case "extra_forbidden":
            return f"{path}: is not a known key{_meant(problem['loc'], model)}"
        case "missing":
            return f"{path}: is missing"
        case "literal_error":
            return f"{path}: should be one of {problem['ctx']['expected']}{_shown(problem)}"
        case "value_error":
            return f"{path}: {problem['ctx']['error']}"
        case "string_type" if isinstance(problem["input"], int | float):
            return f"{path}: should be text: put it in quotes{_shown(problem)}"
        case "model_type":
            return f"{path}: should be a mapping of settings"
    message = problem["msg"].replace("tuple", "list").replace("Tuple", "List")
    return f"{path}: {message}{_shown(problem)}"


def shown_name(text: str) -> str:
    """A key as it may be shown: a whole `NAME=value` may stand there."""
    name, equals, _ = text.partition("=")
    return (name if may_be_shown(name) else "…") + ("=…" if equals else "")


def _shown(problem: Any) -> str:
    """What stands there instead, where it can be no secret: a number, a truth, a text that does not look like one."""
    given = problem["input"]
    if not isinstance(given, str | int | float) or (isinstance(given, str) and not may_be_shown(given)):
        return ""
    path = [*map(str, problem["loc"])]
    if NEVER_SHOWN & {*path[:1]} and path[:2] not in SHOWN:
        return ""
    text = repr(given)
    return f", not {text}" if len(text) <= LONGEST_SHOWN else f", not {text[: LONGEST_SHOWN - 1]}…"


def _meant(path: Sequence[Any], model: type[BaseModel]) -> str:
    """The known key that is nearly the same, as a question; "" if none is."""
    import difflib  # here, since only a mistake needs it

    known = {field.alias or name: field.annotation for name, field in model.model_fields.items()}
    key, *inner = map(str, path)
    section = known.get(key)
    if inner and isinstance(section, type) and issubclass(section, BaseModel):
        return _meant(inner, section)
    near = {name.lower(): name for name in known}
    found = difflib.get_close_matches(key.replace("_", "").replace("-", "").lower(), near, n=1, cutoff=0.75)
    return f"; did you mean `{near[found[0]]}`?" if found else ""
