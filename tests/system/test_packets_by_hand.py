"""A running VM in the hands of a person: `unibpf wire` with captures, `guest top`, `guest console`."""

from pathlib import Path

from tests.support.programs.checksums import with_checksums
from tests.support.programs.vnf import ipv4
from tests.support.services.cli import StackProcess
from tests.system import firewall
from unibpf.formats import pcap

GUEST = "by-hand"
TCP = 6
WEB, TELNET = (with_checksums(ipv4(protocol=TCP, port=port)) for port in (443, 23))  # the graph looks at them


def test_a_capture_goes_in_at_one_nic_and_what_passes_comes_out_at_the_other(
    stack: StackProcess, tmp_path: Path
) -> None:
    firewall.push(stack.cli, 4321)
    firewall.apply(stack.cli, GUEST)
    ours, theirs, back = tmp_path / "in.pcap", tmp_path / "out.pcap", tmp_path / "back.pcap"
    ours.write_bytes(pcap.encode([WEB, TELNET] * 50))
    words = ["--in", str(ours), "--out", str(back), "--out", f"{GUEST}/outside={theirs}", "--rate", "2000"]
    inside, outside = stack.cli.run("wire", f"{GUEST}/inside", *words, "--json").json
    assert (inside["sent"], inside["received"], outside["sent"], outside["received"]) == (100, 0, 0, 50)
    assert pcap.packets(theirs.read_bytes()) == [WEB] * 50 and pcap.packets(back.read_bytes()) == []
    unknown = stack.cli.run("wire", f"{GUEST}/nowhere", "--in", str(ours), ok=False)
    assert unknown.code == 5 and f"{GUEST}/inside" in unknown.err
    rates = stack.cli.run("guest", "top", GUEST, "--interval", "0.2", "--count", "1", "--json").json
    assert [one["name"] for one in rates["nics"]][-2:] == ["inside", "outside"] and rates["seconds"] > 0.1
    said = stack.cli.run("guest", "console", GUEST, "--json").json["lines"]
    assert any(f"unibpf ready guest={GUEST} " in line for line in said)
    stack.cli.run("guest", "delete", GUEST, "--wait")
