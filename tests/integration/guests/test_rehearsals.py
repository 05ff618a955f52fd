"""A new specification has to become ready beside the real guest that runs, before that one is ended."""

import contextlib
import os
import signal
import stat

import pytest

from tests.support.guests.guests import Bench, filter_bundle, is_alive, spec

WRAPPER = """#!/bin/sh
echo "$1" >> {folder}/boots
if [ -e {folder}/broken ]; then echo "no luck today"; exit 3; fi
exec {real} "$@"
"""


@pytest.fixture
async def bench(nats, bin_directory, tmp_path):
    """Guests of the build behind a script that can be told to fail."""
    binaries = tmp_path / "bin"
    binaries.mkdir()
    for real in bin_directory.iterdir():
        if real.name != "unibpf-guest":
            (binaries / real.name).symlink_to(real)
    wrapper = binaries / "unibpf-guest"
    wrapper.write_text(WRAPPER.format(folder=tmp_path, real=bin_directory / "unibpf-guest"))
    wrapper.chmod(wrapper.stat().st_mode | stat.S_IXUSR)
    async with Bench.with_services(nats, binaries, tmp_path) as made:
        await made.release(filter_bundle(2))
        yield made


async def test_the_old_guest_goes_on_until_the_new_one_was_ready_once(bench, tmp_path):
    await bench.apply(spec(machine="process"))
    first = await bench.running("g1")
    (tmp_path / "broken").touch()
    await bench.apply(spec(machine="process", memory_mib=16))
    refused = await bench.when("g1", lambda it: it.refused is not None, "a refusal")
    assert (refused.pid, refused.boot_id, refused.state) == (first.pid, first.boot_id, "running")
    assert is_alive(first.pid) and "beside the old one" in refused.refused.reason
    assert "no luck today" in refused.refused.reason

    (tmp_path / "broken").unlink()
    await bench.apply(spec(machine="process", memory_mib=16))
    second = await bench.when("g1", lambda it: it.is_live and it.boot_id != first.boot_id, "the next one")
    assert second.refused is None and not is_alive(first.pid)
    boots = (tmp_path / "boots").read_text().split()
    assert [name.rsplit("/", 1)[1].split("-")[0] for name in boots] == ["image", "image.try", "image.try", "image"]
    folder = bench.paths.guests / "g1"
    assert not list(folder.glob("*.try")), "nothing of a rehearsal is left"
    with contextlib.suppress(ProcessLookupError):
        os.kill(second.pid, signal.SIGKILL)
