"""`docs/vnfs.md` is what the folders of `vnfs/` say: write it anew with UNIBPF_WRITE_DOCS=1."""

import os
import re
from pathlib import Path

from unibpf.vnf import catalogue
from unibpf.vnf.filling import FILLERS

PAGE = Path(__file__).parents[2] / "docs/vnfs.md"
BEGIN, END = "<!-- made by tests/repo/test_vnfs_page.py -->\n", "<!-- end -->"


def table() -> str:
    lines = ["| function | what it does | programs | graphs | tests |", "|---|---|---|---|---|"]
    for one in catalogue.functions():
        place = f"vnfs/{one.name}"
        cells = [
            f"[`{one.name}`](../{place}/README.md)",
            one.about.replace("|", "\\|"),
            *(", ".join(f"`{name}`" for name in names) for names in (one.programs, one.graphs)),
            ", ".join(f"`{place}/{name}`" for name in one.tests),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def test_the_page_lists_all_functions_with_their_tests() -> None:
    before, _, rest = PAGE.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    wanted = f"{before}{BEGIN}{table()}{END}{after}"
    if os.environ.get("UNIBPF_WRITE_DOCS"):
        PAGE.write_text(wanted)
    assert PAGE.read_text() == wanted


def test_each_function_has_the_shape_of_all() -> None:
    found = {one.name: one for one in catalogue.functions()}
    assert found.keys() >= {"firewall", "nat", "loadbalancer", "ddos", "ids", "ips", "ratelimit"}
    for one in found.values():
        assert one.programs and one.graphs and one.tests, one.name
        text = catalogue.readme(one)
        assert all(name.split(".")[0] in text for name in (*one.programs, *one.graphs)), one.name


def test_settings_are_filled_for_functions_that_there_are() -> None:
    assert FILLERS.keys() <= {one.name for one in catalogue.functions()}
    named = set(re.findall(r"unibpf vnf fill (\w+)", "".join(map(catalogue.readme, catalogue.functions()))))
    assert named == set(FILLERS)
