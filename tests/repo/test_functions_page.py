"""docs/vnfs.md lists every network function with its tests; UNIBPF_WRITE_DOCS=1 writes the table anew from the folders."""

import os
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/vnfs.md"
IN_A_VM = "tests/system/test_functions_in_a_vm.py"
FOLDERS = sorted(path.parent for path in (ROOT / "vnfs").glob("*/program.c"))
HEAD = "| function | what it does | elements | tests |\n|---|---|---|---|\n"


def first_paragraph(folder: Path) -> str:
    return " ".join((folder / "README.md").read_text().split("\n\n")[1].split())


def named_tests(folder: Path) -> list[str]:
    own = [str(path.relative_to(ROOT)) for path in sorted(folder.glob("test_*.py"))]
    in_a_vm = re.search(rf"^def {folder.name}\(", (ROOT / IN_A_VM).read_text(), re.MULTILINE)
    return own + ([IN_A_VM] if in_a_vm else [])


def row(folder: Path) -> str:
    elements = re.findall(r"(\w+) :: (BPF\w+)\(PROGRAM ", (folder / "graph.click").read_text())
    texts = [
        f"[`{folder.name}`](../vnfs/{folder.name}/README.md)",
        first_paragraph(folder),
        ", ".join(f"`{name}` ({kind})" for name, kind in elements),
        ", ".join(f"`{name}`" for name in named_tests(folder)),
    ]
    return "| " + " | ".join(text.replace("|", "\\|") for text in texts) + " |\n"


def test_the_page_lists_every_function_with_its_tests() -> None:
    table = HEAD + "".join(map(row, FOLDERS))
    before, mark, after = PAGE.read_text().partition(HEAD)
    assert mark, f"{PAGE} has lost the head of its table"
    rest = after[after.rindex("|\n") + 2 :] if "|\n" in after else after
    if os.environ.get("UNIBPF_WRITE_DOCS"):
        PAGE.write_text(before + table + rest)
    assert PAGE.read_text() == before + table + rest, (
        "write it: UNIBPF_WRITE_DOCS=1 pytest tests/repo/test_functions_page.py"
    )


def test_every_function_has_a_test_of_its_own() -> None:
    assert [folder.name for folder in FOLDERS if not list(folder.glob("test_*.py"))] == []
