"""unibpf/upload.py: the headers of a push."""

import pytest

from unibpf.upload import Tail, Upload, UploadError, parse


def test_headers_are_read_as_they_are_written() -> None:
    upload = Upload(
        audience="edge",
        element="fw",
        section="xdp",
        function="main",
        kind="rewriter",
        tails=(Tail("jmp_table", 0, "handler_a"), Tail("jmp_table", 31, "handler_b")),
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
        ("Unibpf-Tails", "", "upload-header"),
        ("Unibpf-Tails", "jmp_table:0", "upload-header"),
        ("Unibpf-Tails", "jmp_table:-1=handler", "upload-header"),
        ("Unibpf-Tails", "jmp_table:01=handler", "upload-header"),
        ("Unibpf-Tails", "jmp table:0=handler", "upload-header"),
        ("Unibpf-Tails", "jmp_table:0=handler,", "upload-header"),
        ("Unibpf-Tails", ",".join(f"t:{n}=f" for n in range(257)), "upload-header"),
    ],
)
def test_a_malformed_header_is_refused_by_name(header: str, value: str, rule: str) -> None:
    with pytest.raises(UploadError, match=header) as caught:
        parse({header: value})
    assert caught.value.rule == rule
