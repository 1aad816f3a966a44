"""The same rules and packets through a director; what came out, in words, is compared by scripts/compare_ipvs.py.

Each scenario is a function of a Session. Outside the director there is one namespace whose interfaces have no
addresses: frames are put in and taken out there, so nothing but the director answers.
"""

import ctypes
import os
import pathlib
import select
import socket

import bed as beds
import packets
from packets import ICMP, TCP, UDP

CLIENT_ROUTER, SERVER_ROUTER = "198.18.1.254", "198.18.2.254"
CLIENT_ROUTER6, SERVER_ROUTER6 = "2001:db8:1::fe", "2001:db8:2::fe"
VIRTUAL, VIRTUAL6 = "198.18.10.80", "2001:db8:10::80"
SERVERS = ["198.18.2.11", "198.18.2.12", "198.18.2.13"]
SERVERS6 = ["2001:db8:2::11", "2001:db8:2::12", "2001:db8:2::13"]
MACS = {
    ("director", "client0"): "02:00:00:00:01:01",
    ("outside", "client0"): "02:00:00:00:01:fe",
    ("director", "servers0"): "02:00:00:00:02:01",
    ("outside", "servers0"): "02:00:00:00:02:fe",
}
SERVER_MACS = {
    address: f"02:00:00:00:02:{11 + at:02x}" for group in (SERVERS, SERVERS6) for at, address in enumerate(group)
}
QUIET_SECONDS = 0.02

libc = ctypes.CDLL(None, use_errno=True)


def enter(namespace):
    """Move this process into the network namespace that an open file stands for; closes the file."""
    try:
        if libc.setns(namespace, 0x40000000):
            raise beds.Failed(f"setns: {os.strerror(ctypes.get_errno())}")
    finally:
        os.close(namespace)


class Session:
    """One scenario's director, the frames' two sides, and the transcript."""

    def __init__(self, bed, options, name):
        self.bed = bed
        self.options = options
        self.kernel = name == "ipvs"
        self.transcript = []
        self.numbers = set()
        self.next_number = 1000
        self.sockets = {}
        self.last = []
        set_up(bed)
        home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        enter(os.open(bed.path("outside"), os.O_RDONLY | os.O_CLOEXEC))
        try:
            for side in ("client0", "servers0"):
                self.sockets[side] = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
                self.sockets[side].bind((side, 3))
        finally:
            enter(home)

    def close(self):
        for each in self.sockets.values():
            each.close()

    def note(self, text):
        self.transcript.append(text)

    def command(self, line, text=None):
        """ipvsadm's arguments; its status and what it said go into the transcript."""
        program = [self.options["ipvsadm"]] if self.kernel else [self.options["fairlead"], "ipvsadm"]
        done = self.bed.at("director", *program, *line.split(), text=text, check=False)
        self.note(f"$ ipvsadm {line}" + (f" -> {done.returncode}" if done.returncode else ""))
        return done.stdout.splitlines() + done.stderr.splitlines()

    def rules(self, text):
        """Rules in one command, as `ipvsadm -S` writes them."""
        self.note("  " + text.strip().replace("\n", "; "))
        self.transcript += ["  " + each for each in self.command("-R", text.strip() + "\n")]

    def edit(self, text):
        """Rules one by one, each with what is said about it."""
        for line in text.strip().splitlines():
            self.transcript += ["  " + each for each in self.command(line.strip())]

    def listing(self, line, ordered=True):
        said = self.command(line)
        self.transcript += ["  " + each for each in (said if ordered else sorted(said))]

    def number(self):
        self.next_number += 1
        self.numbers.add(self.next_number)
        return self.next_number

    def drain(self):
        frames = []
        while ready := select.select(self.sockets.values(), [], [], self.options["quiet"])[0]:
            for side, each in self.sockets.items():
                if each in ready:
                    frame, sender = each.recvfrom(65535)
                    if sender[2] != socket.PACKET_OUTGOING and not packets.is_noise(frame):
                        frames.append((side, frame))
        return frames

    def inject(self, side, packet, says):
        """Sends a packet into the director and writes down what comes out."""
        self.note(f"> {side} {says}")
        self.sockets[side].send(packets.ether(MACS["director", side], MACS["outside", side], packet))
        self.last = self.drain()
        for out, frame in self.last:
            self.note(f"< {out} {packets.words_of_frame(frame, self.numbers)}")

    def from_client(self, client, protocol, segment, target=VIRTUAL, says="", **fields):
        self.inject("client0", packets.ip(client, target, protocol, segment, self.number(), **fields),
                    says or f"{client} protocol {protocol}, {len(segment)} bytes")

    def udp(self, client, sport, dport=80, data=b"question", target=VIRTUAL, **fields):
        segment = packets.udp(client, target, sport, dport, data)
        says = f"{client}:{sport} udp to {target}:{dport} {len(data)}"
        self.from_client(client, UDP, segment, target, says, **fields)

    def tcp(self, client, sport, flags, seq=1, ack=0, dport=80, data=b"", target=VIRTUAL, **fields):
        segment = packets.tcp(client, target, sport, dport, seq, ack, flags, data)
        says = f"{client}:{sport} tcp {flags} to {target}:{dport} {len(data)}"
        self.from_client(client, TCP, segment, target, says, **fields)

    def picked(self):
        """(server, port) of the frame that came out to the servers' side last."""
        for side, frame in self.last:
            if side != "servers0":
                continue
            if frame[14] >> 4 == 6:
                return socket.inet_ntop(socket.AF_INET6, frame[38:54]), int.from_bytes(frame[56:58], "big")
            return socket.inet_ntoa(frame[30:34]), int.from_bytes(frame[36:38], "big")
        return None

    def from_server(self, server, protocol, segment, client, says, **fields):
        self.inject("servers0", packets.ip(server, client, protocol, segment, self.number(), **fields), says)

    def answer_udp(self, client, sport, data=b"answer"):
        if server := self.picked():
            segment = packets.udp(server[0], client, server[1], sport, data)
            self.from_server(server[0], UDP, segment, client, f"server udp to {client}:{sport} {len(data)}")

    def answer_tcp(self, server, client, sport, flags, seq, ack, data=b""):
        segment = packets.tcp(server[0], client, server[1], sport, seq, ack, flags, data)
        self.from_server(server[0], TCP, segment, client, f"server tcp {flags} to {client}:{sport} {len(data)}")


