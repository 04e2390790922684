"""The tables of all types as one page: `python -m local_aws.standins.tables` writes docs/standins.md."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from local_aws.standins.aws.base import AwsResource
from local_aws.standins.aws.functions import FUNCTIONS
from local_aws.standins.aws.provider import TYPES
from local_aws.standins.departures import DEPARTURES
from local_aws.standins.docker.image import Image
from local_aws.standins.schema import Prop, Table
from local_aws.standins.versions import plugin_version

PAGE = Path(__file__).resolve().parents[3] / "docs/standins.md"

HEAD = (
    "# What the stand-ins for the provider plugins take",
    "Written by `python -m local_aws.standins.tables`; the tables themselves are in `local_aws/standins/aws` and "
    "`local_aws/standins/docker`. Why there are stand-ins at all, and what they do not prove, is in "
    "[ADR 0004](adr/0004-stand-in-plugins.md).",
    "They stand in for pulumi-aws {aws} and pulumi-docker {docker}. A type, property or function that is not on this "
    "page is refused. The facts are taken from the two pages that each type names: the provider's documentation, and "
    "the schema that it is made of (what replaces, what is computed, what is required).",
    "- *required*: a resource without it is refused.\n"
    "- *replaces*: a change makes another one. Where a name was given, the old one is deleted first, because two of "
    "one name cannot be there at once; where the name was made up, the new one is made first.\n"
    "- *computed*: AWS fills it in where it is left out, and leaving it out again changes nothing.\n"
    "- *set*: the order makes no difference. *JSON*: neither do spacing and the order of keys.\n"
    "- *unseen*: it steers the provider itself, so a refresh cannot see it.\n"
    "- **departs**: here the stand-in knowingly does something else than the plugin; see the table below.\n"
    "- *Not given*: outputs of the provider that say something of what the tables here do not hold.",
    "`region` is the provider's own where it is left out. Every type with `tags` has the output `tagsAll`. "
    "What is true of all types is in the ADR.",
)

DIFFERENCES = (
    "## Where they knowingly differ\n\n"
    "The tables of pulumi-aws's types are compared by machine with what the real provider answers, property by "
    "property: what is required, computed, a set, secret, what the default is, what stays when it is left out and what "
    "replaces (`packages/local-aws/tests/local/standins/test_standin_facts.py`). Where a line below begins "
    "with one of these words, they differ in that; the others are differences in what is done."
)

LIVES = (
    "Their lives are compared as well: every type but `CertificateValidation`, which is nothing in AWS, is led through "
    "the real provider and through its stand-in, on one emulator, step by step (created, refreshed, imported, each "
    "property changed in place, changed by hand, replaced, deleted by hand, deleted, failed half-way and done again), "
    "and diffs, replacements and outputs are compared (`make test-provider`: "
    "`packages/local-aws/tests/local/standins/lifecycle/test_like_the_real_provider.py`). They differ in this alone:"
)


def page() -> str:
    """docs/standins.md."""
    head = "\n\n".join(HEAD).format(aws=plugin_version("pulumi_aws"), docker=plugin_version("pulumi_docker")) + "\n"
    functions = "\n".join(f"- `{token}`: {_words(sorted(taken))}" for token, (taken, _) in FUNCTIONS.items())
    types: Sequence[type[AwsResource | Image]] = (*TYPES, Image)
    return "\n".join(
        [head, _differences(types), *(_section(type_) for type_ in types), f"## Functions\n\n{functions}\n"]
    )


def _differences(types: Sequence[type[AwsResource | Image]]) -> str:
    rows = "\n".join(
        f"| `{type_.token.rpartition(':')[2]}` | `{path}` | {prop.departs} |"
        for type_ in types
        for path, prop in all_of(type_.props)
        if prop.departs
    )
    lives = "\n".join(f"- {_readable(each.case)}: {each.why}." for each in DEPARTURES)
    return f"{DIFFERENCES}\n\n| type | property | here |\n| --- | --- | --- |\n{rows}\n\n{LIVES}\n\n{lives}\n"


def _readable(pattern: str) -> str:
    """The types that a Departure's pattern names."""
    names = [type_.token.rpartition(":")[2] for type_ in TYPES]
    cases = (one for name in names for one in (name, f"{name}-group", f"{name}-interface"))
    return _words([*dict.fromkeys(case.partition("-")[0] for case in cases if re.fullmatch(pattern, case))])


def _section(type_: type[AwsResource | Image]) -> str:
    rows = "\n".join(_row(path, prop) for path, prop in all_of(type_.props))
    source = f"[Documentation]({type_.source.page}) · [schema]({type_.source.schema})"
    table = f"| property | | default |\n| --- | --- | --- |\n{rows}"
    outputs = f"\nOutputs: {_words(sorted(type_.outputs))}.\n" if type_.outputs else ""
    not_given = type_.not_given if issubclass(type_, AwsResource) else ()
    without = f"\nNot given: {_words(sorted(not_given))}.\n" if not_given else ""
    return f"## {type_.token}\n\n{source}\n\n{table}\n{outputs}{without}"


def all_of(table: Table, within: str = "") -> Iterator[tuple[str, Prop]]:
    """Each property by its path, `healthCheck.interval`."""
    for name, prop in table.items():
        yield f"{within}{name}", prop
        if prop.fields is not None:
            yield from all_of(prop.fields, f"{within}{name}.")


def _row(path: str, prop: Prop) -> str:
    default = "" if prop.default in (None, {}) else f"`{_plain(prop.default)}`"
    return f"| `{path}` | {', '.join(_marks(prop))} | {default} |"


def _marks(prop: Prop) -> Iterator[str]:
    marks = {
        "required": prop.required,
        "replaces": prop.replace,
        "computed": prop.computed,
        "set": prop.unordered,
        "JSON": prop.json,
        "unseen": prop.unread,
        "**departs**": bool(prop.departs),
    }
    yield from (word for word, holds in marks.items() if holds)


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _words(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "takes nothing"


if __name__ == "__main__":
    argparse.ArgumentParser(prog="python -m local_aws.standins.tables", description=__doc__).parse_args()
    PAGE.write_text(page())
