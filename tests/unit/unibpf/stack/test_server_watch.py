"""unibpf.stack.server_watch: when a server is restarted (tests/integration/bus/test_full_disk.py: a real one, a real disk)."""

from unibpf.stack.server_watch import ServerWatch

REFUSED = b"[1] [ERR] JetStream failed to store a msg on stream '$G > S': write /x/1.blk: no space left on device\n"


class Bench:
    def __init__(self, tmp_path, room_bytes=1):
        self.log, self.restarts = tmp_path / "nats.log", 0
        self.log.write_bytes(REFUSED)  # of an earlier run
        self.watch = ServerWatch(log=self.log, store=tmp_path, restart=self.restart, room_bytes=room_bytes)

    async def restart(self):
        self.restarts += 1

    def say(self, text):
        with self.log.open("ab") as file:
            file.write(text)


async def test_a_refusal_that_comes_while_there_is_room_ends_in_one_restart(tmp_path):
    bench = Bench(tmp_path)
    assert not await bench.watch.look(), "what stood there before is no news"
    bench.say(REFUSED)
    assert await bench.watch.look() and bench.restarts == 1
    bench.say(REFUSED)
    assert not await bench.watch.look(), "the first look after a restart: it may have been written before it"
    assert not await bench.watch.look()
    bench.say(b"[1] [INF] Server is ready\n")
    assert not await bench.watch.look() and bench.restarts == 1


async def test_a_refusal_from_when_the_disk_was_full_restarts_nothing(tmp_path):
    bench = Bench(tmp_path, room_bytes=1 << 62)
    bench.say(REFUSED)
    assert not await bench.watch.look()
    bench.watch._room_bytes = 1
    bench.say(REFUSED)
    assert not await bench.watch.look(), "there was no room at the look before: it may be old"
    bench.say(REFUSED)
    assert await bench.watch.look()


async def test_a_log_that_began_anew_is_read_anew(tmp_path):
    bench = Bench(tmp_path)
    await bench.watch.look()
    bench.log.write_bytes(REFUSED[-len(REFUSED) :])
    assert not await bench.watch.look(), "as long as before: nothing new can be seen"
    bench.log.write_bytes(REFUSED[:10])
    assert not await bench.watch.look()
    bench.say(REFUSED[10:])
    assert await bench.watch.look()