def set_up(bed):
    for device in ("client0", "servers0"):
        bed.link(("director", device), ("outside", device), MACS)
    director = ["address add 198.18.1.1/24 dev client0", "address add 198.18.2.1/24 dev servers0"]
    for device in ("client0", "servers0"):
        bed.sysctls("director", f"ipv6/conf/{device}/disable_ipv6=0", f"ipv6/conf/{device}/accept_dad=0")
    director += ["address add 2001:db8:1::1/64 dev client0 nodad", "address add 2001:db8:2::1/64 dev servers0 nodad"]
    for address, device in ((CLIENT_ROUTER, "client0"), (CLIENT_ROUTER6, "client0"), (SERVER_ROUTER, "servers0"),
                            (SERVER_ROUTER6, "servers0")):
        director.append(f"neigh replace {address} lladdr {MACS['outside', device]} dev {device} nud permanent")
    for address, mac in SERVER_MACS.items():
        director.append(f"neigh replace {address} lladdr {mac} dev servers0 nud permanent")
    director += [f"route add default via {CLIENT_ROUTER}", f"route add default via {CLIENT_ROUTER6}"]
    bed.ip("director", "\n".join(director))
    bed.sysctls("director", "ipv4/conf/all/rp_filter=0", "ipv4/icmp_ratelimit=0", "ipv6/icmp/ratelimit=0",
                "ipv4/conf/all/send_redirects=0")
    bed.ip("outside", "link set client0 arp off\nlink set servers0 arp off")


# ---- the scenarios ------------------------------------------------------------------------------------------------


def service(protocol, scheduler, letter, port=80, weights=(1, 1, 1), virtual=VIRTUAL, servers=SERVERS, extra=""):
    bracket = (lambda address: f"[{address}]") if ":" in virtual else (lambda address: address)
    at = f"{bracket(virtual)}:80"
    lines = [f"-A -{protocol} {at} -s {scheduler} {extra}".strip()]
    lines += [f"-a -{protocol} {at} -r {bracket(server)}:{port} -{letter} -w {weight}"
              for server, weight in zip(servers, weights)]
    return "\n".join(lines)


