"""services.signer.policy: refuses by default, says what would have been needed."""

from dataclasses import dataclass

import pytest
from msgspec.structs import replace

from services.signer import policy
from services.signer.errors import PolicyError, PolicyRefusal
from services.signer.policy import GraphRequest, ProgramRequest
from services.signer.settings import DEFAULT_POLICY
from unibpf.messages.reports import SecondOpinion
from unibpf.push import second_opinion

RULES = policy.parse("""
[[program]]
name = "edge-firewalls"
identities = ["ci", "alice"]
programs = ["fw-*"]
audiences = ["edge"]
kinds = ["filter"]
elements = ["fw", "fw2"]
valid_seconds = 60

[[program]]
name = "alice"
identities = ["alice"]
programs = ["*"]
audiences = ["lab-?"]
kinds = ["*"]
elements = ["*"]

[[graph]]
name = "edge-graphs"
graphs = ["fw*"]
audiences = ["edge"]
guests = ["fw*"]
""")
REQUEST = ProgramRequest(identity="ci", program="fw-1", audience="edge", kind="filter", element="fw")


def test_the_first_matching_rule_allows_and_sets_the_expiry() -> None:
    allowed = policy.decide(RULES, REQUEST, now=1000)
    assert (allowed.rule, allowed.not_after) == ("edge-firewalls", 1060)
    lab = replace(REQUEST, identity="alice", audience="lab-3", element="*")
    assert policy.decide(RULES, lab, now=1000) == policy.Allowed(rule="alice", not_after=None)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("identity", "bob"),
        ("program", "nat"),
        ("audience", "core"),
        ("kind", "rewriter"),
        ("element", "*"),
        ("audience", "edge2"),
        ("program", "FW-1"),
    ],
)
def test_one_part_outside_every_rule_is_refused(field: str, value: str) -> None:
    with pytest.raises(PolicyRefusal) as caught:
        policy.decide(RULES, replace(REQUEST, **{field: value}), now=0)
    assert caught.value.rule == "policy"
    assert caught.value.hint is not None and "edge-firewalls" in caught.value.hint


@pytest.mark.parametrize("glob", ["?", "[!f]*", "**", "*?", "?*", "[*]", "[!a]", "fw", "f*"])
def test_a_release_for_any_element_is_a_right_that_no_pattern_gives(glob: str) -> None:
    rule = replace(RULES.program[0], elements=[glob])
    with pytest.raises(PolicyRefusal) as caught:
        policy.decide(policy.Policy(program=[rule]), replace(REQUEST, element="*"), now=0)
    assert "elements" in (caught.value.hint or "")
    allowed = policy.Policy(program=[replace(rule, elements=[glob, "*"])])
    assert policy.decide(allowed, replace(REQUEST, element="*"), now=0).rule == "edge-firewalls"


def test_an_empty_policy_refuses_everything() -> None:
    with pytest.raises(PolicyRefusal, match="no rule lets `ci`"):
        policy.decide(policy.parse(""), REQUEST, now=0)


def test_graphs_have_rules_of_their_own() -> None:
    request = GraphRequest(graph="fw1", audience="edge", guest="fw1")
    assert policy.decide_graph(RULES, request, now=0).rule == "edge-graphs"
    with pytest.raises(PolicyRefusal, match="no rule allows graph"):
        policy.decide_graph(RULES, replace(request, guest="nat1"), now=0)


def test_the_embedded_stacks_policy_allows_its_users_and_nobody_else() -> None:
    rules = policy.load(DEFAULT_POLICY)
    policy.decide(rules, replace(REQUEST, identity="cli"), now=0)
    with pytest.raises(PolicyRefusal):
        policy.decide(rules, replace(REQUEST, identity="verifier"), now=0)


STRICT = policy.parse("""
[[program]]
name = "two-proofs"
identities = ["*"]
programs = ["fw-*"]
audiences = ["edge"]
kinds = ["*"]
elements = ["*"]
require_also = ["prevail"]

[[program]]
name = "anything"
identities = ["*"]
programs = ["*"]
audiences = ["*"]
kinds = ["*"]
elements = ["*"]
""")


def test_a_rule_may_demand_that_another_verifier_accepts_too() -> None:
    agreed = replace(REQUEST, agreeing=["prevail"])
    assert policy.decide(STRICT, agreed, now=0).rule == "two-proofs"
    with pytest.raises(PolicyRefusal, match="demands that `prevail` accepts `fw-1` too") as caught:
        policy.decide(STRICT, REQUEST, now=0)
    assert caught.value.rule == "second-opinion"
    assert caught.value.hint is not None and "UNIBPF_VERIFIER_ALSO=prevail" in caught.value.hint


@pytest.mark.parametrize(
    ("accepts", "word"), [(None, "prevail cannot say of `fw-1`: no such helper"), (False, "prevail refuses `fw-1`")]
)
def test_who_cannot_say_does_not_agree_and_is_told_apart_from_who_refuses(accepts: bool | None, word: str) -> None:
    opinion = SecondOpinion(verifier="prevail", accepts=accepts, agrees=False, said="no such helper")
    asked = replace(REQUEST, others={"prevail": second_opinion.sentence(opinion, "fw-1")})
    with pytest.raises(PolicyRefusal, match=word):
        policy.decide(STRICT, asked, now=0)
    with pytest.raises(PolicyRefusal, match="`prevail` was not asked"):
        policy.decide(STRICT, REQUEST, now=0)


def test_a_generous_rule_behind_a_strict_one_does_not_undo_it() -> None:
    assert policy.decide(STRICT, replace(REQUEST, program="nat"), now=0).rule == "anything"
    with pytest.raises(PolicyRefusal):
        policy.decide(STRICT, replace(REQUEST, agreeing=["somebody else"]), now=0)


@dataclass(frozen=True)
class Malformed:
    text: str
    message: str


@pytest.mark.parametrize(
    "case",
    [
        Malformed("[[program]\n", "Expected"),
        Malformed("[[program]]\nname='x'\n", "identities"),
        Malformed("[[programs]]\nname='x'\n", "unknown field `programs`"),
        Malformed("[[graph]]\nname='x'\ngraphs=[]\naudiences=['*']\nguests=['*']\n", "length"),
        Malformed(
            "[[graph]]\nname='x'\ngraphs=['*']\naudiences=['*']\nguests=['*']\nvalid_seconds=0\n", "valid_seconds"
        ),
    ],
)
def test_a_malformed_policy_is_refused_as_a_whole(case: Malformed) -> None:
    with pytest.raises(PolicyError, match=case.message):
        policy.parse(case.text)


def test_a_rule_that_demands_signed_uploads_refuses_others_and_no_later_rule_undoes_it() -> None:
    rules = """
[[program]]
name = "signed-only"
identities = ["ci"]
programs = ["fw-*"]
audiences = ["edge"]
kinds = ["*"]
elements = ["fw"]
require_signed = true

[[program]]
name = "anything"
identities = ["*"]
programs = ["*"]
audiences = ["*"]
kinds = ["*"]
elements = ["*"]
"""
    strict = policy.parse(rules)
    with pytest.raises(PolicyRefusal, match="is signed by the key of `ci`") as caught:
        policy.decide(strict, REQUEST, now=0)
    assert caught.value.rule == "unsigned"
    assert policy.decide(strict, replace(REQUEST, signed=True), now=0).rule == "signed-only"
    assert policy.decide(strict, replace(REQUEST, program="nat"), now=0).rule == "anything"
