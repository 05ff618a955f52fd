"""What a guest makes of its boot image: first programs, floors, pinned keys, graphs that it does not take."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.guests import live_guest
from tests.support.guests.live_guest import V1, V2, Machine, first_program
from tests.support.signing.signing import EcSigner, Signer
from unibpf.formats import boot_image
from unibpf.formats.boot_image import BootImage


def test_an_element_without_a_program_fails_closed_until_it_gets_one(
    machine: Machine, bin_directory: Path, signer: Signer
) -> None:
    with live_guest.running(machine, bin_directory, live_guest.boot(signer)) as guest:
        assert not guest.passes()
        assert ["no-program", 1] in guest.channel.element("fw")[8]
        assert guest.channel.request("POST", "/elements/fw/rollback").rule == "nothing-previous"
        assert (
            guest.channel.request("POST", "/elements/fw/activate", b"\xa1\x00\x58\x20" + bytes(32)).rule
            == "nothing-staged"
        )
        answer = guest.channel.request("PUT", "/elements/fw/program", signer.update(V1, sequence=1))
        assert answer.name == "2.04"
        assert answer.body[6][0][:2] == ["hits", 1]
        assert guest.passes()


def test_a_bad_first_program_is_named_on_the_console_and_its_element_fails_closed(
    machine: Machine, bin_directory: Path, signer: Signer
) -> None:
    programs = [first_program(Signer(), V1, sequence=10)]
    with live_guest.running(machine, bin_directory, live_guest.boot(signer, programs=programs)) as guest:
        assert "element `fw` starts without a program" in guest.console_text()
        assert "rule key" in guest.console_text()
        assert not guest.passes()


def test_a_rebooted_guest_takes_what_ran_before_and_nothing_older(
    machine: Machine, bin_directory: Path, signer: Signer
) -> None:
    for sequence, accepted in ((20, True), (19, False)):
        image = live_guest.boot(signer, programs=[first_program(signer, V1, sequence=sequence)], floors={"fw": 20})
        with live_guest.running(machine, bin_directory, image) as guest:
            assert guest.passes() == accepted
            assert guest.channel.element("fw")[12] == 20
            assert (
                guest.channel.request("PUT", "/elements/fw/program", signer.update(V2, sequence=20)).rule == "sequence"
            )


def test_a_guest_that_pins_an_es256_key_takes_its_releases_and_nobody_elses(
    machine: Machine, bin_directory: Path, signer: Signer
) -> None:
    hsm = EcSigner()
    image = live_guest.boot(hsm, programs=[first_program(hsm, V1, sequence=10)])
    with live_guest.running(machine, bin_directory, image) as guest:
        assert guest.passes()
        assert guest.channel.request("PUT", "/elements/fw/program", signer.update(V2, sequence=11)).rule == "key"
        assert guest.passes()
        assert guest.channel.request("PUT", "/elements/fw/program", hsm.update(V2, sequence=11)).name == "2.04"
        assert not guest.passes()


def unsigned(signer: Signer) -> BootImage:
    return live_guest.boot(signer, graph_envelope=Signer().graph(live_guest.GRAPH))


def changed(signer: Signer) -> BootImage:
    return live_guest.boot(signer, graph=live_guest.GRAPH.replace("fw", "gw").encode())


def broken(signer: Signer) -> BootImage:
    text = "control :: Control; FromDevice(in0) -> Nonsense;"
    return live_guest.boot(signer, graph=text.encode(), graph_envelope=signer.graph(text))


def older(signer: Signer) -> BootImage:
    return live_guest.boot(signer, floors={"": 2})


@pytest.mark.parametrize(
    ("make", "word"),
    [(unsigned, "`key`"), (changed, "`bundle-digest`"), (broken, "Nonsense"), (older, "`sequence`")],
    ids=["signed by a stranger", "another text", "an unknown element", "older than before"],
)
def test_a_bad_graph_ends_the_boot_with_a_panic_that_names_the_rule(
    machine: Machine, bin_directory: Path, signer: Signer, make: Any, word: str
) -> None:
    with pytest.raises(AssertionError) as refused, live_guest.running(machine, bin_directory, make(signer)):
        pass
    assert "unibpf panic" in str(refused.value)
    assert word in str(refused.value)


def test_a_truncated_boot_image_ends_the_boot_with_a_panic(
    machine: Machine, bin_directory: Path, signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode = boot_image.encode
    monkeypatch.setattr(boot_image, "encode", lambda image: encode(image)[:-20])
    with (
        pytest.raises(AssertionError, match=r"unibpf panic.*`boot`"),
        live_guest.running(machine, bin_directory, live_guest.boot(signer)),
    ):
        pass