def whole_connection(s, client, sport, replies=True, target=VIRTUAL):
    s.tcp(client, sport, "S", 100, target=target)
    server = s.picked()
    if not server:
        return
    if replies:
        s.answer_tcp(server, client, sport, "SA", 500, 101)
    s.tcp(client, sport, "A", 101, 501, target=target)
    s.tcp(client, sport, "PA", 101, 501, data=b"GET / HTTP/1.0\r\n\r\n", target=target)
    if replies:
        s.answer_tcp(server, client, sport, "PA", 501, 119, b"HTTP/1.0 200 OK\r\n\r\nhello")
    s.listing("-Lnc", ordered=False)
    s.tcp(client, sport, "FA", 119, 525, target=target)
    if replies:
        s.answer_tcp(server, client, sport, "FA", 525, 120)
    s.tcp(client, sport, "A", 120, 526, target=target)


def nat_tcp(s):
    """Round robin to another port; four connections from the first segment to the last."""
    s.rules(service("t", "rr", "m", 8080))
    for at in range(4):
        whole_connection(s, f"198.51.100.{at + 1}", 2000 + at)
    s.listing("-Lnc", ordered=False)


def nat_udp(s):
    """Weighted round robin, with answers."""
    s.rules(service("u", "wrr", "m", 53, (3, 2, 1)))
    for at in range(9):
        s.udp(f"198.51.100.{at + 1}", 3000)
        s.answer_udp(f"198.51.100.{at + 1}", 3000)


def direct_routing(s):
    """TCP and UDP; replies do not come by."""
    s.rules(service("t", "rr", "g") + "\n" + service("u", "rr", "g"))
    for at in range(3):
        whole_connection(s, f"198.51.100.{at + 1}", 2000, replies=False)
        s.udp(f"198.51.100.{at + 1}", 3000)


def tunnel(s):
    """IPIP: TCP and UDP, with and without DF."""
    s.rules(service("t", "rr", "i") + "\n" + service("u", "rr", "i"))
    for at in range(3):
        whole_connection(s, f"198.51.100.{at + 1}", 2000, replies=False)
        s.udp(f"198.51.100.{at + 1}", 3000, df=at % 2 == 0)


def schedulers(s):
    """Each scheduler's picks for UDP flows, weights 1, 2 and 3."""
    for name in ("rr", "wrr", "lc", "wlc", "sed", "nq", "fo", "ovf", "sh", "dh", "mh", "lblc", "lblcr"):
        s.rules(service("u", name, "m", weights=(1, 2, 3)))
        for at in range(10):
            s.udp(f"198.51.100.{at * 7 + 1}", 4000 + at)
        s.listing("-Ln")
        s.edit(f"-D -u {VIRTUAL}:80")


def persistence(s):
    """The same client's connections stay; with a mask, its network's do."""
    s.rules(service("t", "rr", "m", extra="-p 60") + "\n" + service("u", "rr", "m", extra="-p 60 -M 255.255.255.0"))
    for at in range(6):
        s.tcp(f"198.51.100.{at % 2 + 1}", 2000 + at, "S")
        s.udp(f"198.51.{100 + at % 3}.{at + 1}", 3000 + at)
    s.listing("-Lnc", ordered=False)
    s.listing("-Ln --persistent-conn")


def one_packet(s):
    """One-packet scheduling: every datagram by itself."""
    s.rules(service("u", "rr", "m", extra="-o"))
    for at in range(5):
        s.udp("198.51.100.1", 3000)
    s.listing("-Lnc", ordered=False)


def icmp_errors(s):
    """Errors about a connection's packets from either side, and echo to the virtual address."""
    s.rules(service("u", "rr", "m", 53))
    s.udp("198.51.100.1", 3000, data=b"x" * 40)
    server = s.picked()
    if server:
        datagram = packets.udp("198.51.100.1", server[0], 3000, server[1], b"x" * 40)
        quoted = packets.ip("198.51.100.1", server[0], UDP, datagram, 1001)
        s.from_server(server[0], ICMP, packets.icmp(3, 3, 0, quoted), "198.51.100.1", "server port unreachable")
        s.answer_udp("198.51.100.1", 3000, b"y" * 40)
    reply = packets.ip(VIRTUAL, "198.51.100.1", UDP, packets.udp(VIRTUAL, "198.51.100.1", 80, 3000, b"y" * 40), 77)
    s.from_client("198.51.100.9", ICMP, packets.icmp(3, 4, 1400, reply), says="router: fragmentation needed, 1400")
    s.from_client("198.51.100.1", ICMP, packets.icmp(8, 0, 0x10001, b"ping" * 8), says="echo request")


