"""Links to commits, by the remote of a checkout."""

from __future__ import annotations

import pytest
from release_lane.record.commit import Commits, web

pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    ("remote", "page"),
    [
        ("https://github.com/o/r.git", "https://github.com/o/r"),
        ("git@github.com:o/r.git", "https://github.com/o/r"),
        ("ssh://git@gitlab.example.com:2222/group/sub/r.git", "https://gitlab.example.com/group/sub/r"),
        ("https://token@github.example.com/o/r", "https://github.example.com/o/r"),
        ("https://gitlab.example.com:8443/o/r.git", "https://gitlab.example.com:8443/o/r"),
        ("http://gitlab.example.com:8080/o/r.git", "http://gitlab.example.com:8080/o/r"),
        ("/srv/git/r.git", ""),
        ("https://code.example.com/r.git", ""),
        ("", ""),
    ],
)
def test_a_remote_has_a_page_where_its_host_is_known(remote: str, page: str) -> None:
    assert web(remote) == page


def test_commits_and_their_comparison_are_linked_as_each_host_has_it() -> None:
    github = Commits(old="a" * 40, new="b" * 40, remote="git@github.com:o/r.git")
    assert github.page_of("c") == "https://github.com/o/r/commit/c"
    assert github.comparison == f"https://github.com/o/r/compare/{'a' * 40}...{'b' * 40}"
    gitlab = Commits(old="a", new="b", remote="https://gitlab.com/o/r.git")
    assert gitlab.page_of("c") == "https://gitlab.com/o/r/-/commit/c"
    assert gitlab.comparison == "https://gitlab.com/o/r/-/compare/a...b"
    assert Commits(old="a", new="b").comparison == ""
