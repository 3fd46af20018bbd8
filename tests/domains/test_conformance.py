"""What every domain owes its users, held against all that the registry knows, and against domains that owe it."""

from __future__ import annotations

import pytest

from domains import registry
from domains.base import Domain, DomainError, Role
from domains.conformance import CHECKS, Subject, conform, examine
from tests.domains import flawed

pytestmark = pytest.mark.filterwarnings("ignore:Game .* is not fully supported")


@pytest.fixture(scope="module")
def subject(domain: Domain) -> Subject:
    return Subject(domain.name)


@pytest.mark.parametrize("check", CHECKS)
def test_domain(subject: Subject, check: str) -> None:
    finding = examine(subject, check)
    assert finding.passed, finding.detail


@pytest.mark.parametrize("flaw", flawed.FLAWS)
def test_a_flaw_is_found_with_an_example(flaw: str) -> None:
    check, detail = flawed.FLAWS[flaw]
    findings = {finding.name: finding for finding in conform(f"tests.domains.flawed:{flaw}")}
    assert not findings[check].passed
    assert detail in findings[check].detail


def test_nothing_else_is_found() -> None:
    assert all(finding.passed for finding in conform("tests.domains.flawed:flawless"))


def test_unknown_domain_names_the_known_ones() -> None:
    with pytest.raises(DomainError, match=r"'chess'.*recall.*textworld:cooking"):
        registry.load("chess")


def test_registry_describes_what_it_loads() -> None:
    for info in registry.available():
        if not info.installed:
            assert info.remedy
            continue
        domain = registry.load(info.name)
        assert (info.version, info.max_steps) == (domain.version, domain.max_steps)
        assert info.roles == {role: len(domain.tasks(role)) for role in Role}
        assert all((info.licence, info.summary, info.reward, info.comparable))
