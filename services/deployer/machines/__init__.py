"""Machines of guests: QEMU under libvirt, or a process of this host, behind one seam (hypervisor.py)."""
