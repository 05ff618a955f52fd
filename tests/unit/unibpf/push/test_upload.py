"""unibpf/push/upload.py: the headers of a push."""

import pytest

from unibpf.messages.programs import Probation
from unibpf.push import upload
from unibpf.push.loading import Constant, Inner, Loading, MaxEntries, Tail
from unibpf.push.upload import Upload, UploadError, parse


def test_headers_are_read_as_they_are_written() -> None:
    upload = Upload(
        audience="edge",
        element="fw",
        section="xdp",
        function="main",
        kind="rewriter",
        loading=Loading(
            tails=(Tail("jmp_table", 0, "handler_a"), Tail("jmp_table", 31, "handler_b")),
            constants=(Constant("cfg.ports[3]", "53"), Constant("limit", "-0x1")),
            max_entries=(MaxEntries("flows", 65536),),
            inner_maps=(Inner("tables", None, "first"), Inner("tables", 3, "second")),
        ),
        object="0" * 64,
    )
    assert parse(upload.headers()) == upload


def test_no_header_is_needed() -> None:
    assert parse({}) == Upload()
    assert parse(Upload().headers()) == Upload()


@pytest.mark.parametrize(
    ("header", "value", "rule"),
    [
        ("Unibpf-Audience", "Edge Class", "upload-audience"),
        ("Unibpf-Audience", "", "upload-audience"),
        ("Unibpf-Element", "a.b", "upload-element"),
        ("Unibpf-Object", "abc", "upload-object"),
        ("Unibpf-Section", "x y", "upload-header"),
        ("Unibpf-Function", "x" * 129, "upload-header"),
        ("Unibpf-Kind", "graph", "upload-header"),
        ("Unibpf-Kind", "", "upload-header"),
        ("Unibpf-Budget", "0", "upload-header"),
        ("Unibpf-Budget", "1e6", "upload-header"),
        ("Unibpf-Budget", "1" * 99, "upload-header"),
        ("Unibpf-Tails", "", "upload-header"),
        ("Unibpf-Tails", "jmp_table:0", "upload-header"),
        ("Unibpf-Tails", "jmp_table:-1=handler", "upload-header"),
        ("Unibpf-Tails", "jmp_table:01=handler", "upload-header"),
        ("Unibpf-Tails", "jmp table:0=handler", "upload-header"),
        ("Unibpf-Tails", "jmp_table:0=handler,", "upload-header"),
        ("Unibpf-Tails", ",".join(f"t:{n}=f" for n in range(257)), "upload-header"),
        ("Unibpf-Constants", "", "upload-header"),
        ("Unibpf-Constants", "limit", "upload-header"),
        ("Unibpf-Constants", "limit=", "upload-header"),
        ("Unibpf-Constants", "limit=1 2", "upload-header"),
        ("Unibpf-Constants", "limit=1,", "upload-header"),
        ("Unibpf-Constants", "limit=\x00", "upload-header"),
        ("Unibpf-Constants", "limit=\u0661", "upload-header"),
        ("Unibpf-Constants", "li-mit=1", "upload-header"),
        ("Unibpf-Constants", "limit=" + "1" * 8197, "upload-header"),
        ("Unibpf-Constants", ",".join(f"ports[{n}]=hex:{'00' * 4000}" for n in range(7)), "upload-header"),
        ("Unibpf-Constants", ",".join(f"ports[{n}]=1" for n in range(257)), "upload-header"),
        ("Unibpf-Max-Entries", "flows=0", "upload-header"),
        ("Unibpf-Max-Entries", "flows=4294967296", "upload-header"),
        ("Unibpf-Max-Entries", "flows=1k", "upload-header"),
        ("Unibpf-Inner-Maps", "tables", "upload-header"),
        ("Unibpf-Inner-Maps", "tables:-1=first", "upload-header"),
    ],
)
def test_a_malformed_header_is_refused_by_name(header: str, value: str, rule: str) -> None:
    with pytest.raises(UploadError, match=header) as caught:
        parse({header: value})
    assert caught.value.rule == rule


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (
            "time=60,packets=1000,share=100,aborted",
            Probation(time_ms=60_000, packets=1000, share=100, counts_aborted=True),
        ),
        ("time=0.25", Probation(time_ms=250)),
        ("packets=1", Probation(packets=1)),
        ("aborted", Probation(counts_aborted=True)),
    ],
)
def test_a_push_says_how_it_is_to_be_watched(words, meant):
    assert upload.read_probation(words) == meant
    assert upload.parse(upload.Upload(probation=meant).headers()).probation == meant


@pytest.mark.parametrize(
    "words", ["", "time=0", "time=3601", "time=-1", "packets=0", "share=1000001", "share=x", "all", "a,"]
)
def test_a_probation_that_no_guest_would_take_is_refused(words):
    with pytest.raises(ValueError, match=r"[eE]xpected"):
        upload.read_probation(words)
    with pytest.raises(upload.UploadError, match="Unibpf-Probation"):
        upload.parse({"Unibpf-Probation": words})
