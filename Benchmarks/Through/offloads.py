"""Offloads of the ends' interfaces: as the kernel has them, or switched off while a table's peers are measured.

While an AF_XDP socket holds a veth device, the kernel takes segmentation from the other end, and partial checksums are
completed by the director; every other peer is sent super-frames without checksums. With offloads off at the ends all
peers are sent the same frames. The director's own interfaces stay as they are.
"""

import contextlib

from lab import Failed

# The interfaces of the client and of the real servers, which share a namespace.
ENDS = [("client", "eth0"), ("client", "eth1"), ("server1", "eth0")]
# What `ethtool -K` calls each, and the line of `ethtool -k` that tells of it.
NAMES = {
    "rx": "rx-checksumming", "tx": "tx-checksumming", "tso": "tcp-segmentation-offload",
    "gso": "generic-segmentation-offload", "gro": "generic-receive-offload",
}
STATES = {"default": "offloads at defaults", "off": "offloads off at the ends"}


def read(lab, place, device):
    """{name: "on" or "off"} of an interface."""
    told = dict(line.split(": ", 1) for line in lab.at(place, "ethtool", "-k", device).splitlines() if ": " in line)
    return {name: told[line].split()[0] for name, line in NAMES.items()}


def write(lab, place, device, wanted):
    """Failed where the interface does not end up as wanted."""
    lab.at(place, "ethtool", "-K", device, *[word for pair in wanted.items() for word in pair])
    if (found := read(lab, place, device)) != wanted:
        raise Failed(f"offloads of {device} at {place} are {found}, not {wanted}")


@contextlib.contextmanager
def at_ends(labs, state):
    """With `off`, the ends of all labs are without offloads; afterwards each is as it was."""
    with contextlib.ExitStack() as stack:
        if state == "off":
            for lab in labs:
                for place, device in ENDS:
                    stack.callback(write, lab, place, device, read(lab, place, device))
                    write(lab, place, device, dict.fromkeys(NAMES, "off"))
        yield
