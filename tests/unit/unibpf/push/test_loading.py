"""unibpf/push/loading.py: what a loader would set, as words of command lines and headers."""

import argparse

import pytest

from unibpf.push import loading
from unibpf.push.loading import Constant, Inner, Loading, MaxEntries, Tail
from unibpf.push.upload import HEADERS

ALL = Loading(
    tails=(Tail("jumps", 0, "handler"),),
    constants=(Constant("cfg.rules[1].address", "10.0.0.1"), Constant("name", "text:a=b")),
    max_entries=(MaxEntries("flows", 4_294_967_295), MaxEntries("tables.inner", 1)),
    inner_maps=(Inner("tables", None, "first"), Inner("tables", 2, "second")),
)


def test_headers_and_command_lines_say_the_same() -> None:
    parser = argparse.ArgumentParser()
    loading.add_options(parser)
    assert loading.of_headers(ALL.headers()) == ALL
    assert loading.parse_arguments(parser, ALL.arguments()).loading == ALL
    assert loading.of_headers({}) == loading.parse_arguments(parser, []).loading == Loading()


def test_every_option_is_a_header_of_an_upload() -> None:
    assert {option.header for option in loading.OPTIONS} <= HEADERS.keys()
    assert {option.field for option in loading.OPTIONS} == set(Loading.__struct_fields__)


@pytest.mark.parametrize(
    ("field", "words", "complaint"),
    [
        ("tails", ["jumps:0"], "option `--tail`: got `jumps:0`, expected `MAP:INDEX=FUNCTION`"),
        ("constants", ["limit"], "option `--const`: got `limit`, expected `NAME=VALUE`"),
        ("constants", ["a=1,b=2"], "option `--const`: got `a=1,b=2`, expected `NAME=VALUE`"),
        (
            "max_entries",
            ["flows=4294967296"],
            "option `--max-entries`: got `flows=4294967296`, expected at most 4294967295",
        ),
        (
            "inner_maps",
            ["tables:x=first"],
            "option `--inner`: got `tables:x=first`, expected `MAP=MAP` or `MAP:INDEX=MAP`",
        ),
        ("constants", ["a=1"] * 257, "option `--const`: got more than 256 of `NAME=VALUE`"),
        ("constants", ["a=hex:" + "00" * 4096] * 6, "option `--const`: got 49210 bytes with those before it, "),
    ],
)
def test_a_malformed_word_names_its_option(field: str, words: list[str], complaint: str) -> None:
    with pytest.raises(ValueError) as caught:
        loading.read({field: words})
    assert str(caught.value).startswith(complaint)


def test_a_word_of_the_largest_size_is_taken() -> None:
    word = "a=hex:" + "00" * 4096
    assert loading.of_headers({"Unibpf-Constants": word}).headers() == {"Unibpf-Constants": word}


def test_only_what_changes_data_or_maps_changes_the_object() -> None:
    assert not Loading(tails=ALL.tails).changes_the_object
    assert Loading(constants=ALL.constants).changes_the_object
    assert Loading(max_entries=ALL.max_entries).changes_the_object
    assert Loading(inner_maps=ALL.inner_maps).changes_the_object
