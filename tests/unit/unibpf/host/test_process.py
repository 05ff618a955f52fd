"""unibpf.host.process: a signal ends a service, even one that loses its first cancellation."""

import asyncio
import os
import signal

import pytest

from unibpf.host import process


async def ended(work, **options):
    """Run `work` and signal this process once it began."""
    asyncio.get_running_loop().call_later(0.02, os.kill, os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(process.until_signalled(work, **options), 5)


async def test_a_signal_ends_the_work_and_closes_what_it_opened():
    closed = []

    async def work():
        try:
            await asyncio.sleep(60)
        finally:
            closed.append(True)

    await ended(work())
    assert closed == [True]


async def test_a_member_of_a_group_that_swallows_its_cancellation_is_cancelled_again():
    swallowed = []

    async def careless():
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            swallowed.append(True)
        await asyncio.sleep(60)

    async def work():
        async with asyncio.TaskGroup() as group:
            group.create_task(careless())

    await ended(work(), grace=0.05)
    assert swallowed == [True]


async def test_an_error_of_the_work_passes_on():
    async def work():
        raise ValueError("bad")

    with pytest.raises(ValueError, match="bad"):
        await process.until_signalled(work())


async def test_work_that_ends_by_itself_is_the_end():
    async def work():
        await asyncio.sleep(0)

    await process.until_signalled(work())
