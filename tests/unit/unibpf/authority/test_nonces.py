"""unibpf.authority.nonces: bounded memory that never lets a replay in."""

from unibpf.authority.nonces import Nonces


def test_what_had_to_be_forgotten_moves_the_floor() -> None:
    nonces = Nonces(room=3)
    assert all(nonces.is_new(str(one), at_us=one) for one in range(1, 6))
    assert nonces.floor_us == 2
    assert not nonces.is_new("5", at_us=5)


def test_the_same_place_again_is_no_replay() -> None:
    nonces = Nonces()
    assert nonces.is_new("a", 1, "UPLOADS:1")
    assert nonces.is_new("a", 1, "UPLOADS:1")
    assert not nonces.is_new("a", 1, "UPLOADS:2")
    assert nonces.is_new("b", 1)
    assert not nonces.is_new("b", 1)
