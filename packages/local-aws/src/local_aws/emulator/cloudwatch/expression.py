"""Metric math: text -> tree -> a time series. Pure.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html

Carried: numbers, ids, + - * / ^, comparisons, AND && OR ||, brackets, IF, FILL (a number, REPEAT, LINEAR), ABS, CEIL,
FLOOR. Every other function is refused. By that page a value that one of two series lacks counts as 0, and a datapoint
that would be divided by zero is dropped. FILL fills every period that was asked for, also those whose data is late.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

Series: TypeAlias = "Mapping[int, float]"  # start of a period -> value
Value: TypeAlias = "float | Series"

TOKEN = re.compile(r"\s*(?:(\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)|([A-Za-z_]\w*)|(<=|>=|==|!=|&&|\|\||[-+*/^()<>,\[\]]))")
LONGEST = 2048
DEEPEST, MOST_WORDS = 60, 300  # what evaluation by recursion can bear; AWS has a limit of characters only


class Invalid(ValueError):
    """The expression is none, or not one that is carried here; the text says what is wrong with it."""


@dataclass(frozen=True)
class Number:
    value: float


@dataclass(frozen=True)
class Reference:
    id: str


@dataclass(frozen=True)
class Binary:
    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True)
class Call:
    function: str
    arguments: tuple[Expression, ...]


Expression: TypeAlias = "Number | Reference | Binary | Call"

LEVELS = (("||",), ("&&",), ("==", "!=", "<=", ">=", "<", ">"), ("+", "-"), ("*", "/"))
WORDS = {"AND": "&&", "OR": "||"}
ARGUMENTS = {"IF": (2, 3), "FILL": (2, 2), "ABS": (1, 1), "CEIL": (1, 1), "FLOOR": (1, 1)}
ALONE = ("REPEAT", "LINEAR")


# ---------------------------------------------------------------- text -> tree


def parse(text: str) -> Expression:
    """Raises Invalid."""
    if len(text) > LONGEST:
        raise Invalid(f"an expression has at most {LONGEST} characters")
    parser = _Parser(_tokens(text))
    tree = parser.level(0)
    if parser.here:
        raise Invalid(f"'{parser.here}' was not expected")
    return tree


def _tokens(text: str) -> list[str]:
    tokens, at = [], 0
    text = text.rstrip()
    while at < len(text):
        found = TOKEN.match(text, at)
        if found is None:
            raise Invalid(f"'{text[at:].strip()[:10]}' was not expected")
        word = found[0].strip()
        tokens.append(WORDS.get(word, word))
        at = found.end()
    if len(tokens) > MOST_WORDS:
        raise Invalid(f"it has more than {MOST_WORDS} words and signs, which the local CloudWatch does not carry")
    return tokens


class _Parser:
    def __init__(self, tokens: Sequence[str]) -> None:
        self._tokens = [*tokens, ""]
        self._at = 0
        self._depth = 0

    @property
    def here(self) -> str:
        return self._tokens[self._at]

    def _take(self) -> str:
        token = self.here
        self._at += 1
        return token

    def _expect(self, token: str) -> None:
        if self.here != token:
            raise Invalid(f"'{token}' was expected, not '{self.here or 'the end'}'")
        self._at += 1

    def level(self, number: int) -> Expression:
        if number == len(LEVELS):
            return self._signed()
        tree = self.level(number + 1)
        while self.here in LEVELS[number]:
            tree = Binary(self._take(), tree, self.level(number + 1))
        return tree

    def _signed(self) -> Expression:
        if self.here != "-":
            return self._power()
        self._take()
        return Binary("*", Number(-1.0), self._nested(self._signed))

    def _power(self) -> Expression:
        base = self._nested(self._single)
        if self.here != "^":
            return base
        self._take()
        return Binary("^", base, self._nested(self._signed))

    def _nested(self, read: Callable[[], Expression]) -> Expression:
        self._depth += 1
        if self._depth > DEEPEST:
            raise Invalid("it is nested too deeply")
        tree = read()
        self._depth -= 1
        return tree

    def _single(self) -> Expression:
        token = self._take()
        if token == "(":
            tree = self.level(0)
            self._expect(")")
            return tree
        if token[:1].isdigit() or token[:1] == ".":
            return Number(float(token))
        if token in ALONE:
            return Call(token, ())
        if token[:1].isupper():
            return self._call(token)
        if token[:1].islower():
            return Reference(token)
        raise Invalid(f"'{token or 'the end'}' was not expected")

    def _call(self, function: str) -> Expression:
        if function not in ARGUMENTS:
            raise Invalid(f"the local CloudWatch does not carry the function {function} (AWS may)")
        self._expect("(")
        arguments = [self.level(0)]
        while self.here == ",":
            self._take()
            arguments.append(self.level(0))
        self._expect(")")
        low, high = ARGUMENTS[function]
        if not low <= len(arguments) <= high:
            raise Invalid(f"{function} takes {low if low == high else f'{low} or {high}'} arguments")
        for place, argument in enumerate(arguments):
            if isinstance(argument, Call) and argument.function in ALONE and (function, place) != ("FILL", 1):
                raise Invalid(f"{argument.function} belongs into FILL")
        return Call(function, tuple(arguments))


def references(tree: Expression) -> set[str]:
    """The ids that it uses."""
    match tree:
        case Number():
            return set()
        case Reference(id=id):
            return {id}
        case Binary(left=left, right=right):
            return references(left) | references(right)
        case Call(arguments=arguments):
            return set().union(*map(references, arguments))


# ---------------------------------------------------------------- tree -> series


def evaluate(tree: Expression, known: Mapping[str, Series], grid: Sequence[int]) -> Value:
    """`known`: the series of every id that it uses; `grid`: the starts of all periods that were asked for."""
    match tree:
        case Number(value=value):
            return value
        case Reference(id=id):
            return known[id]
        case Binary(operator=operator, left=left, right=right):
            return _binary(operator, evaluate(left, known, grid), evaluate(right, known, grid))
        case Call(function="FILL", arguments=(what, Call(function=function))) if function in ALONE:
            return _fill_between(evaluate(what, known, grid), function, grid)
        case Call(function=function, arguments=arguments):
            return _call(function, [evaluate(one, known, grid) for one in arguments], grid)


def _call(function: str, values: list[Value], grid: Sequence[int]) -> Value:
    match function:
        case "IF":
            return _if(*values)
        case "FILL":
            return _fill(values[0], values[1], grid)
        case "ABS":
            return _each(values[0], abs)
        case "CEIL":
            return _each(values[0], lambda value: float(math.ceil(value)))
        case "FLOOR":
            return _each(values[0], lambda value: float(math.floor(value)))
    raise Invalid(f"{function} belongs into FILL")


def _each(value: Value, change: Callable[[float], float]) -> Value:
    if isinstance(value, Mapping):
        return {at: change(one) for at, one in value.items()}
    return change(value)


def _binary(operator: str, left: Value, right: Value) -> Value:
    times = _times([left, right])
    if times is None:
        assert not isinstance(left, Mapping)
        assert not isinstance(right, Mapping)
        value = _calculate(operator, left, right)
        if value is None:
            raise Invalid("it divides by zero")
        return value
    found = ((at, _calculate(operator, _at(left, at), _at(right, at))) for at in times)
    return {at: value for at, value in found if value is not None}


def _times(values: Iterable[Value]) -> list[int] | None:
    """Of all series among them; None if there is none."""
    series = [value for value in values if isinstance(value, Mapping)]
    return sorted(set().union(*series)) if series else None


def _at(value: Value, at: int) -> float:
    """A value that is missing counts as 0."""
    return value.get(at, 0.0) if isinstance(value, Mapping) else value


def _calculate(operator: str, left: float, right: float) -> float | None:
    """None: there is no such number, so no datapoint."""
    try:
        result = OPERATORS[operator](left, right)
    except (ZeroDivisionError, OverflowError):
        return None
    return result if isinstance(result, int | float) and math.isfinite(result) else None


OPERATORS: Mapping[str, Callable[[float, float], float]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": lambda left, right: left / right,
    "^": lambda left, right: left**right,
    "==": lambda left, right: float(left == right),
    "!=": lambda left, right: float(left != right),
    "<=": lambda left, right: float(left <= right),
    ">=": lambda left, right: float(left >= right),
    "<": lambda left, right: float(left < right),
    ">": lambda left, right: float(left > right),
    "&&": lambda left, right: float(left != 0 and right != 0),
    "||": lambda left, right: float(left != 0 or right != 0),
}


def _if(condition: Value, then: Value, otherwise: Value | None = None) -> Value:
    """By the table of that page: true without a value is 0, false without one is dropped."""
    if not isinstance(condition, Mapping):
        chosen = then if condition else otherwise
        return {} if chosen is None else chosen
    result = {}
    for at, holds in condition.items():
        if holds:
            result[at] = _at(then, at)
        elif isinstance(otherwise, Mapping):
            if at in otherwise:
                result[at] = otherwise[at]
        elif otherwise is not None:
            result[at] = otherwise
    return result


def _fill(what: Value, filler: Value, grid: Sequence[int]) -> Value:
    if not isinstance(what, Mapping):
        raise Invalid("FILL takes a time series")
    if isinstance(filler, Mapping):
        return {at: value for at in grid if (value := what.get(at, filler.get(at))) is not None}
    return {at: what.get(at, filler) for at in grid}


def _fill_between(what: Value, how: str, grid: Sequence[int]) -> Value:
    """REPEAT: with the value before; LINEAR: with what lies between its neighbours, at the ends with the nearest."""
    if not isinstance(what, Mapping):
        raise Invalid("FILL takes a time series")
    there = sorted(what)
    result = {}
    for at in grid:
        before = next((one for one in reversed(there) if one <= at), None)
        after = next((one for one in there if one >= at), None)
        match how, before, after:
            case (_, None, None) | ("REPEAT", None, _):
                continue
            case ("REPEAT", int(earlier), _) | (_, int(earlier), None):
                result[at] = what[earlier]
            case (_, None, int(later)):
                result[at] = what[later]
            case (_, int(earlier), int(later)):
                share = (at - earlier) / (later - earlier) if later > earlier else 0.0
                result[at] = what[earlier] + share * (what[later] - what[earlier])
    return result