def too_big(s, letter):
    s.bed.ip("director", "link set servers0 mtu 1400")
    s.bed.ip("outside", "link set servers0 mtu 1400")
    s.rules(service("u", "rr", letter))
    for size in (1300, 1352, 1353, 1372, 1373, 1400):
        s.udp("198.51.100.1", 3000 + size, data=b"z" * size, df=True)
        s.udp("198.51.100.2", 3000 + size, data=b"z" * size)


def too_big_nat(s):
    """Packets at and over the MTU of the servers' side, with and without DF, by NAT."""
    too_big(s, "m")


def too_big_dr(s):
    """The same by direct routing."""
    too_big(s, "g")


def too_big_tunnel(s):
    """The same into a tunnel."""
    too_big(s, "i")


def time_to_live(s):
    """TTL 2 and 1, from either side."""
    for letter in "mgi":
        s.rules(service("u", "rr", letter))
        for ttl in (2, 1):
            s.udp("198.51.100.1", 3000 + ttl, ttl=ttl)
            if letter == "m" and (server := s.picked()):
                segment = packets.udp(server[0], "198.51.100.1", server[1], 3000 + ttl, b"late")
                s.from_server(server[0], UDP, segment, "198.51.100.1", "server, TTL 1", ttl=1)
        s.edit(f"-D -u {VIRTUAL}:80")


def no_destination(s):
    """A service without usable servers, and ports without a service."""
    s.rules(service("t", "rr", "m", weights=(0, 0, 0)) + f"\n-A -u {VIRTUAL}:80 -s wlc")
    s.tcp("198.51.100.1", 2000, "S")
    s.udp("198.51.100.1", 2000)
    s.tcp("198.51.100.1", 2001, "S", dport=81)
    s.udp("198.51.100.1", 2001, dport=81)


def fragments(s):
    """A datagram in two fragments, in order and not, by each method."""
    whole = packets.udp("198.51.100.1", VIRTUAL, 3000, 80, b"f" * 2000)
    for letter in "mgi":
        s.rules(service("u", "rr", letter))
        for order in ((0, 1), (1, 0)):
            number = s.number()
            pieces = [packets.ip("198.51.100.1", VIRTUAL, UDP, whole[:1400], number, more=True),
                      packets.ip("198.51.100.1", VIRTUAL, UDP, whole[1400:], number, offset=1400)]
            for at in order:
                s.inject("client0", pieces[at], f"fragment {at}")
        s.edit(f"-D -u {VIRTUAL}:80")


def broken(s):
    """Wrong checksums, no checksum, segments of no connection."""
    s.rules(service("t", "rr", "m", 8080) + "\n" + service("u", "rr", "m", 53))
    good = packets.udp("198.51.100.1", VIRTUAL, 3000, 80, b"data")
    s.from_client("198.51.100.1", UDP, good[:6] + b"\x12\x34" + good[8:], says="wrong UDP checksum")
    s.from_client("198.51.100.2", UDP, good[:6] + b"\0\0" + good[8:], says="no UDP checksum")
    s.from_client("198.51.100.3", UDP, good[:6], says="UDP cut short")
    header = packets.ip("198.51.100.4", VIRTUAL, UDP, good, s.number())
    s.inject("client0", header[:10] + b"\x11\x11" + header[12:], "wrong header checksum")
    for flags in ("A", "FA", "R", "SA", "PA"):
        s.tcp("198.51.100.5", 2000 + len(flags) + ord(flags[0]), flags, 100, 500)


