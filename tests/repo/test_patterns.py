"""Patterns for whole texts match whole texts: `$` lets a line break at the end pass, and `match` anything after its match.

`fullmatch` is for a whole text; `match(text, at)` says that a part is meant; of messages, `whole` in unibpf/messages/base.py.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from schemas.generate import message_types

ROOT = Path(__file__).parents[2]
SOURCES = [path for folder in ("unibpf", "services", "schemas") for path in sorted((ROOT / folder).rglob("*.py"))]
WHOLE = "unibpf/messages/base.py"  # which says `$` and that nothing follows


def texts(node: ast.AST) -> Iterator[str]:
    return (str(one.value) for one in ast.walk(node) if isinstance(one, ast.Constant) and isinstance(one.value, str))


def ends_by_line(pattern: str) -> bool:
    """Whether `$` stands in it, other than escaped or in a class of characters."""
    at, in_class = 0, False
    while at < len(pattern):
        one = pattern[at]
        if one == "\\":
            at += 1
        elif one == "[" and not in_class:
            in_class, at = True, at + (pattern[at + 1 : at + 2] in "]^")
        elif one == "]":
            in_class = False
        elif one == "$" and not in_class:
            return True
        at += 1
    return False


def faults(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute | ast.Name):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
        owner = (
            node.func.value.id if isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name) else ""
        )
        if name == "match" and owner != "re" and len(node.args) < 2:
            yield f"line {node.lineno}: `match` of one argument"
        if owner == "re" and name == "match":
            yield f"line {node.lineno}: `re.match`"
        has_pattern = owner == "re" or name == "Meta"
        if has_pattern and "MULTILINE" not in ast.dump(node) and any(map(ends_by_line, texts(node))):
            yield f"line {node.lineno}: `$` in a pattern"


@pytest.mark.parametrize("path", SOURCES, ids=[str(path.relative_to(ROOT)) for path in SOURCES])
def test_no_pattern_lets_a_line_break_pass_at_the_end(path: Path) -> None:
    found = list(faults(ast.parse(path.read_text())))
    assert not found or path == ROOT / WHOLE, found


@pytest.mark.parametrize(
    ("source", "is_fault"),
    [
        ('re.compile("a$")', True), ('re.compile(r"a\\$")', False), ('re.compile("[$]")', False), ('X.match(a)', True),
        ('X.match(a, 0)', False), ('X.fullmatch(a)', False), ('re.match("a", b)', True), ('Meta(pattern="^a$")', True),
        ('re.compile(f"{A}$")', True), ('re.compile("^a$", re.MULTILINE)', False), ('re.compile("[]$]")', False),
        ('re.search("[^]]$", a)', True),
    ],
)  # fmt: skip
def test_the_forms_are_told_apart(source: str, is_fault: bool) -> None:
    assert bool(list(faults(ast.parse(source)))) is is_fault


def test_no_name_in_a_message_ends_with_a_line_break() -> None:
    """Every text of a message that has a pattern."""
    patterns = {
        kind.pattern
        for message in message_types()
        for field in msgspec.inspect.type_info(message).fields  # type: ignore[attr-defined]
        for kind in _texts(field.type)
        if kind.pattern is not None
    }
    assert len(patterns) >= 8
    for pattern in patterns:
        for text in ("a", "0", "a" * 32, "0" * 64, "0" * 32, "0" * 16):
            for name in (f"{text}\n", f"{text}\n\n", f"\n{text}", f"{text}\r\n"):
                with pytest.raises(msgspec.ValidationError):
                    msgspec.convert(name, _constrained(pattern))


def _constrained(pattern: str) -> object:
    from typing import Annotated

    return Annotated[str, msgspec.Meta(pattern=pattern)]


def _texts(kind: object) -> Iterator[msgspec.inspect.StrType]:
    if isinstance(kind, msgspec.inspect.StrType):
        yield kind
    for name in ("item_type", "key_type", "value_type"):
        if hasattr(kind, name):
            yield from _texts(getattr(kind, name))
    for name in ("types", "item_types"):
        for one in getattr(kind, name, ()):
            yield from _texts(one)
