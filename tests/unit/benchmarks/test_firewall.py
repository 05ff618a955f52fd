"""benchmarks/firewall.py: the same program every time, one that compiles and is safe."""

from pathlib import Path

from benchmarks.firewall import firewall
from services.verifier.frontend import frontend
from tests.lab.corpus import judge_bundle
from unibpf.push.compile import compile_c


def test_a_firewall_is_the_same_every_time_and_has_all_its_rules() -> None:
    assert firewall(120) == firewall(120)
    assert firewall(120).count("\tif (p->source == ") == 120
    assert firewall(120).count("static __noinline int rules") == 3


def test_a_firewall_compiles_and_is_safe(bin_directory: Path, tmp_path: Path) -> None:
    (tmp_path / "firewall.c").write_text(firewall(60))
    translation = frontend.translate(compile_c(tmp_path / "firewall.c"), frontend.Options())
    assert judge_bundle(translation.bundle, "guest", bin_directory / "unibpf-analyse").verdict == "safe"
    assert translation.instructions > 60 * 3
