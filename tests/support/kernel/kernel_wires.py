"""Run inside `unshare -rn`: the process guest between two interfaces of the kernel. Prints how many frames came through.

kernel_wires.py GUEST IMAGE tap|packet COUNT
"""

import socket
import subprocess
import sys

ETH_P_ALL = 3


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


def make_wire(kind: str, name: str) -> tuple[str, str]:
    """Interfaces for the guest and for us; with a TAP both are the same one."""
    if kind == "tap":
        ip("tuntap", "add", name, "mode", "tap")
        ends = (name, name)
    else:
        ends = (f"{name}g", f"{name}h")
        ip("link", "add", ends[0], "type", "veth", "peer", "name", ends[1])
    for end in ends:
        subprocess.run(["sysctl", "-qw", f"net.ipv6.conf.{end}.disable_ipv6=1"], check=True)
        ip("link", "set", end, "up")
    return ends


def attach(interface: str) -> socket.socket:
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    raw.bind((interface, ETH_P_ALL))
    raw.settimeout(5)
    return raw


def main() -> None:
    guest, image, kind, count = sys.argv[1:]
    wires = {name: make_wire(kind, name) for name in ("in0", "out0")}
    command = [guest, image, "--nic", "mgmt=52:54:00:00:00:01:udp-control:0"]
    command += ["--nic", f"inside=52:54:00:00:00:02:{kind}:{wires['in0'][0]}"]
    command += ["--nic", f"outside=52:54:00:00:00:03:{kind}:{wires['out0'][0]}"]
    ip("link", "set", "lo", "up")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline().startswith("unibpf ready")
        inside, outside = attach(wires["in0"][1]), attach(wires["out0"][1])
        sent = [b"\x02" * 12 + b"\x88\xb5" + i.to_bytes(2) + bytes(50) for i in range(int(count))]
        got = 0
        for frame in sent:
            inside.send(frame)
            got += outside.recv(2048) == frame
        process.terminate()
    print(got)


if __name__ == "__main__":
    main()
