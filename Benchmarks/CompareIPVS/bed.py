"""Network namespaces, and the directors that can stand in them: kernel IPVS, Fairlead, plain forwarding, none."""

import contextlib
import os
import pathlib
import re
import select
import subprocess
import time

CLIENT, DIRECTOR_CLIENT_SIDE = "198.18.1.10", "198.18.1.1"
DIRECTOR_SERVER_SIDE, SERVERS = "198.18.2.1", ["198.18.2.11", "198.18.2.12", "198.18.2.13"]
CLIENT_DIRECT, SERVER_DIRECT = "198.18.3.10", "198.18.3.11"
VIRTUAL = "198.18.10.80"
PORT = 80
MACS = {
    ("client", "eth0"): "02:00:00:00:01:0a",
    ("director", "client0"): "02:00:00:00:01:01",
    ("director", "servers0"): "02:00:00:00:02:01",
    ("server", "eth0"): "02:00:00:00:02:0b",
    ("client", "direct"): "02:00:00:00:03:0a",
    ("server", "direct"): "02:00:00:00:03:0b",
}
METHOD_LETTERS = {"nat": "-m", "dr": "-g", "ipip": "-i"}
WAIT_SECONDS = 60


class Failed(Exception):
    """The comparison cannot be made."""


def run(*arguments, text=None, check=True, timeout=WAIT_SECONDS):
    command = [str(each) for each in arguments]
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=timeout)
    if check and done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["nothing"]
        raise Failed(f"{' '.join(map(str, arguments))}: status {done.returncode}: {said[0]}")
    return done


