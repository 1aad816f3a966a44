"""The ways through a director that scripts/bench compares. Each is a context manager: within it, and only there, the way
is open. It yields a Way."""

import contextlib
import dataclasses

from lab import BULK_PORT, CHECK_PORT, LOCAL_ADDRESSES, SERVERS, TCP_PORTS, UDP_PORT, VIRTUAL, Failed

METHODS = {"nat": "-m", "dr": "-g", "ipip": "-i", "fullnat": "--fullnat"}
IO = ["packet", "packet-mmap", "packet-mmsg", "xdp", "xdp-generic", "pcap", "auto"]


@dataclasses.dataclass
class Way:
    address: str
    process: object = None  # the director's, where it is one
    udp: bool = True
    shares: object = None  # how the connections to CHECK_PORT were shared out, where the servers cannot tell


@contextlib.contextmanager
def plain(lab, _):
    """The director's kernel routes; the client speaks to a server's own address."""
    lab.forwarding(True)
    try:
        yield Way(SERVERS[0])
    finally:
        lab.forwarding(False)


@contextlib.contextmanager
def nftables(lab, _):
    """The director's kernel routes and translates, with round robin by counter."""
    lab.forwarding(True)
    servers = ", ".join(f"{at} : {server}" for at, server in enumerate(SERVERS))
    choice = f"dnat to numgen inc mod {len(SERVERS)} map {{ {servers} }}"
    lab.at("director", "nft", "-f", "-", text=f"""
table ip bench {{
    chain prerouting {{
        type nat hook prerouting priority dstnat
        ip daddr {VIRTUAL} tcp dport {{ {", ".join(map(str, TCP_PORTS))} }} {choice}
        ip daddr {VIRTUAL} udp dport {UDP_PORT} {choice}
    }}
}}
""")
    try:
        yield Way(VIRTUAL)
    finally:
        lab.at("director", "nft", "delete", "table", "ip", "bench")
        lab.forwarding(False)


@contextlib.contextmanager
def local_address(lab):
    """A proxy needs the virtual address on its host."""
    lab.at("director", "ip", "address", "add", f"{VIRTUAL}/32", "dev", "lo")
    try:
        yield
    finally:
        lab.at("director", "ip", "address", "delete", f"{VIRTUAL}/32", "dev", "lo")


def listens(lab, process):
    """Waits until a proxy answers."""
    for _ in range(100):
        if process.poll() is not None:
            break
        with contextlib.suppress(Failed):
            lab.at("director", "sh", "-c", f"ss -Hltn sport = :{BULK_PORT} | grep -q .")
            return
    log = (lab.scratch / "background.log").read_text(errors="replace").strip().splitlines()[-1:]
    raise Failed(f"the proxy does not listen: {log}")


@contextlib.contextmanager
def haproxy(lab, _):
    """HAProxy in TCP mode; it has no UDP."""
    lines = ["global", "  maxconn 4000", "defaults", "  mode tcp", "  timeout connect 5s", "  timeout client 60s",
             "  timeout server 60s"]
    for port in TCP_PORTS:
        lines += [f"listen port{port}", f"  bind {VIRTUAL}:{port}", "  balance roundrobin"]
        lines += [f"  server server{at} {server}:{port}" for at, server in enumerate(SERVERS)]
    file = lab.scratch / "haproxy.cfg"
    file.write_text("\n".join(lines) + "\n")
    with local_address(lab), lab.running("director", "haproxy", "-db", "-f", file) as process:
        listens(lab, process)
        yield Way(VIRTUAL, process, udp=False)


@contextlib.contextmanager
def nginx(lab, _):
    """nginx's stream module, a worker a core."""
    blocks = []
    for port, udp in [*((port, "") for port in TCP_PORTS), (UDP_PORT, " udp reuseport")]:
        upstream = " ".join(f"server {server}:{port};" for server in SERVERS)
        quiet = "proxy_responses 0; proxy_timeout 2s;" if udp else "proxy_timeout 60s; proxy_half_close on;"
        blocks.append(f"upstream port{port} {{ {upstream} }}\n"
                      f"server {{ listen {VIRTUAL}:{port}{udp}; proxy_pass port{port}; {quiet} }}")
    file = lab.scratch / "stream.conf"
    file.write_text(f"""
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off;
user root root;
worker_processes auto;
worker_rlimit_nofile 65536;
pid {lab.scratch}/stream.pid;
error_log stderr crit;
events {{ worker_connections 16384; }}
stream {{
{chr(10).join(blocks)}
}}
""")
    with local_address(lab), lab.running("director", "nginx", "-e", "stderr", "-c", file) as process:
        listens(lab, process)
        yield Way(VIRTUAL, process)


def rules(method):
    lines = []
    for protocol, port in [*(("t", port) for port in TCP_PORTS), ("u", UDP_PORT)]:
        service = f"-{protocol} {VIRTUAL}:{port}"
        lines.append(f"-A {service} -s rr")
        if method == "fullnat":
            lines += [f"--add-laddr -z {address} {service}" for address in LOCAL_ADDRESSES]
        lines += [f"-a {service} -r {server}:{port} {METHODS[method]}" for server in SERVERS]
    return "\n".join(lines) + "\n"


def counted_shares(lab, binary):
    """Connections of each server, active or not, by the director's own count."""
    said = lab.at("director", binary, "ipvsadm", "-Ln", "-t", f"{VIRTUAL}:{CHECK_PORT}")
    rows = [line.split() for line in said.splitlines() if line.strip().startswith("-> 198.")]
    return {row[1]: int(row[4]) + int(row[5]) for row in rows}


def fairlead(method, io, workers):
    @contextlib.contextmanager
    def way(lab, binary):
        """Fairlead, with round robin; the director's kernel forwards nothing."""
        file = lab.scratch / "rules"
        file.write_text(rules(method))
        arguments = [binary, "run", "--interface", "client0", "--interface", "servers0", "--rules", file]
        arguments += ["--io", io] if io else []
        arguments += ["--workers", workers] if workers else []
        with lab.running("director", *arguments, ready="fairlead: ready") as process:
            hidden = method in ("dr", "ipip")
            yield Way(VIRTUAL, process, shares=(lambda: counted_shares(lab, binary)) if hidden else None)

    return way


def peer(name):
    """(the lab's method, context manager) of a peer; ValueError with what there is where there is none."""
    kernels = {"plain": plain, "nftables": nftables, "haproxy": haproxy, "nginx": nginx}
    if name in kernels:
        return "nat", kernels[name]
    way, at, workers = name.partition("@")
    first, _, rest = way.partition("-")
    method, _, io = rest.partition("-")
    if first != "fairlead" or method not in METHODS or (io and io not in IO) or (at and not workers.isdecimal()):
        raise ValueError(f"no such peer: {name}; there are {', '.join(kernels)}, fairlead-METHOD and fairlead-METHOD-IO, with"
                         f" METHOD one of {', '.join(METHODS)} and IO one of {', '.join(IO)}, and @N behind these for N workers")
    return method, fairlead(method, io, workers)
