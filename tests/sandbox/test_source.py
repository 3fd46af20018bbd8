from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandbox.source import MAX_BYTES, SourceChecker, SourceRejected
from tests.sandbox.samples import REMEMBERS, design


@pytest.fixture(scope="module")
def checker() -> Iterator[SourceChecker]:
    with SourceChecker() as made:
        yield made


def test_a_design_is_described(checker: SourceChecker) -> None:
    checked = checker.check(design('"""Keep what scored.\n\nAnd more."""', name="Keeper"))
    assert (checked.class_name, checked.summary) == ("Keeper", "Keep what scored.")
    assert checked.hash.startswith("1-")


def test_a_design_without_a_word_about_itself_has_no_summary(checker: SourceChecker) -> None:
    assert checker.check(REMEMBERS).summary == ""


def test_layout_comments_and_docstrings_do_not_change_the_hash(checker: SourceChecker) -> None:
    plain = design("def update(self, trajectory): pass")
    other = design("def update(self, trajectory):\n    '''Forget.'''  # on purpose\n\n    pass").replace("\n", "\n\n")
    documented = design('"""Say more."""', "def update(self, trajectory):\n    pass")
    assert checker.check(plain).hash == checker.check(documented).hash == checker.check("# a\n" + plain).hash
    assert checker.check(other).hash == checker.check(plain).hash
    assert checker.check(design("kept = 1")).hash != checker.check(plain).hash


def test_all_are_formatted_alike(checker: SourceChecker) -> None:
    plain = design('"""Keep it."""', "def update(self, trajectory):\n    self.kept = 'it'")
    other = plain.replace("    self.kept = 'it'", '    self.kept=  "it"  # why').replace("\n", "\n\n")
    formatted = checker.check(plain).formatted
    assert formatted == checker.check(other).formatted == checker.check(formatted).formatted
    assert checker.check(formatted).hash == checker.check(plain).hash
    assert '"""Keep it."""' in formatted
    assert "\\x1b" in checker.check(design("kept = '\x1b[31m'")).formatted


def test_what_is_too_long_formatted_is_not(checker: SourceChecker) -> None:
    nested = "".join(" " * level + "if 1:\n" for level in range(45)) + " " * 45 + "x;" * 30_000
    checked = checker.check(REMEMBERS + nested)
    assert (checked.class_name, checked.formatted) == ("Sample", "")


def test_a_docstring_alone_is_a_body(checker: SourceChecker) -> None:
    checker.check(design("def update(self, trajectory):\n    '''Nothing to do.'''"))


def test_a_layered_design_counts(checker: SourceChecker) -> None:
    source = "from sandbox.guest import LayeredDesign as Layers\n\nclass Mine(Layers):\n    lines = 3\n"
    assert checker.check(source).class_name == "Mine"


CLASS = "from sandbox.guest import MemoryDesign\nclass A(MemoryDesign):\n    pass\n"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("", "defines none"),
        ("class A: pass", "defines none"),
        (CLASS + "class B(A):\n    pass\n", r"A \(line 2\), B \(line 4\)"),
        (CLASS + "import evolve.loop", "imports evolve.loop"),
        (CLASS + "from sandbox.session import DesignSession", "imports sandbox.session"),
        (CLASS + "from sandbox.guest.serve import main", "imports sandbox.guest.serve"),
        (CLASS + "from . import x", r"imports \. \(line 4\)"),
        (CLASS + "def f():\n    from sandbox.guest import Item\n", "at the top"),
        ("def f(:", r"does not parse: .* \(line 1\)"),
        ("return 1", "outside function"),
        ("x = '\0'", "NUL character at position 5"),
        ("x = '\ud800'", "not valid text"),
        ("x = " + "[" * 150 + "]" * 150, "deeper than 100 levels"),
        ("x = " + "(" * 5000, "too many nested parentheses"),
        ("x = " + "-" * 60_000 + "1", "cannot be read|nested deeper|ends the process"),
        ("x = a" + ".b" * 20_000, "cannot be read|nested deeper|ends the process"),
        ("x = " + "9" * 6000, "4300 digits"),
        ("#" * (MAX_BYTES + 1), f"{MAX_BYTES + 1} bytes"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_what_may_not_run_is_rejected_with_its_reason(checker: SourceChecker, source: str, reason: str) -> None:
    with pytest.raises(SourceRejected, match=reason):
        checker.check(source)
    assert checker.check(REMEMBERS).class_name == "Sample"


def test_a_source_that_ends_the_child_is_rejected_and_the_next_one_served() -> None:
    with SourceChecker() as checker:
        first = checker.check(REMEMBERS)
        child = checker._child
        assert child is not None
        child._process.kill()
        child._process.wait()
        with pytest.raises(SourceRejected, match="ends the process"):
            checker.check(REMEMBERS)
        assert checker.check(REMEMBERS) == first


KEPT = "def update(self, trajectory): self.kept = [{}] * {}"


@pytest.mark.parametrize(
    ("one", "other", "tunes"),
    [
        (KEPT.format("1.5", 3), KEPT.format("-2", 40), True),
        (KEPT.format("'a'", 3), KEPT.format("None", 3), True),
        (KEPT.format("f'{self} a'", 3), KEPT.format("f'b {self}'", 3), True),
        (KEPT.format("self", 3), KEPT.format("3", 3), False),
        (KEPT.format("1 + 2", 3), KEPT.format("1 - 2", 3), False),
        (KEPT.format("-self", 3), KEPT.format("self", 3), False),
    ],
)
def test_constants_are_no_part_of_a_form(checker: SourceChecker, one: str, other: str, tunes: bool) -> None:
    forms = {checker.check(design(body)).form_hash for body in (one, other)}
    assert (len(forms) == 1) is tunes
