"""unibpf.host.readiness: ready or not, since when, why; what is told, and what work waits for."""

import asyncio
import contextlib

from unibpf.host.readiness import Outlook, reasons


class Part:
    """Something a service needs."""

    def __init__(self, problem: str | None = None) -> None:
        self.problem = problem

    async def __call__(self) -> str | None:
        return self.problem


async def test_before_the_first_look_nobody_is_ready() -> None:
    assert Outlook("s").now().why == ["it has just started"]


async def test_since_is_kept_while_only_the_reason_changes() -> None:
    part = Part()
    outlook = Outlook("s", lacks=[part])
    assert (await outlook.look()).is_ready
    part.problem = "the token is away"
    first = await outlook.look()
    part.problem = "the PIN is wrong"
    second = await outlook.look()
    assert (first.is_ready, first.why) == (False, ["the token is away"])
    assert (second.since_us, second.why) == (first.since_us, ["the PIN is wrong"])
    part.problem = None
    assert (await outlook.look()).since_us > first.since_us


async def test_a_check_that_fails_or_hangs_is_an_answer() -> None:
    async def fails() -> str | None:
        raise OSError("no such socket")

    async def hangs() -> str | None:
        await asyncio.sleep(60)
        return None

    assert await reasons([fails, hangs, Part()], patience=0.05) == [
        "no such socket",
        "a check had no answer within 0.05 s",
    ]


async def test_a_change_is_told_once_and_again_where_nobody_took_it() -> None:
    part, told, refusals = Part("away"), [], [True, False]
    outlook = Outlook("s", around=[part])

    async def tell(found):
        if refusals and refusals.pop(0):
            raise OSError("the server is away")
        told.append(found.is_ready)
        part.problem = None

    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.3):
            await outlook.run(tell, pause=0.01)
    assert told == [False, True]


async def test_an_alarm_is_told_and_keeps_nobody_from_working() -> None:
    outlook = Outlook("s")
    await outlook.look()
    outlook.alarms = ["stream A is nearly full"]
    found = await outlook.look()
    assert (found.is_ready, found.alarms) == (True, ["stream A is nearly full"])


async def test_work_waits_for_what_the_service_needs_itself_only() -> None:
    part = Part("away")
    outlook = Outlook("s", lacks=[part], around=[Part("stream A missing")])
    waiting = asyncio.create_task(outlook.until_able())
    await asyncio.sleep(0.05)
    assert not waiting.done()
    part.problem = None
    await asyncio.wait_for(waiting, 5)