class Namespaces:
    """Namespaces of one name prefix; they and what runs in them go at the end."""

    def __init__(self, prefix, places):
        self.prefix = prefix
        self.places = places

    def __enter__(self):
        try:
            for place in self.places:
                run("ip", "netns", "add", self.name(place))
                self.ip(place, "link set lo up")
        except Failed:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for place in self.places:
            run("ip", "netns", "delete", self.name(place), check=False)

    def name(self, place):
        return f"{self.prefix}-{place}"

    def path(self, place):
        return f"/run/netns/{self.name(place)}"

    def ip(self, place, lines):
        """`ip` commands, one a line, in one batch."""
        run("ip", "-n", self.name(place), "-batch", "-", text=lines.strip() + "\n")

    def at(self, place, *arguments, **options):
        return run("ip", "netns", "exec", self.name(place), *arguments, **options)

    def sysctls(self, place, *settings):
        """`name=value`, names below /proc/sys/net; what this kernel lacks is left out."""
        writes = "\n".join(f"echo {s.split('=')[1]} 2>/dev/null >/proc/sys/net/{s.split('=')[0]}" for s in settings)
        self.at(place, "sh", "-c", writes + "\n:")

    def link(self, one, other, macs, mtu=1500):
        """A veth pair between two (place, device)."""
        (place, device), (peer_place, peer_device) = one, other
        run("ip", "-n", self.name(place), "link", "add", device, "address", macs[one], "mtu", mtu, "type", "veth",
            "peer", "name", peer_device, "netns", self.name(peer_place), "address", macs[other], "mtu", mtu)
        for where, name in (one, other):
            self.sysctls(where, f"ipv6/conf/{name}/disable_ipv6=1", f"ipv4/conf/{name}/rp_filter=0")
            self.ip(where, f"link set {name} up")

    def start(self, place, *arguments, ready, processor):
        """A process on a processor, once it has printed a line that begins with `ready`."""
        process = subprocess.Popen(
            ["ip", "netns", "exec", self.name(place), "taskset", "-c", str(processor), *map(str, arguments)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )
        seen, deadline = b"", time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            if select.select([process.stdout], [], [], 0.2)[0]:
                part = os.read(process.stdout.fileno(), 65536)
                if not part:
                    break
                seen += part
                if any(line.startswith(ready) for line in seen.decode(errors="replace").splitlines()):
                    return process
        stop(process)
        raise Failed(f"{arguments[0]} never said '{ready}': {seen.decode(errors='replace').strip()[-300:]}")


def stop(process):
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()


def resident_bytes(pid):
    return int(re.search(r"VmRSS:\s+(\d+) kB", pathlib.Path(f"/proc/{pid}/status").read_text())[1]) * 1024


def has_slab(name):
    return any(line.startswith(f"{name} ") for line in pathlib.Path("/proc/slabinfo").read_text().splitlines())


def slab(name):
    """(bytes of a slab cache, bytes of one object)."""
    for line in pathlib.Path("/proc/slabinfo").read_text().splitlines():
        words = line.split()
        if words[0] == name:
            size, pages, slabs = int(words[3]), int(words[5]), int(words[words.index("slabdata") + 2])
            return slabs * pages * os.sysconf("SC_PAGESIZE"), size
    raise Failed(f"no slab cache {name} in /proc/slabinfo (is the kernel started with slab_nomerge?)")


def ipvs_rules(method, protocol):
    lines = [f"-A -{protocol} {VIRTUAL}:{PORT} -s rr"]
    lines += [f"-a -{protocol} {VIRTUAL}:{PORT} -r {server}:{PORT} {METHOD_LETTERS[method]} -w 1" for server in SERVERS]
    return "\n".join(lines) + "\n"


def set_up(bed, method):
    """The load's network. The director is left without addresses of services; see the directors below."""
    for one, other in (
        (("client", "eth0"), ("director", "client0")),
        (("director", "servers0"), ("server", "eth0")),
        (("client", "direct"), ("server", "direct")),
    ):
        bed.link(one, other, MACS)
    for place in bed.places:
        bed.sysctls(place, "ipv4/conf/all/rp_filter=0", "ipv4/ip_forward=0", "ipv4/conf/all/send_redirects=0")

    def neighbour(address, place, device, of):
        return f"neigh replace {address} lladdr {MACS[of]} dev {device} nud permanent"

    bed.ip("client", f"""
address add {CLIENT}/24 dev eth0
address add {CLIENT_DIRECT}/24 dev direct
{neighbour(DIRECTOR_CLIENT_SIDE, "client", "eth0", ("director", "client0"))}
{neighbour(SERVER_DIRECT, "client", "direct", ("server", "direct"))}
route add 198.18.10.0/24 via {DIRECTOR_CLIENT_SIDE}
route add 198.18.2.0/24 via {DIRECTOR_CLIENT_SIDE}
""")
    bed.ip("director", f"""
address add {DIRECTOR_CLIENT_SIDE}/24 dev client0
address add {DIRECTOR_SERVER_SIDE}/24 dev servers0
{neighbour(CLIENT, "director", "client0", ("client", "eth0"))}
""" + "\n".join(neighbour(server, "director", "servers0", ("server", "eth0")) for server in SERVERS))
    bed.ip("server", "\n".join(f"address add {server}/24 dev eth0" for server in SERVERS) + f"""
address add {SERVER_DIRECT}/24 dev direct
{neighbour(DIRECTOR_SERVER_SIDE, "server", "eth0", ("director", "servers0"))}
{neighbour(CLIENT_DIRECT, "server", "direct", ("client", "direct"))}
""")
    if method == "nat":
        bed.ip("server", f"route add default via {DIRECTOR_SERVER_SIDE}")
        return
    # DR and tunnels: the servers own the virtual address and answer by the direct link. The MSS leaves room for a tunnel.
    bed.ip("server", f"""
address add {VIRTUAL}/32 dev lo
route add default via {CLIENT_DIRECT} dev direct advmss 1440
""")
    if method == "ipip":
        if "tunl0" not in bed.at("server", "ip", "-o", "link").stdout:
            bed.ip("server", "tunnel add tunl0 mode ipip")
        bed.ip("server", "link set tunl0 up")
        bed.sysctls("server", "ipv4/conf/tunl0/rp_filter=0")


# ---- the directors ------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def direct(bed, *_):
    """No director: client and server speak over the link between them."""
    yield {"to": SERVER_DIRECT, "from": CLIENT_DIRECT, "interface": "direct",
           "target_mac": MACS["server", "direct"], "source_mac": MACS["client", "direct"]}


VIA_DIRECTOR = {"from": CLIENT, "interface": "eth0",
                "target_mac": MACS["director", "client0"], "source_mac": MACS["client", "eth0"]}


@contextlib.contextmanager
def forwarding(bed, *_):
    bed.sysctls("director", "ipv4/ip_forward=1")
    yield {"to": SERVERS[0], **VIA_DIRECTOR}


@contextlib.contextmanager
def kernel_ipvs(bed, options, method, protocol):
    """The virtual address is the director's own, as IPVS wants it; NAT needs its kernel to forward."""
    bed.ip("director", f"address add {VIRTUAL}/32 dev client0")
    bed.sysctls("director", "ipv4/ip_forward=1")
    bed.at("director", options["ipvsadm"], "-R", text=ipvs_rules(method, protocol))
    try:
        yield {"to": VIRTUAL, **VIA_DIRECTOR}
    finally:
        bed.at("director", options["ipvsadm"], "-C")


def fairlead_arguments(options, io, interfaces, rules):
    arguments = [options["fairlead"], "run", "--rules", rules]
    for interface in interfaces:
        arguments += ["--interface", interface]
    return arguments + (["--io", io] if io else [])


@contextlib.contextmanager
def fairlead(bed, options, method, protocol, io=None):
    """The virtual address is on no interface, and the kernel forwards nothing."""
    rules = pathlib.Path(options["scratch"]) / "rules"
    rules.write_text(ipvs_rules(method, protocol))
    arguments = fairlead_arguments(options, io, ["client0", "servers0"], rules)
    arguments += ["--connections", options["connections"]]
    process = bed.start("director", *arguments, ready="fairlead: ready", processor=options["processor"])
    try:
        yield {"to": VIRTUAL, "pid": process.pid, **VIA_DIRECTOR}
    finally:
        stop(process)


def director(name):
    """`direct`, `forwarding`, `ipvs`, `fairlead` or `fairlead-IO`."""
    if name.startswith("fairlead"):
        io = name.partition("-")[2] or None
        return lambda *arguments: fairlead(*arguments, io=io)
    return {"direct": direct, "forwarding": forwarding, "ipvs": kernel_ipvs}[name]
