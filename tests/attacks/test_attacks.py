"""Whoever is taken over, in every way, at everything that he has no right to: what counts stays as it was."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.attacks import ways
from tests.attacks.world import PEOPLE, State, World, world, writers
from unibpf.authority.roles import OF_A_HOST, OPERATOR, role_of
from unibpf.authority.statement import HEADER
from unibpf.bus.permissions import ROLES

TAKEN_OVER = [one for one in PEOPLE if one != OPERATOR]


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as made:
        yield made


async def unchanged(here: World, before: State, attacker: str) -> None:
    await here.settle()
    after = await here.state()
    assert after.acted_but_for(attacker) == before.acted_but_for(attacker)
    spoilt = {name: found for name, found in after.values.items() if found != before.values[name]}
    # Whoever may write to a bucket, or shares a host with who may, can put there what nobody believes, and no more than that.
    may = ROLES if attacker == OPERATOR else OF_A_HOST if role_of(attacker) in OF_A_HOST else (role_of(attacker),)
    assert all(fault and set(may) & set(writers(name)) for name, (_, fault) in spoilt.items()), spoilt
    assert after.audit == before.audit
    assert after.streams == before.streams


@pytest.mark.parametrize("identity", TAKEN_OVER)
async def test_an_identity_that_is_taken_over_does_nothing_but_its_own(here: World, identity: str) -> None:
    before, stored = await here.state(), await ways.recorded(here)
    assert len(before.acted) > 10 and len(stored) > 10
    for target in (*ways.said_targets(identity), *ways.kept_targets(identity)):
        await ways.directly(here, identity, target, ways.HOSTILE)
        await ways.by_reply(here, identity, target)
        await ways.by_replay(here, identity, target, stored)
    for target, body in ways.api_targets():
        await ways.directly(here, identity, target, body)
        await ways.by_reply(here, identity, target)
    await ways.client_of(here, identity).flush()
    await unchanged(here, before, identity)


async def test_whoever_rules_the_server_and_has_nobodys_key_does_nothing_either(here: World) -> None:
    """The NATS administrator may publish everything, everywhere: unsigned, under keys of his own, again."""
    before, stored = await here.state(), await ways.recorded(here)
    client = ways.client_of(here, OPERATOR)
    for target in {*ways.said_targets("ci"), *ways.said_targets("verifier"), *ways.kept_targets("ci")}:
        if target.startswith("unibpf.v1.program.upload."):
            continue  # may be unsigned: a policy that does not want that demands signatures
        await client.publish(target, ways.HOSTILE)
        for name in ("ci", "other", "deployer-b"):
            key = here.buses[name].identity
            if target not in ways.said_targets(name) and target not in ways.kept_targets(name):
                continue
            await client.publish(target, ways.HOSTILE, headers=ways.signed(key, target, ways.HOSTILE, {}))
        for one in stored:
            await client.publish(target, one.data, headers={HEADER: one.headers[HEADER]})
    for one in stored:
        await client.publish(one.subject, one.data, headers=dict(one.headers))
        await client.publish(one.subject, one.data, headers={HEADER: one.headers[HEADER]})
    await client.flush()
    await unchanged(here, before, OPERATOR)
