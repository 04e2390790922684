"""State -> configuration. To accept changed golden files: UPDATE=1 pytest <this file>, then read the diff."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from local_aws.emulator.edge.render import (
    WHOLE,
    Seat,
    backend,
    binds,
    free_runs,
    map_text,
    pattern,
    render,
    shares,
    template,
    weights,
    word,
)
from local_aws.emulator.elbv2.model import Forward, State, WeightedGroup
from tests.local.emulator.edge.states import CERTIFICATES, FILES, blue_green, everything, secure

pytestmark = pytest.mark.pure

GOLDEN = Path(__file__).parent / "golden"


def sizes(state: State, size: int = 4) -> dict[str, int]:
    return {backend(group): size for group in state.used_groups()}


@pytest.mark.parametrize(
    ("name", "state"), [("blue_green", blue_green()), ("everything", everything()), ("secure", secure())]
)
def test_configuration_is_as_it_was_reviewed(name: str, state: State) -> None:
    seats = {"blue.blueid": [Seat(2, "10.0.0.1", 8080, trusted=True), Seat(3, "10.0.0.7", 8080)]}
    rendered = render(state, 0.1, sizes(state), seats, FILES)
    text = f"{rendered.config}\n# ---- weights.map\n{map_text(rendered.weights)}"
    if os.environ.get("UPDATE"):
        (GOLDEN / f"{name}.cfg").write_text(text)
    assert text == (GOLDEN / f"{name}.cfg").read_text()


def test_a_change_of_weights_or_targets_is_no_change_of_structure() -> None:
    before, after = blue_green(100, 0), blue_green(0, 100)
    one = render(before, 0.1, sizes(before), {})
    other = render(after, 0.1, sizes(after), {"blue.blueid": [Seat(1, "10.0.0.9", 8080)]})
    assert one.structure == other.structure
    assert one.config != other.config
    assert one.weights != other.weights


def test_a_change_of_a_health_check_is_one() -> None:
    state = blue_green()
    group = next(iter(state.target_groups.values()))
    changed = replace(group, check=replace(group.check, path="/other"))
    after = replace(state, target_groups={**state.target_groups, group.arn: changed})
    assert render(state, 1, sizes(state), {}).structure != render(after, 1, sizes(after), {}).structure


def test_another_text_of_a_certificate_is_another_structure() -> None:
    state, renewed = secure(), {**FILES, CERTIFICATES[0]: "certificates/shop-3.pem"}
    assert render(state, 1, sizes(state), {}, FILES).structure != render(state, 1, sizes(state), {}, renewed).structure


def test_a_group_that_nothing_forwards_to_is_not_in_it() -> None:
    state = everything()
    assert "backend x." not in render(state, 1, sizes(state), {}).config


@pytest.mark.parametrize(
    ("scale", "line"),
    [
        (1.0, "inter 5000ms rise 2 fall 3"),
        (0.1, "inter 500ms rise 2 fall 3"),
        (0.001, "inter 100ms rise 2 fall 3"),
    ],
)
def test_intervals_are_scaled_down_to_a_tenth_of_a_second_at_least(scale: float, line: str) -> None:
    state = blue_green()
    assert line in render(state, scale, sizes(state), {}).config


def test_timeouts_of_checks_are_five_seconds_at_least() -> None:
    state = blue_green()
    assert "timeout check 20000ms" in render(state, 10.0, sizes(state), {}).config
    assert "timeout check 5000ms" in render(state, 0.1, sizes(state), {}).config


def test_each_listener_is_bound_once_at_its_load_balancers_address() -> None:
    assert binds(everything()) == {("127.0.10.1", 80), ("127.0.10.2", 8080)}


# ---------------------------------------------------------------- weights


def of(*given: int) -> Forward:
    return Forward(tuple(WeightedGroup(f"arn{at}", weight) for at, weight in enumerate(given)))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((1,), "1000000"),
        ((100, 0), "1000000:1000000"),
        ((0, 100), "0:1000000"),
        ((1, 1), "500000:1000000"),
        ((0, 0), "0:0"),
        ((1, 2, 0, 1), "250000:750000:750000:1000000"),
        ((999, 1), "999000:1000000"),
    ],
)
def test_shares(given: tuple[int, ...], expected: str) -> None:
    assert shares(of(*given)) == expected


@given(st.lists(st.integers(0, 999), min_size=1, max_size=5))
def test_shares_are_in_proportion_whatever_the_weights(given: list[int]) -> None:
    ends = [int(end) for end in shares(of(*given)).split(":")]
    widths = [end - start for start, end in zip([0, *ends], ends, strict=False)]
    assert all((width == 0) == (weight == 0) for width, weight in zip(widths, given, strict=True))
    if total := sum(given):
        assert ends[-1] == WHOLE
        for width, weight in zip(widths, given, strict=True):
            assert abs(width - weight * WHOLE / total) <= 1


def test_only_rules_that_forward_have_weights() -> None:
    assert set(weights(blue_green())) == {"r80", "d9001", "d9002"}


# ---------------------------------------------------------------- slots in the text


@pytest.mark.parametrize(
    ("taken", "expected"),
    [(set(), [(1, 4)]), ({1}, [(2, 4)]), ({4}, [(1, 3)]), ({2, 3}, [(1, 1), (4, 4)]), ({1, 2, 3, 4}, [])],
)
def test_free_slots_in_runs(taken: set[int], expected: list[tuple[int, int]]) -> None:
    assert free_runs(4, taken) == expected


# ---------------------------------------------------------------- quoting


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain/text-1.0", "plain/text-1.0"),
        ("two words", '"two words"'),
        ('say "$HOME" \\', r'"say \"\$HOME\" \\"'),
        ("it's # fine", '"it\'s # fine"'),
        ("line\nbreak", r'"line\x0abreak"'),
        ("é", r'"\xc3\xa9"'),
        ("", '""'),
    ],
)
def test_words(text: str, expected: str) -> None:
    assert word(text) == expected


@given(st.text())
def test_a_word_never_ends_its_line_or_its_quotes(text: str) -> None:
    quoted = word(text)
    assert quoted.isascii()
    assert quoted.isprintable()
    if quoted.startswith('"'):
        inside = quoted[1:-1].replace("\\\\", "").replace('\\"', "").replace("\\$", "")
        assert '"' not in inside
        assert "$" not in inside


def test_patterns_match_as_a_whole_and_only_wildcards_are_special() -> None:
    assert pattern("/api/*") == r'"^\\/api\\/.*\$"'
    assert pattern("a.b?") == r'"^a\\.b.\$"'


def test_places_of_a_redirect_are_filled_in_and_percent_signs_stay() -> None:
    filled_in = "://%[req.hdr(Host),host_only]/100%%"
    assert template("#{protocol}://#{host}/100%", "HTTP") == f'"http{filled_in}"'
    assert template("#{protocol}://#{host}/100%", "HTTPS") == f'"https{filled_in}"'
