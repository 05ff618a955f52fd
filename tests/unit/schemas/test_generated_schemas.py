"""schemas/: what lies there is what the code says."""

import importlib.util
import inspect
import json

import jsonschema
import msgspec
import pytest

from unibpf import subjects
from unibpf.host.settings import REPOSITORY
from unibpf.messages.base import Message
from unibpf.messages.guests import GuestSpec
from unibpf.messages.operations import DeadLetter

FOLDER = REPOSITORY / "schemas"
_spec = importlib.util.spec_from_file_location("schemas_generate", FOLDER / "generate.py")
assert _spec is not None and _spec.loader is not None
generate = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(generate)

SCHEMA = json.loads((FOLDER / "messages.schema.json").read_text())


@pytest.mark.parametrize(
    ("file", "make"), [("messages.schema.json", generate.message_schema), ("asyncapi.json", generate.asyncapi)]
)
def test_the_file_is_what_the_code_makes(file: str, make) -> None:
    assert (FOLDER / file).read_text() == generate.render(make()), "run `python schemas/generate.py`"


def test_every_subject_of_the_code_has_a_channel() -> None:
    functions = {name for name, value in vars(subjects).items() if inspect.isfunction(value)}
    assert functions == {row.make.__name__ for row in generate.channels()}


def test_every_channel_address_is_unique_and_shows_its_parameters() -> None:
    document = generate.asyncapi()
    addresses = [channel["address"] for channel in document["channels"].values()]
    assert len(addresses) == len(set(addresses))
    for channel in document["channels"].values():
        assert all("{" + name + "}" in channel["address"] for name in channel.get("parameters", {}))


def validate(message: Message) -> None:
    schema = {"$ref": f"#/$defs/{type(message).__name__}", "$defs": SCHEMA["$defs"]}
    jsonschema.validate(json.loads(msgspec.json.encode(message)), schema)


def test_an_encoded_message_meets_its_schema_and_a_malformed_one_does_not() -> None:
    letter = DeadLetter(service="signer", subject="a.b", reason="because")
    validate(letter)
    spec = GuestSpec(guest="fw1", audience="edge", graph="c :: Control;")
    validate(spec)
    with pytest.raises(jsonschema.ValidationError):
        validate(msgspec.structs.replace(spec, guest="../etc/passwd"))


def test_the_schema_itself_is_valid() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
