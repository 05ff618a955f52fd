"""schemas/: what lies there is what the code says."""

import importlib.util
import json
import re
from enum import IntEnum
from pathlib import Path

import jsonschema
import msgspec
import pytest

from unibpf import subjects
from unibpf.host.settings import REPOSITORY
from unibpf.messages.base import Message
from unibpf.messages.guests import GuestSpec
from unibpf.messages.operations import DeadLetter

FOLDER = REPOSITORY / "schemas"


def script(file: str):
    """The module in `schemas/`, which is no package."""
    spec = importlib.util.spec_from_file_location(f"schemas_{Path(file).stem}", FOLDER / file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


generate = script("generate.py")
control_keys = script("control_keys.py")
bodies = script("golden/generate_bodies.py")

SCHEMA = json.loads((FOLDER / "messages.schema.json").read_text())


@pytest.mark.parametrize(
    ("file", "make"), [("messages.schema.json", generate.message_schema), ("asyncapi.json", generate.asyncapi)]
)
def test_the_file_is_what_the_code_makes(file: str, make) -> None:
    assert (FOLDER / file).read_text() == generate.render(make()), "run `python schemas/generate.py`"


def test_every_subject_of_the_code_has_a_row_and_a_channel() -> None:
    named = [value for value in vars(subjects).values() if isinstance(value, subjects.Subject)]
    assert list(subjects.SUBJECTS) == named
    assert [row for row in named if row not in {channel.row for channel in generate.channels()}] == []


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


def test_the_names_of_the_control_channels_keys_are_those_of_the_cddl() -> None:
    for path, text in control_keys.files().items():
        assert path.read_text() == text, "run `python schemas/control_keys.py`"


def test_every_map_of_the_cddl_uses_the_numbers_that_its_key_table_names() -> None:
    # Where a table is shared, each of its maps uses some of the numbers, and together they use all.
    maps = {
        "mac-claims": ["mac-claims"],
        "update": ["staged", "activated"],
        "status": ["status"],
        "element": ["element-status"],
        "map-query": ["map-query"],
        "ring-query": ["ring-query"],
        "dump": ["map-dump", "ring-dump"],
        "map-changes": ["map-changes"],
        "map-changed": ["map-changed"],
    }
    text = re.sub(r";.*", "", (FOLDER / "control.cddl").read_text())
    for table, names in maps.items():
        used = set[int]()
        for name in names:
            body = re.search(rf"^{name} = (\{{.*?\n?\}})\s*$", text, re.MULTILINE | re.DOTALL)
            assert body is not None, name
            used |= {int(number) for number in re.findall(r"(-?\d+) =>", body[1])}
        assert used == set(control_keys.tables()[table].values()), table


def test_the_golden_bodies_are_what_their_script_makes_and_use_every_key() -> None:
    for name, text in bodies.files().items():
        assert (FOLDER / "golden" / name).read_text() == text, "run `python schemas/golden/generate_bodies.py`"
    written = {key for body in bodies.BODIES.values() for key in keys_of(body)}
    enums = [value for value in vars(bodies).values() if isinstance(value, type) and issubclass(value, IntEnum)]
    assert written == {f"{enum.__name__}.{key.name}" for enum in enums for key in enum}


def keys_of(item: object) -> set[str]:
    """The named keys of all maps in it."""
    if isinstance(item, dict):
        own = {type(key).__name__ + "." + key.name for key in item if isinstance(key, IntEnum)}
        return own.union(*(keys_of(value) for value in item.values()))
    return set[str]().union(*(keys_of(value) for value in item)) if isinstance(item, list) else set()
