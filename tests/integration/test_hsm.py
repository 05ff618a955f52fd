"""services.signer.hsm and token on real SoftHSM2 tokens."""

import asyncio
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from services.signer.errors import HsmError
from services.signer.hsm import Hsm
from services.signer.token import init_token, read_trusted
from tests.support.signing.hsm import HsmFixture, make_token
from unibpf.formats.envelope import EDDSA, ES256, signature_holds


@pytest.mark.parametrize(("algorithm", "number", "key_bytes"), [("EdDSA", EDDSA, 32), ("ES256", ES256, 65)])
async def test_a_signature_by_the_token_holds_for_the_published_key(
    tmp_path: Path, algorithm: str, number: int, key_bytes: int
) -> None:
    token = make_token(tmp_path / "state", algorithm=algorithm)
    hsm = await Hsm.open(token.settings.hsm)
    signature = await hsm.sign(b"what the guest checks")
    await hsm.close()
    (published,) = read_trusted(token.settings.paths.trusted_signers)
    assert (published.alg, len(published.key)) == (number, key_bytes)
    assert published == hsm.key
    assert len(signature) == 64
    assert signature_holds(published, b"what the guest checks", signature)
    assert not signature_holds(published, b"what the guest checkS", signature)


async def test_many_tasks_may_sign_at_once_and_all_calls_stay_on_one_thread(hsm_token: HsmFixture) -> None:
    hsm = await Hsm.open(hsm_token.settings.hsm)
    messages = [str(number).encode() for number in range(200)]
    signatures = await asyncio.gather(*(hsm.sign(message) for message in messages))
    workers = [thread.name for thread in threading.enumerate() if thread.name.startswith("pkcs11")]
    await hsm.close()
    assert all(
        signature_holds(hsm.key, message, signature) for message, signature in zip(messages, signatures, strict=True)
    )
    assert len(workers) == 1


def test_making_a_token_twice_keeps_the_key(hsm_token: HsmFixture) -> None:
    assert init_token(hsm_token.settings) == hsm_token.key


def test_pins_and_token_are_the_owners_only(hsm_token: HsmFixture) -> None:
    folder = hsm_token.settings.paths.hsm
    assert {path.name: oct(path.stat().st_mode & 0o777) for path in (folder / "pin", folder / "so-pin")} == {
        "pin": "0o600",
        "so-pin": "0o600",
    }
    assert folder.stat().st_mode & 0o077 == 0
    assert (folder / "tokens").stat().st_mode & 0o077 == 0


async def test_a_pin_that_others_may_read_is_refused(hsm_token: HsmFixture) -> None:
    hsm_token.settings.hsm.pin_file.chmod(0o644)
    with pytest.raises(HsmError, match="may be read by others; run `chmod 600"):
        await Hsm.open(hsm_token.settings.hsm)


async def test_a_wrong_pin_a_missing_token_and_a_missing_key_are_named(hsm_token: HsmFixture, tmp_path: Path) -> None:
    settings = hsm_token.settings.hsm
    wrong = tmp_path / "wrong-pin"
    wrong.write_text("0" * 32)
    wrong.chmod(0o600)
    for change, message in (
        ({"pin_file": wrong}, "PinIncorrect"),
        ({"pin_file": tmp_path / "absent"}, "there is no PIN"),
        ({"token": "another"}, "NoSuchToken"),
        ({"key": "another"}, "NoSuchKey"),
        ({"algorithm": "ES256"}, "the setting asks for `ES256`"),
    ):
        with pytest.raises(HsmError, match=message):
            await Hsm.open(replace(settings, **change))


async def test_a_key_that_can_be_extracted_is_not_used(hsm_token: HsmFixture) -> None:
    arguments = ["--keypairgen", "--key-type", "EC:edwards25519", "--label", "loose", "--extractable"]
    hsm_token.pkcs11_tool(*arguments)
    with pytest.raises(HsmError, match="can be extracted"):
        await Hsm.open(replace(hsm_token.settings.hsm, key="loose"))


async def test_a_token_that_was_away_is_used_again_when_it_is_back(hsm_token: HsmFixture) -> None:
    hsm = await Hsm.open(hsm_token.settings.hsm)
    tokens = hsm_token.settings.paths.hsm / "tokens"
    away = tokens.rename(tokens.with_name("away"))
    await hsm._call(hsm._close)  # as a token that is pulled ends its sessions
    for _ in range(3):
        with pytest.raises(HsmError):
            await hsm.sign(b"x")
    waiting = asyncio.create_task(hsm.until_usable())
    await asyncio.sleep(0.3)
    assert not waiting.done()
    away.rename(tokens)
    await asyncio.wait_for(waiting, 20)
    assert signature_holds(hsm.key, b"x", await hsm.sign(b"x"))
    await hsm.close()


async def test_a_pin_that_the_token_refused_is_shown_to_it_once(hsm_token: HsmFixture) -> None:
    hsm = await Hsm.open(hsm_token.settings.hsm)
    file = hsm_token.settings.hsm.pin_file
    right = file.read_text()
    file.write_text("0" * 32)
    await hsm._call(hsm._close)
    with pytest.raises(HsmError, match="PinIncorrect"):
        await hsm.sign(b"x")
    for _ in range(4):
        with pytest.raises(HsmError, match="tried again when the file changes"):
            await hsm.sign(b"x")
    file.write_text(right)
    assert signature_holds(hsm.key, b"x", await hsm.sign(b"x"))
    await hsm.close()
