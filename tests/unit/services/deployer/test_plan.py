"""services.deployer.plan as a table: one row a situation."""

import pytest

from services.deployer.plan import Action, World, backoff, plan
from unibpf.host.guest_folder import Boot
from unibpf.messages.guests import GuestSpec

SPEC = GuestSpec(guest="g", audience="edge", graph="a")
RESTARTED = GuestSpec(guest="g", audience="edge", graph="a", on_hang="restart")
OTHER = GuestSpec(guest="g", audience="edge", graph="b")


def boot(spec=SPEC, boot_id="1"):
    return Boot(
        boot_id=boot_id, spec=spec, seed=bytes(32), machine="microvm", accel="tcg", control="127.0.0.1:1", started_us=0
    )


def world(**parts):
    named = {
        "desired": {"g": SPEC} if parts.pop("desired", True) else {},
        "boots": {"g": parts.pop("boot")} if "boot" in parts else {},
        "running": {"g": parts.pop("running")} if "running" in parts else {},
    }
    return World(**named, **parts)


TABLE = {
    "a new guest is created": (world(), "create"),
    "a guest that is gone is restarted": (world(boot=boot()), "restart"),
    "a guest that is gone and changed is created anew": (world(boot=boot(OTHER)), "create"),
    "a running guest is adopted": (world(boot=boot(), running="1"), "adopt"),
    "a watched guest is left alone": (world(boot=boot(), running="1", watched={"g"}), None),
    "a running guest with another specification is replaced": (world(boot=boot(OTHER), running="1"), "replace"),
    "a running guest of an unknown boot is replaced": (world(boot=boot(), running="2"), "replace"),
    "a running guest without a record is replaced": (world(running="1"), "replace"),
    "a running guest whose end is known is deleted": (world(desired=False, ended={"g"}, running="1"), "delete"),
    "what an ended guest left is deleted": (world(desired=False, ended={"g"}, boot=boot()), "delete"),
    "a guest that was never valid is deleted": (world(desired=False, ended={"g"}, seen={"g"}), "delete"),
    "an observation alone is no wish": (world(desired=False, seen={"g"}), None),
    "a guest that hangs is kept unless its file says otherwise": (
        world(boot=boot(), running="1", watched={"g"}, hung={"g"}),
        None,
    ),
    "a guest that hangs is restarted where its file says so": (
        World(desired={"g": RESTARTED}, boots={"g": boot(RESTARTED)}, running={"g": "1"}, watched={"g"}, hung={"g"}),
        "restart",
    ),
    "a guest whose boot is to end is restarted, whatever its backoff": (
        world(boot=boot(), running="1", watched={"g"}, leaving={"g": "asked"}, not_before={"g": 5.0}),
        "restart",
    ),
    "a guest that is to end is deleted, not restarted": (
        world(desired=False, ended={"g"}, boot=boot(), running="1", leaving={"g": "asked"}),
        "delete",
    ),
    "a tombstone is stronger than a wish": (world(ended={"g"}, boot=boot(), running="1", watched={"g"}), "delete"),
    "a running guest of which nothing is desired goes on": (
        world(desired=False, boot=boot(), running="1", watched={"g"}),
        None,
    ),
    "a running guest of which nothing is desired is adopted": (world(desired=False, boot=boot(), running="1"), "adopt"),
    "a guest that died while nothing was desired of it comes back": (world(desired=False, boot=boot()), "restart"),
    "a machine of which nothing at all is known is left alone": (world(desired=False, running="1"), None),
    "a running guest whose record can't be read is left alone": (world(unreadable={"g"}, running="1"), None),
    "a guest whose record can't be read ends by its tombstone": (
        world(desired=False, ended={"g"}, unreadable={"g"}, running="1"),
        "delete",
    ),
    "a guest in its backoff waits": (world(boot=boot(), not_before={"g": 5.0}, now=4.0), None),
    "a guest after its backoff is restarted": (world(boot=boot(), not_before={"g": 5.0}, now=5.0), "restart"),
    "a failed replacement waits as well": (world(boot=boot(OTHER), running="1", not_before={"g": 5.0}), None),
    "a guest that survived is adopted in its backoff": (
        world(boot=boot(), running="1", not_before={"g": 5.0}),
        "adopt",
    ),
    "a failed deletion waits as well": (world(desired=False, ended={"g"}, boot=boot(), not_before={"g": 5.0}), None),
    "a guest that is worked on is left alone": (world(boot=boot(), busy={"g"}), None),
    "nothing is done about nothing": (world(desired=False), None),
}


@pytest.mark.parametrize(("situation", "kind"), TABLE.values(), ids=TABLE)
def test_plan(situation, kind):
    assert [action.kind for action in plan(situation)] == ([kind] if kind else [])


def test_guests_are_planned_one_by_one_in_order():
    specs = {name: GuestSpec(guest=name, audience="edge", graph="a") for name in ("b", "a")}
    assert plan(World(desired=specs, boots={}, running={})) == [
        Action(kind="create", guest="a", reason="desired", spec=specs["a"]),
        Action(kind="create", guest="b", reason="desired", spec=specs["b"]),
    ]


def test_the_first_failure_costs_no_time_and_waits_never_shrink():
    waits = [backoff(failures) for failures in range(1, 12)]
    assert waits[0] == 0 and waits[1] > 0
    assert waits == sorted(waits) and waits[-1] == 30


def test_what_nothing_is_known_of_is_brought_back_as_it_last_booted():
    [action] = plan(world(desired=False, boot=boot(OTHER)))
    assert action.spec == OTHER