def edits(s):
    """Servers quiesced, deleted and put back while a connection is alive."""
    s.rules(service("t", "rr", "m", 8080))
    s.tcp("198.51.100.1", 2000, "S", 100)
    server = s.picked()
    if not server:
        return
    s.answer_tcp(server, "198.51.100.1", 2000, "SA", 500, 101)
    s.tcp("198.51.100.1", 2000, "A", 101, 501)
    at = f"-t {VIRTUAL}:80 -r {server[0]}:8080"
    s.edit(f"-e {at} -m -w 0")
    s.tcp("198.51.100.1", 2000, "PA", 101, 501, data=b"still here")
    for sport in range(2001, 2005):
        s.tcp("198.51.100.2", sport, "S")
    s.edit(f"-d {at}")
    s.tcp("198.51.100.1", 2000, "PA", 111, 501, data=b"and now")
    s.answer_tcp(server, "198.51.100.1", 2000, "PA", 501, 111, b"late answer")
    s.listing("-Ln")
    s.edit(f"-a {at} -m -w 2")
    s.tcp("198.51.100.1", 2000, "PA", 111, 501, data=b"once more")
    s.listing("-Ln")
    s.edit(f"""
-a {at} -m
-d -t {VIRTUAL}:80 -r 198.18.2.99:80
-D -t {VIRTUAL}:99
-A -t {VIRTUAL}:80 -s rr
-A -t {VIRTUAL}:98 -s nonsense""")


def thresholds(s):
    """An upper and a lower threshold of connections."""
    s.rules(f"""
-A -t {VIRTUAL}:80 -s rr
-a -t {VIRTUAL}:80 -r {SERVERS[0]}:80 -m -x 2 -y 1
-a -t {VIRTUAL}:80 -r {SERVERS[1]}:80 -m""")
    for sport in range(2000, 2008):
        s.tcp("198.51.100.1", sport, "S")
    s.listing("-Ln")
    s.listing("-Ln --thresholds")


def ipv6(s):
    """NAT, direct routing over IPv6."""
    for letter, protocol in (("m", "t"), ("g", "u")):
        s.rules(service(protocol, "rr", letter, virtual=VIRTUAL6, servers=SERVERS6))
    for at in range(3):
        whole_connection(s, f"2001:db8:51::{at + 1}", 2000, target=VIRTUAL6)
        s.udp(f"2001:db8:51::{at + 1}", 3000, target=VIRTUAL6)
    s.listing("-Ln")


def listings(s):
    """What ipvsadm prints after some traffic."""
    s.rules(service("t", "wlc", "m", 8080, (1, 2, 3)) + "\n" + service("u", "rr", "g", extra="-p 300"))
    for at in range(4):
        whole_connection(s, f"198.51.100.{at + 1}", 2000 + at)
        s.udp(f"198.51.100.{at + 1}", 3000 + at)
    for line in ("-Ln", "-Sn", "-Ln --timeout", "-Ln --thresholds", "-Ln --persistent-conn"):
        s.listing(line)
    s.listing("-Lnc", ordered=False)
    beds.run("sleep", "3")
    s.listing("-Ln --stats")


SCENARIOS = [nat_tcp, nat_udp, direct_routing, tunnel, schedulers, persistence, one_packet, icmp_errors, too_big_nat,
             too_big_dr, too_big_tunnel, time_to_live, no_destination, fragments, broken, edits, thresholds, ipv6,
             listings]


def run_scenario(scenario, options, name):
    with beds.Namespaces(options["prefix"] + "c", ["director", "outside"]) as bed:
        session = Session(bed, options, name)
        process = None
        try:
            if name == "ipvs":
                own = [f"address add {VIRTUAL}/32 dev client0", f"address add {VIRTUAL6}/128 dev client0 nodad"]
                bed.ip("director", "\n".join(own))
                bed.sysctls("director", "ipv4/ip_forward=1", "ipv6/conf/all/forwarding=1")
                bed.at("director", options["ipvsadm"], "-C")
            else:
                rules = pathlib.Path(options["scratch"]) / "no-rules"
                rules.write_text("")
                io = name.partition("-")[2] or None
                arguments = beds.fairlead_arguments(options, io, ["client0", "servers0"], rules)
                process = bed.start("director", *arguments, "--connections", 4096, ready="fairlead: ready",
                                    processor=options["processor"])
            session.drain()
            scenario(session)
        finally:
            if process:
                beds.stop(process)
            session.close()
    return session.transcript


def run_all(options, report, name):
    for scenario in SCENARIOS:
        transcript = run_scenario(scenario, options, name)
        report.put(conformance={"director": name, "scenario": scenario.__name__, "transcript": transcript})
    report.put(say=f"conformance {name}: {len(SCENARIOS)} scenarios run")
