"""Scenarios of our own for the specification's recorder: what the given recordings leave open about tunnels, ICMP, fragments,
options, checksums and odd packets. Appended to its scenarios.py (before main) they record with the real kernel."""
def ierr(b, i, src, dst, t, c, rest, inner, srcmac=None, **k):
    v6 = ":" in src
    return b.inject(i, pkt.ip(src, dst, 58 if v6 else 1, pkt.icmp(src, dst, t, c, rest, inner, bad=k.pop("badl4", False)), id=b.nid(), df=k.pop("df", False), **k), src=srcmac)

Z4 = b"\0\0\0\0"
def mtu4(n): return b"\0\0" + n.to_bytes(2, "big")


@scenario
def x_icmp6_tun(f):
    """ICMPv6 errors about a 6in6 connection, from the client's side and about the outer packet."""
    _icmp(f, "-i", True)


@scenario
def x_icmp6_outer(f):
    """ICMPv6 errors about outer packets."""
    b = mk(f, svc(vip=VIP6, mode="-i"))
    x = Flow(b, C6, 40000, vip=VIP6); syn = seen(x.c("S"))
    for t, c, r in ((2, 0, (1300).to_bytes(4, "big")), (1, 3, Z4), (3, 0, Z4), (1, 4, Z4)):
        ierr(b, "eth1", "2001:db8:2::fe", "2001:db8:2::1", t, c, r, syn)
    x.c("A", b"x" * 1300)
    b.finish()


@scenario
def x_icmp_outer_kinds(f):
    """ICMP errors about GUE and GRE outer packets, and 6in4."""
    s = []
    for i, x in enumerate(("--tun-type gue --tun-port 6080 --tun-csum", "--tun-type gue --tun-port 6080 --tun-nocsum",
                           "--tun-type gre --tun-csum", "--tun-type gre --tun-nocsum", "--tun-type ipip")):
        s += ["ipvsadm -A -t %s:%d -s rr" % (VIP, 80 + i), "ipvsadm -a -t %s:%d -r 10.0.9.1%d:%d -i %s" % (VIP, 80 + i, i + 1, 80 + i, x)]
    b = mk(f, s + svc(vip=VIP6, mode="-i", servers=["10.0.9.16"]))
    for i in range(5):
        b.comment("kind %d" % i)
        x = Flow(b, C1, 40000 + i, vport=80 + i, isn=9); x.c("S"); big = seen(x.c("A", b"y" * 1300))
        for t, c, r in ((3, 1, Z4), (11, 0, Z4), (3, 4, mtu4(1400)), (3, 2, Z4), (4, 0, Z4), (12, 0, Z4), (5, 1, Z4), (3, 3, Z4), (3, 13, Z4)):
            ierr(b, "eth1", "10.0.2.254", "10.0.2.1", t, c, r, big[:100])
        x.c("A", b"z" * 1360)
        for t, c, r in ((3, 4, mtu4(1350)), (3, 4, mtu4(1450)), (3, 4, mtu4(0)), (3, 4, mtu4(100))):
            ierr(b, "eth1", "10.0.2.254", "10.0.2.1", t, c, r, big[:100])
            x.c("A", b"z" * 1360); x.c("A", b"z" * 400)
        b.comment("bad checksum"); ierr(b, "eth1", "10.0.2.254", "10.0.2.1", 3, 1, Z4, big[:100], badl4=True)
        b.comment("TTL 1"); ierr(b, "eth1", "10.0.2.254", "10.0.2.1", 3, 1, Z4, big[:100], ttl=1)
    b.comment("6in4")
    x = Flow(b, C6, 40000, vip=VIP6); x.c("S"); big = seen(x.c("A", b"y" * 1300))
    for t, c, r in ((3, 1, Z4), (11, 0, Z4), (3, 4, mtu4(1400))): ierr(b, "eth1", "10.0.2.254", "10.0.2.1", t, c, r, big[:120])
    x.c("A", b"z" * 1340)
    b.finish()


@scenario
def x_icmp_outer_nodf(f):
    """ICMP errors about outer packets whose inner packet had no DF; about a fragment of the outer packet."""
    b = mk(f, svc(mode="-i", proto="-u", port=53))
    u = Flow(b, C1, 40000, vport=53, proto="udp"); q = seen(u.c("", b"q" * 100, df=False))
    ierr(b, "eth1", "10.0.2.254", "10.0.2.1", 3, 4, mtu4(1400), q[:100])
    ierr(b, "eth1", "10.0.2.254", "10.0.2.1", 3, 1, Z4, q[:100])
    ierr(b, "eth1", "10.0.2.254", "10.0.2.1", 3, 1, Z4, q)
    u.c("", b"q" * 1400, df=True); u.c("", b"q" * 1400, df=False)
    b.comment("fragments of the outer packet")
    g = u.c("", b"q" * 1472, df=False)
    for i in range(len(g)): ierr(b, "eth1", "10.0.2.254", "10.0.2.1", 11, 1, Z4, seen(g, i)[:200])
    b.comment("from the server itself, port unreachable; to another own address")
    ierr(b, "eth1", u.be[0], "10.0.2.1", 3, 3, Z4, q[:100])
    ierr(b, "eth1", "10.0.2.254", "192.0.2.1", 3, 1, Z4, q[:100])
    b.finish()


@scenario
def x_icmp_sctp(f):
    """ICMP errors about an SCTP NAT connection, v4."""
    b = mk(f, svc(proto="--sctp-service", port=8083, rport=80))
    init = b"\0\0\0\1\0\0\xff\xff\0\1\0\1\0\0\0\1"
    g = b.inject("eth0", pkt.ip(C1, VIP, 132, pkt.sctp(40000, 8083, 0, pkt.chunk(1, 0, init)), id=b.nid()))
    p = seen(g); q = pkt.parse(g[0][1]); be, m = pkt.ips(q.dst), q.eth_dst
    ierr(b, "eth1", be, C1, 3, 2, Z4, p[:28], srcmac=m); ierr(b, "eth1", be, C1, 3, 2, Z4, p, srcmac=m)
    r = pkt.ip(VIP, C1, 132, pkt.sctp(8083, 40000, 1, pkt.chunk(2, 0, init)), id=7)
    ierr(b, "eth0", C1, VIP, 3, 3, Z4, r[:28]); ierr(b, "eth0", C1, VIP, 3, 3, Z4, r)
    b.finish()


@scenario
def x_icmp_options(f):
    """ICMP errors with IP options, and about packets with options; odd lengths; quoted too short."""
    b = mk(f, svc(rport=8080) + svc(port=81, mode="-g") + svc(port=82, mode="-i"))
    for p in (80, 81, 82):
        b.comment("port %d" % p)
        x = Flow(b, C1, 40000, vport=p); syn = seen(x.c("S"))
        r = pkt.ip(VIP, C1, 6, pkt.tcp(VIP, C1, p, 40000, 50001, 1001, "A", b"d" * 61), id=78, ttl=60)
        ro = pkt.ip(VIP, C1, 6, pkt.tcp(VIP, C1, p, 40000, 50001, 1001, "A", b"d" * 60), id=78, ttl=60, opts=bytes.fromhex("01010100"))
        ierr(b, "eth0", C1, VIP, 3, 3, Z4, r[:28], opts=bytes.fromhex("01010100"))
        ierr(b, "eth0", C1, VIP, 3, 3, Z4, r[:28], opts=bytes.fromhex("0707040000000000"))
        ierr(b, "eth0", C1, VIP, 3, 3, Z4, ro[:32]); ierr(b, "eth0", C1, VIP, 3, 3, Z4, ro)
        ierr(b, "eth0", C1, VIP, 3, 3, Z4, r)
        for n in (0, 4, 19, 20, 22, 23, 24, 27): ierr(b, "eth0", C1, VIP, 3, 3, Z4, r[:n])
        b.comment("DF set"); ierr(b, "eth0", C1, VIP, 3, 3, Z4, r[:28], df=True)
        b.comment("tos"); ierr(b, "eth0", C1, VIP, 3, 3, Z4, r[:28], tos=0xc0)
        b.comment("other codes and types")
        for t, c in ((3, 0), (3, 1), (3, 2), (3, 13), (3, 15), (4, 0), (11, 0), (11, 1), (5, 0), (12, 0), (9, 0), (17, 0)): ierr(b, "eth0", C1, VIP, t, c, Z4, r[:28])
        b.comment("quoted packet is a later fragment")
        rf = pkt.ip(VIP, C1, 6, pkt.tcp(VIP, C1, p, 40000, 50001, 1001, "A", b"d" * 60), id=78, ttl=60, df=False, off=1480)
        ierr(b, "eth0", C1, VIP, 3, 3, Z4, rf[:28])
        rf = pkt.ip(VIP, C1, 6, pkt.tcp(VIP, C1, p, 40000, 50001, 1001, "A", b"d" * 60), id=78, ttl=60, df=False, mf=True)
        ierr(b, "eth0", C1, VIP, 3, 3, Z4, rf[:28])
        if p == 80:
            ierr(b, "eth1", x.be[0], C1, 3, 3, Z4, syn[:28], srcmac=x.be_mac, opts=bytes.fromhex("01010100"))
            ierr(b, "eth1", x.be[0], C1, 3, 3, Z4, syn[:28], srcmac=x.be_mac, opts=bytes.fromhex("0707040000000000"))
            for n in (20, 23, 24): ierr(b, "eth1", x.be[0], C1, 3, 3, Z4, syn[:n], srcmac=x.be_mac)
            for t, c in ((3, 0), (3, 2), (4, 0), (11, 1), (5, 0), (12, 0)): ierr(b, "eth1", x.be[0], C1, t, c, Z4, syn[:28], srcmac=x.be_mac)
            b.comment("TTL 1 and 2"); ierr(b, "eth1", x.be[0], C1, 3, 3, Z4, syn[:28], srcmac=x.be_mac, ttl=1); ierr(b, "eth1", x.be[0], C1, 3, 3, Z4, syn[:28], srcmac=x.be_mac, ttl=2)
            b.comment("to another destination than the client"); ierr(b, "eth1", x.be[0], "198.51.100.9", 3, 3, Z4, syn[:28], srcmac=x.be_mac)
            b.comment("from the server's side, to the VIP or to the LB"); ierr(b, "eth1", x.be[0], VIP, 3, 3, Z4, syn[:28], srcmac=x.be_mac); ierr(b, "eth1", x.be[0], "10.0.2.1", 3, 3, Z4, syn[:28], srcmac=x.be_mac)
        b.comment("from the client's side to another own address, and to a server")
        ierr(b, "eth0", C1, "192.0.2.1", 3, 3, Z4, r[:28]); ierr(b, "eth0", C1, "10.0.2.11", 3, 3, Z4, r[:28])
    b.finish()


@scenario
def x_icmp_gone(f):
    """ICMP errors about connections whose server was deleted, is local, has no route."""
    b = mk(f, svc(rport=8080) + svc(port=81, mode="-g", servers=SRV[:1]) + svc(port=82, mode="-m", servers=["192.0.2.1"]) + svc(port=83, mode="-g", servers=["192.0.2.1"])
           + svc(port=84, servers=["10.0.7.7"]) + svc(port=85, mode="-i", servers=TUN[:1]))
    for p in (80, 81, 82, 83, 84, 85):
        b.comment("port %d" % p)
        if p == 84: b.cmd("ip route add unreachable 10.0.7.0/24")
        x = Flow(b, C1, 40000, vport=p); g = x.c("S"); syn = seen(g) if g else b""
        r = pkt.ip(VIP, C1, 6, pkt.tcp(VIP, C1, p, 40000, 50001, 1001, "A", b"d" * 61), id=78, ttl=60)
        ierr(b, "eth0", C1, VIP, 3, 3, Z4, r[:28])
        if p in (80, 81, 85):
            b.cmd("ipvsadm -d -t %s:%d -r %s:%d" % (VIP, p, {80: SRV[2], 81: SRV[0], 85: TUN[0]}[p], 8080 if p == 80 else p))
            ierr(b, "eth0", C1, VIP, 3, 3, Z4, r[:28])
        if p == 80: ierr(b, "eth1", x.be[0], C1, 3, 3, Z4, syn[:28], srcmac=x.be_mac)
        if p == 85: ierr(b, "eth1", "10.0.2.254", "10.0.2.1", 3, 1, Z4, syn[:80])
    b.finish()


@scenario
def x_icmp_big(f):
    """Long ICMP errors on a smaller way out."""
    b = mk(f, svc(rport=8080) + svc(port=81, mode="-g") + svc(port=82, mode="-i"), topo=SMALL)
    for p in (80, 81, 82):
        x = Flow(b, C1, 40000, vport=p); syn = seen(x.c("S"))
        r = pkt.ip(VIP, C1, 6, pkt.tcp(VIP, C1, p, 40000, 50001, 1001, "A", b"d" * 1420), id=78, ttl=60)
        ierr(b, "eth0", C1, VIP, 3, 3, Z4, r[:1460]); ierr(b, "eth0", C1, VIP, 3, 3, Z4, r[:1460], df=True)
        ierr(b, "eth0", C1, VIP, 3, 3, Z4, r[:1372], df=True); ierr(b, "eth0", C1, VIP, 3, 3, Z4, r[:1352], df=True)
    b.finish()


@scenario
def x_icmp_big_reply(f):
    """Long ICMP errors from the server's side on a smaller way to the client."""
    b = mk(f, svc(rport=8080), topo=dict(TWO_ARM, ifs={"eth0": dict(TWO_ARM["ifs"]["eth0"], mtu=1300), "eth1": TWO_ARM["ifs"]["eth1"]}))
    x = Flow(b, C1, 40000); x.open(); d = seen(x.c("A", b"d" * 1250))
    ierr(b, "eth1", x.be[0], C1, 3, 3, Z4, d, srcmac=x.be_mac); ierr(b, "eth1", x.be[0], C1, 3, 3, Z4, d, srcmac=x.be_mac, df=True)
    ierr(b, "eth1", x.be[0], C1, 3, 3, Z4, d[:1272], srcmac=x.be_mac, df=True)
    b.finish()


@scenario
def x_icmp_sched(f):
    """schedule_icmp=1: ICMP errors open connections."""
    b = mk(f, svc(rport=8080) + svc(port=81, mode="-g") + svc(port=82, mode="-i") + svc(proto="-u", port=53, rport=5353) + svc(vip=VIP6), sysctl={"net.ipv4.vs.schedule_icmp": 1})
    for p in (80, 81, 82):
        r = pkt.ip(VIP, C1, 6, pkt.tcp(VIP, C1, p, 40000, 50001, 1001, "A", b"d" * 61), id=78, ttl=60)
        ierr(b, "eth0", C1, VIP, 3, 3, Z4, r[:28]); ierr(b, "eth0", C1, VIP, 3, 4, mtu4(1400), r)
        Flow(b, C1, 40000, vport=p).c("A")
    r = pkt.ip(VIP, C1, 17, pkt.udp(VIP, C1, 53, 40000, b"answer"), id=77, ttl=60)
    ierr(b, "eth0", C1, VIP, 3, 3, Z4, r)
    r = pkt.ip(VIP, C1, 17, pkt.udp(VIP, C1, 54, 40000, b"answer"), id=77, ttl=60)
    ierr(b, "eth0", C1, VIP, 3, 3, Z4, r)
    r = pkt.ip(VIP6, C6, 6, pkt.tcp(VIP6, C6, 80, 40000, 50001, 1001, "A", b"d" * 61), ttl=60)
    ierr(b, "eth0", C6, VIP6, 1, 4, Z4, r)
    b.comment("other protocols"); b.inject("eth0", pkt.ip(C1, VIP, 1, pkt.icmp(C1, VIP, 8, 0, b"\x12\x34\0\1", b"abcdefgh"), id=b.nid()))
    b.finish()


@scenario
def x_nat_icmp_send(f):
    """nat_icmp_send=1 with UDP, IPv6, DR and tunnel servers, a mark's servers, fragments, SCTP."""
    b = mk(f, svc(proto="-u", port=53) + svc(port=81, mode="-g") + svc(port=82, mode="-i", servers=SRV[:1]) + svc(vip=VIP6) +
           ["ipvsadm -A -f 5 -s rr", "ipvsadm -a -f 5 -r 10.0.2.14 -m"] + svc(proto="--sctp-service", port=90),
           sysctl={"net.ipv4.vs.nat_icmp_send": 1})
    i = lambda p, n=11: b.inject("eth1", p, src="02:00:00:00:02:%02x" % n)
    i(pkt.ip(SRV[0], C1, 17, pkt.udp(SRV[0], C1, 53, 40000, b"a"), id=b.nid()))
    i(pkt.ip(SRV[0], C1, 17, pkt.udp(SRV[0], C1, 54, 40000, b"a"), id=b.nid()))
    i(pkt.ip(SRV[0], C1, 6, pkt.tcp(SRV[0], C1, 53, 40000, 1, 1, "A"), id=b.nid()))
    i(pkt.ip(SRV[0], C1, 6, pkt.tcp(SRV[0], C1, 81, 40000, 1, 1, "A"), id=b.nid()))
    i(pkt.ip(SRV[0], C1, 6, pkt.tcp(SRV[0], C1, 82, 40000, 1, 1, "A"), id=b.nid()))
    i(pkt.ip(SRV6[0], C6, 6, pkt.tcp(SRV6[0], C6, 80, 40000, 1, 1, "A")))
    i(pkt.ip(SRV6[0], C6, 6, pkt.tcp(SRV6[0], C6, 80, 40000, 1, 1, "RA")))
    b.comment("a mark's server"); i(pkt.ip("10.0.2.14", C1, 6, pkt.tcp("10.0.2.14", C1, 80, 40000, 1, 1, "A"), id=b.nid()), 14)
    i(pkt.ip("10.0.2.14", C1, 6, pkt.tcp("10.0.2.14", C1, 0, 40000, 1, 1, "A"), id=b.nid()), 14)
    b.comment("sctp"); i(pkt.ip(SRV[0], C1, 132, pkt.sctp(90, 40000, 1, pkt.chunk(0, 3, b"\0\0\0\1\0\0\0\0\0\0\0\0data")), id=b.nid()))
    i(pkt.ip(SRV[0], C1, 132, pkt.sctp(90, 40000, 1, pkt.chunk(6)), id=b.nid()))
    b.comment("ttl 1"); i(pkt.ip(SRV[0], C1, 17, pkt.udp(SRV[0], C1, 53, 40000, b"a"), id=b.nid(), ttl=1))
    b.comment("fragments"); 
    for p in frags(pkt.ip(SRV[0], C1, 17, pkt.udp(SRV[0], C1, 53, 40000, b"a" * 2000), id=b.nid(), df=False), 1480): i(p)
    b.finish()


def frag4(src, dst, proto, payload, off, mf, ident, **k):
    return pkt.ip(src, dst, proto, payload, id=ident, df=k.pop("df", False), mf=mf, off=off, **k)


@scenario
def x_frag_odd(f):
    """Odd IPv4 fragments, NAT."""
    b = mk(f, svc(proto="-u", port=53, servers=SRV[:1]) + svc(servers=SRV[:1]))
    u = pkt.udp(C1, VIP, 40000, 53, bytes(i % 251 for i in range(1000)))
    F = lambda o, n, ident, mf=None, data=None, **k: b.inject("eth0", frag4(C1, VIP, 17, data or u[o:o + n], o, (o + n < len(u)) if mf is None else mf, ident, **k))
    b.comment("duplicate of the first, of the middle, of the last"); F(0, 400, 1); F(0, 400, 1); F(400, 400, 1); F(400, 400, 1); F(800, 208, 1); F(800, 208, 1)
    b.comment("after completion a fragment of the same id"); F(0, 400, 1); F(400, 608, 1)
    b.comment("overlap by 8"); F(0, 400, 2); F(392, 400, 2); F(400, 608, 2); F(792, 216, 2)
    b.comment("contained in another"); F(0, 400, 3); F(80, 80, 3); F(400, 608, 3)
    b.comment("contains another"); F(80, 80, 4); F(0, 400, 4); F(400, 608, 4)
    b.comment("last twice, ends differ"); F(800, 208, 5); F(800, 100, 5, mf=False); F(0, 800, 5)
    b.comment("beyond the end"); F(800, 208, 6); F(1008, 40, 6, mf=True, data=b"z" * 40); F(0, 800, 6)
    b.comment("middle with a length that is no multiple of 8"); F(0, 404, 7, mf=True); F(400, 608, 7)
    b.comment("empty fragment"); F(0, 400, 8); b.inject("eth0", frag4(C1, VIP, 17, b"", 400, True, 8)); F(400, 608, 8)
    b.comment("beyond 64 KB"); b.inject("eth0", frag4(C1, VIP, 17, b"z" * 800, 65528, False, 9)); F(0, 1008, 9, mf=True)
    b.comment("DF set on fragments"); F(0, 400, 10, df=True); F(400, 608, 10, df=True)
    b.comment("DF set on the smaller"); F(0, 400, 11, df=True); F(400, 608, 11)
    b.comment("DF set on the larger"); F(0, 400, 12); F(400, 608, 12, df=True)
    b.comment("TTL differs: 1 in the later one; in the first"); F(0, 400, 13); F(400, 608, 13, ttl=1); F(0, 400, 14, ttl=1); F(400, 608, 14)
    b.comment("ECN"); 
    for n, (x, y) in enumerate(((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3), (3, 3))): F(0, 400, 20 + n, tos=x); F(400, 608, 20 + n, tos=y)
    b.comment("tos of the first counts"); F(400, 608, 30, tos=0x10); F(0, 400, 30, tos=0xb8)
    b.comment("options in the first"); F(0, 400, 31, opts=bytes.fromhex("01010100")); F(400, 608, 31)
    F(0, 400, 32, opts=bytes.fromhex("94040000")); F(400, 608, 32, opts=bytes.fromhex("94040000"))
    b.comment("another source, another protocol, same id: other datagrams"); F(0, 400, 33); b.inject("eth0", frag4(C2, VIP, 17, u[400:], 400, False, 33)); b.inject("eth0", frag4(C1, VIP, 6, u[400:], 400, False, 33)); F(400, 608, 33)
    b.comment("by the other interface"); F(0, 400, 34); b.inject("eth1", frag4(C1, VIP, 17, u[400:], 400, False, 34))
    b.comment("no checksum"); z = pkt.udp(C1, VIP, 40000, 53, b"q" * 992, nocsum=True); F(0, 400, 35, data=z[:400]); F(400, 608, 35, data=z[400:])
    b.comment("bad checksum"); z = pkt.udp(C1, VIP, 40000, 53, b"q" * 992, bad=True); F(0, 400, 36, data=z[:400]); F(400, 608, 36, data=z[400:])
    b.comment("first fragment shorter than the UDP header is not possible; TCP header cut between two"); t = pkt.tcp(C1, VIP, 41000, 80, 1, 0, "S", opts=bytes.fromhex("020405b4"))
    b.inject("eth0", frag4(C1, VIP, 6, t[:8], 0, True, 37)); b.inject("eth0", frag4(C1, VIP, 6, t[8:], 8, False, 37))
    b.comment("no service"); z = pkt.udp(C1, VIP, 40000, 99, b"q" * 992); b.inject("eth0", frag4(C1, VIP, 17, z[:400], 0, True, 38)); b.inject("eth0", frag4(C1, VIP, 17, z[400:], 400, False, 38))
    b.comment("echo in fragments"); z = pkt.icmp(C1, VIP, 8, 0, b"\0\1\0\1", b"e" * 992); b.inject("eth0", frag4(C1, VIP, 1, z[:400], 0, True, 39)); b.inject("eth0", frag4(C1, VIP, 1, z[400:], 400, False, 39))
    b.comment("an unknown protocol"); b.inject("eth0", frag4(C1, VIP, 253, u[:400], 0, True, 40)); b.inject("eth0", frag4(C1, VIP, 253, u[400:], 400, False, 40))
    b.comment("through: a stranger's"); b.inject("eth1", frag4("10.0.2.14", C1, 17, u[400:], 400, False, 41)); b.inject("eth1", frag4("10.0.2.14", C1, 17, u[:400], 0, True, 41))
    b.inject("eth1", frag4("10.0.2.14", C1, 253, u[400:], 400, False, 42)); b.inject("eth1", frag4("10.0.2.14", C1, 253, u[:400], 0, True, 42))
    b.comment("time runs out: the first with options; only the last; through"); F(0, 400, 50, opts=bytes.fromhex("01010100")); F(800, 208, 51)
    b.inject("eth1", frag4("10.0.2.14", C1, 17, u[:400], 0, True, 52)); b.inject("eth0", frag4(C1, VIP, 253, u[:400], 0, True, 53)); b.inject("eth0", frag4(C1, VIP, 1, pkt.icmp(C1, VIP, 8, 0, b"\0\1\0\1", b"e" * 392), 0, True, 54))
    b.sleep(20); F(400, 400, 50); b.sleep(20)
    b.finish()


V4ONLY = dict(ifs={n: dict(d, addrs=[a for a in d["addrs"] if ":" not in a]) for n, d in TWO_ARM["ifs"].items()}, neigh={a: m for a, m in TWO_ARM["neigh"].items() if ":" not in a}, routes=[r for r in TWO_ARM["routes"] if ":" not in r])


def _frag_small(f, mode, mtu=1000, v6=False):
    w = TWO_ARM if v6 else V4ONLY
    b = mk(f, svc(mode=mode, proto="-u", port=53, vip=VIP6 if v6 else VIP), topo=dict(w, ifs={**w["ifs"], "eth1": dict(w["ifs"]["eth1"], mtu=mtu)}))
    body = bytes(i % 251 for i in range(2400))
    c, v = (C6, VIP6) if v6 else (C1, VIP)
    for n, size in enumerate((1480, 1240 if v6 else 400, 976 if not v6 else 1344)):
        u = pkt.udp(c, v, 40000, 53, body)
        if v6: fr = frags6(c, v, 17, u, 1448 if size == 1480 else size, n + 1)
        else: fr = frags(pkt.ip(c, v, 17, u, id=n + 1, df=False), size)
        for p in fr: b.inject("eth0", p)
    b.finish()


@scenario
def x_frag_small_nat(f):
    """Fragments larger than the way out, NAT."""
    _frag_small(f, "-m")


@scenario
def x_frag_small_dr(f):
    """Fragments larger than the way out, DR."""
    _frag_small(f, "-g")


@scenario
def x_frag_small_tun(f):
    """Fragments larger than the way out, TUN."""
    _frag_small(f, "-i")


@scenario
def x_frag_small6_nat(f):
    """Fragments larger than the way out, NAT, IPv6."""
    _frag_small(f, "-m", 1400, True)


@scenario
def x_frag_small6_tun(f):
    """Fragments larger than the way out, TUN, IPv6."""
    _frag_small(f, "-i", 1400, True)


@scenario
def x_frag_tun_kinds(f):
    """Fragments into GUE, GRE, mixed tunnels."""
    s = []
    for i, x in enumerate(("--tun-type gue --tun-port 6080 --tun-csum", "--tun-type gre --tun-csum", "--tun-type ipip")):
        s += ["ipvsadm -A -u %s:%d -s rr" % (VIP, 80 + i), "ipvsadm -a -u %s:%d -r %s:%d -i %s" % (VIP, 80 + i, "10.0.9.11" if i < 2 else "[2001:db8:9::11]", 80 + i, x)]
    b = mk(f, s + svc(vip=VIP6, proto="-u", mode="-i", servers=["10.0.9.16"]))
    body = bytes(i % 251 for i in range(2400))
    for i in range(3):
        for size in (1480, 400):
            for p in frags(pkt.ip(C1, VIP, 17, pkt.udp(C1, VIP, 40000, 80 + i, body), id=b.nid(), df=False), size): b.inject("eth0", p)
    for size in (1448, 400):
        for p in frags6(C6, VIP6, 17, pkt.udp(C6, VIP6, 40000, 80, body), size, size): b.inject("eth0", p)
    b.finish()


@scenario
def x_frag6_odd(f):
    """Odd IPv6 fragments, NAT."""
    b = mk(f, svc(vip=VIP6, proto="-u", port=53, servers=SRV6[:1]))
    u = pkt.udp(C6, VIP6, 40000, 53, bytes(i % 251 for i in range(1000)))
    def frag(o, d, mf, ident, proto=17, src=C6, dst=VIP6, pre=b"", nh=44, **k):
        return pkt.ip(src, dst, nh, pre + bytes([proto, 0]) + (o | mf).to_bytes(2, "big") + ident.to_bytes(4, "big") + d, **k)
    F = lambda o, n, ident, mf=None, data=None, **k: b.inject("eth0", frag(o, data or u[o:o + n], (o + n < len(u)) if mf is None else mf, ident, **k))
    b.comment("duplicates"); F(0, 400, 1); F(0, 400, 1); F(400, 400, 1); F(400, 400, 1); F(800, 208, 1); F(800, 208, 1)
    b.comment("overlap"); F(0, 400, 2); F(392, 400, 2); F(400, 608, 2); F(0, 400, 2); F(400, 608, 2)
    b.comment("contained"); F(0, 400, 3); F(80, 80, 3); F(400, 608, 3)
    b.comment("ends differ"); F(800, 208, 5); F(800, 100, 5, mf=False); F(0, 800, 5)
    b.comment("no multiple of 8"); F(0, 404, 7, mf=True); F(400, 608, 7)
    b.comment("atomic"); F(0, 1008, 8)
    b.comment("hop limits"); F(0, 400, 13); F(400, 608, 13, ttl=1); F(0, 400, 14, ttl=1); F(400, 608, 14)
    b.comment("ECN"); F(0, 400, 20, tos=1); F(400, 608, 20, tos=3); F(0, 400, 21, tos=0); F(400, 608, 21, tos=3)
    b.comment("destination options before"); F(0, 400, 22, pre=b"\x2c\0\1\4\0\0\0\0", nh=60); F(400, 608, 22, pre=b"\x2c\0\1\4\0\0\0\0", nh=60)
    b.comment("no service"); z = pkt.udp(C6, VIP6, 40000, 99, b"q" * 992); F(0, 400, 38, data=z[:400]); F(400, 608, 38, data=z[400:])
    b.comment("echo"); z = pkt.icmp(C6, VIP6, 128, 0, b"\0\1\0\1", b"e" * 992); F(0, 400, 39, data=z[:400], proto=58); F(400, 608, 39, data=z[400:], proto=58)
    b.comment("through"); b.inject("eth1", frag(400, u[400:], 0, 41, src="2001:db8:2::14", dst=C6)); b.inject("eth1", frag(0, u[:400], 1, 41, src="2001:db8:2::14", dst=C6))
    b.comment("zero checksum"); z = pkt.udp(C6, VIP6, 40000, 53, b"q" * 992, nocsum=True); F(0, 400, 42, data=z[:400]); F(400, 608, 42, data=z[400:])
    b.comment("time runs out"); F(0, 400, 50); F(800, 208, 51)
    b.inject("eth1", frag(0, u[:400], 1, 52, src="2001:db8:2::14", dst=C6))
    b.sleep(35); b.sleep(35)
    b.finish()


@scenario
def x_toobig_kinds(f):
    """Too big for each kind of tunnel."""
    s = []
    T = (("10.0.9.11", "--tun-type gue --tun-port 6080 --tun-csum", 32), ("10.0.9.11", "--tun-type gue --tun-port 6080 --tun-nocsum", 32), ("10.0.9.11", "--tun-type gue --tun-port 6080 --tun-remcsum", 32),
         ("10.0.9.11", "--tun-type gre --tun-csum", 28), ("10.0.9.11", "--tun-type gre --tun-nocsum", 24), ("[2001:db8:9::11]", "--tun-type ipip", 40), ("[2001:db8:9::11]", "--tun-type gue --tun-port 6080 --tun-csum", 52), ("[2001:db8:9::11]", "--tun-type gre --tun-csum", 48))
    for i, (r, x, o) in enumerate(T):
        for v in (VIP, "[%s]" % VIP6):
            s += ["ipvsadm -A -t %s:%d -s rr" % (v, 80 + i), "ipvsadm -a -t %s:%d -r %s:%d -i %s" % (v, 80 + i, r, 80 + i, x)]
    s += ["ipvsadm -A -t [%s]:90 -s rr" % VIP6, "ipvsadm -a -t [%s]:90 -r 10.0.9.12:90 -i" % VIP6]
    b = mk(f, s)
    for i, (r, x, o) in enumerate(T + (("", "", 20),)):
        b.comment(r + x)
        if i < 8:
            x = Flow(b, C1, 40000, vport=80 + i); x.c("S", tos=0xb9)
            for n in (1500, 1500 - o, 1501 - o): x.c("A", b"d" * (n - 40)); x.c("A", b"d" * (n - 40), df=False)
        y = Flow(b, C6, 40000, vip=VIP6, vport=80 + i if i < 8 else 90); y.c("S", tos=0xb8, flow=0x123)
        for n in (1500, 1500 - o, 1501 - o): y.c("A", b"d" * (n - 60))
    b.finish()


@scenario
def x_toobig6(f):
    """IPv6 NAT and DR: too big for the way out, and replies."""
    b = mk(f, svc(vip=VIP6, rport=8080) + svc(vip=VIP6, port=81, mode="-g"), topo=SMALL)
    x = Flow(b, C6, 40000, vip=VIP6); x.open()
    for n in (1500, 1400, 1401): x.c("A", b"d" * (n - 60))
    y = Flow(b, C6, 40001, vip=VIP6, vport=81); y.c("S")
    for n in (1500, 1400, 1401): y.c("A", b"d" * (n - 60))
    b.finish()


@scenario
def x_toobig6_reply(f):
    """IPv6 NAT: replies too big."""
    b = mk(f, svc(vip=VIP6, rport=8080) + svc(vip=VIP6, proto="-u", port=53), topo=dict(TWO_ARM, ifs={"eth0": dict(TWO_ARM["ifs"]["eth0"], mtu=1350), "eth1": TWO_ARM["ifs"]["eth1"]}))
    x = Flow(b, C6, 40000, vip=VIP6); x.open()
    for n in (1400, 1350, 1351, 1500): x.s("A", b"d" * (n - 60))
    u = Flow(b, C6, 40000, vip=VIP6, vport=53, proto="udp"); u.c("", b"q"); body = bytes(i % 251 for i in range(2400))
    for size in (1448, 1280):
        for p in frags6(u.be[0], C6, 17, pkt.udp(u.be[0], C6, 53, 40000, body), size, size): b.inject("eth1", p, src=u.be_mac)
    ierr(b, "eth1", x.be[0], C6, 1, 4, Z4, pkt.ip(C6, x.be[0], 6, pkt.tcp(C6, x.be[0], 40000, 8080, 1, 1, "A", b"x" * 1300)), srcmac=x.be_mac)
    b.finish()


@scenario
def x_frag_reply(f):
    """Replies in fragments onto a smaller way, NAT; with DF."""
    b = mk(f, svc(proto="-u", port=53), topo=dict(TWO_ARM, ifs={"eth0": dict(TWO_ARM["ifs"]["eth0"], mtu=1300), "eth1": TWO_ARM["ifs"]["eth1"]}))
    u = Flow(b, C1, 40000, vport=53, proto="udp"); u.c("", b"q"); body = bytes(i % 251 for i in range(2400))
    for df in (False, True):
        for size in (1480, 1200, 400):
            l4 = pkt.udp(u.be[0], C1, 53, 40000, body); n = b.nid()
            for i in range(0, len(l4), size): b.inject("eth1", pkt.ip(u.be[0], C1, 17, l4[i:i + size], id=n, df=df, mf=i + size < len(l4), off=i), src=u.be_mac)
    b.finish()


@scenario
def x_options(f):
    """IP options in each mode and direction."""
    b = mk(f, svc() + svc(port=81, mode="-g") + svc(port=82, mode="-i") + svc(proto="-u", port=53))
    O = ("01010100", "07070400000000" + "00", "070b04" + "00" * 8 + "00", "070b08" + "0a000201" + "00" * 4 + "00", "0707080a00020100", "94040000", "440805000000000000000000"[:16], "440c050100000000" + "00000000", "440405f0", "820b0000" + "00" * 7 + "00",
         "88040001", "8606000000010000", "ff04aabb", "0704040000000000", "07030400", "07080500000000000000000000"[:16], "44050500" + "00000000", "0702", "07", "01070704000000000000", "0a0400", "000102030405", "07ff0400")
    for p in (80, 81, 82):
        b.comment("port %d" % p)
        for i, o in enumerate(O): Flow(b, C1, 41000 + i, vport=p).c("S", opts_ip=bytes.fromhex(o))
    b.comment("replies")
    x = Flow(b, C1, 42000); x.open()
    for o in O: b.inject("eth1", pkt.ip(x.be[0], C1, 6, pkt.tcp(x.be[0], C1, 80, 42000, 9, 9, "A"), opts=bytes.fromhex(o), id=b.nid()), src=x.be_mac)
    b.comment("through us, nobody's")
    for o in O: b.inject("eth1", pkt.ip("10.0.2.14", C1, 6, pkt.tcp("10.0.2.14", C1, 80, 42000, 9, 9, "A"), opts=bytes.fromhex(o), id=b.nid()), src=x.be_mac)
    b.comment("no service, no server; echo")
    for o in O:
        Flow(b, C1, 43000, vport=99).c("S", opts_ip=bytes.fromhex(o))
        b.inject("eth0", pkt.ip(C1, VIP, 1, pkt.icmp(C1, VIP, 8, 0, b"\0\1\0\1", b"x"), id=b.nid(), opts=bytes.fromhex(o)))
        u = Flow(b, C1, 43000, vport=99, proto="udp"); u.c("", b"q", opts_ip=bytes.fromhex(o))
    b.finish()


@scenario
def x_options_frag(f):
    """Packets with options that are fragmented or too big."""
    b = mk(f, svc() + svc(port=81, mode="-g") + svc(port=82, mode="-i"), topo=SMALL)
    for p in (80, 81, 82):
        x = Flow(b, C1, 40000, vport=p); x.c("S")
        for o in ("01010100", "94040000", "0707040000000000", "ff040000" + "94040000"):
            x.c("A", b"d" * 1440, df=False, opts_ip=bytes.fromhex(o)); x.c("A", b"d" * 1440, df=True, opts_ip=bytes.fromhex(o))
    b.finish()


@scenario
def x_udp_zero(f):
    """UDP without a checksum in each mode and family."""
    b = mk(f, svc(proto="-u", port=53, rport=5353) + svc(proto="-u", port=54, mode="-g") + svc(proto="-u", port=55, mode="-i") +
           ["ipvsadm -A -u %s:56 -s rr" % VIP, "ipvsadm -a -u %s:56 -r 10.0.9.11:56 -i --tun-type gue --tun-port 6080 --tun-csum" % VIP] +
           svc(vip=VIP6, proto="-u", port=53, rport=5353) + svc(vip=VIP6, proto="-u", port=54, mode="-g") + svc(vip=VIP6, proto="-u", port=55, mode="-i"))
    for v, c in ((VIP, C1), (VIP6, C6)):
        for p in (53, 54, 55, 56):
            if v == VIP6 and p == 56: continue
            u = Flow(b, c, 40000, vip=v, vport=p, proto="udp")
            u.c("", b"nosum", nocsum=True); u.c("", b"", nocsum=True); u.c("", b"bad", bad=True)
            if p == 53: u.s("", b"nosum", nocsum=True); u.s("", b"bad", bad=True); u.s("", b"", nocsum=True)
    b.comment("no service"); u = Flow(b, C6, 40000, vip=VIP6, vport=99, proto="udp"); u.c("", b"x", nocsum=True); u.c("", b"x")
    u = Flow(b, C1, 40000, vport=99, proto="udp"); u.c("", b"x", nocsum=True); u.c("", b"x", bad=True)
    b.comment("a sum that comes out as 0")
    u = Flow(b, C1, 40000, vport=53, proto="udp")
    for n in range(65536 // 64 * 0, 1): pass
    b.finish()


@scenario
def x_udp_ffff(f):
    """UDP checksums around 0 and 0xffff after translation."""
    b = mk(f, svc(proto="-u", port=53, rport=5353, servers=SRV[:1]))
    u = Flow(b, C1, 40000, vport=53, proto="udp"); u.c("", b"\0\0")
    base = lambda s, d, sp, dp, w: pkt.csum(pkt.pseudo(pkt.addr(s), pkt.addr(d), 17, 10) + __import__("struct").pack("!HHHH", sp, dp, 10, 0) + w.to_bytes(2, "big"))
    for s, d, sp, dp in ((C1, SRV[0], 40000, 5353), (C1, VIP, 40000, 53)):
        w = base(s, d, sp, dp, 0)
        for x in (w, w - 1, w + 1): u.c("", (x & 0xffff).to_bytes(2, "big"))
    for s, d, sp, dp in ((SRV[0], C1, 5353, 40000), (VIP, C1, 53, 40000)):
        w = base(s, d, sp, dp, 0)
        for x in (w, w - 1, w + 1): u.s("", (x & 0xffff).to_bytes(2, "big"))
    b.finish()


@scenario
def x_ttl6(f):
    """Hop limits 0, 1, 2 in each mode, and replies; TTL 0."""
    b = mk(f, svc(vip=VIP6, port=80) + svc(vip=VIP6, port=81, mode="-g") + svc(vip=VIP6, port=82, mode="-i") + svc(vip=VIP6, port=83, mode="-i", servers=TUN[:1]) + svc(port=80) + svc(port=81, mode="-g") + svc(port=82, mode="-i") + svc(port=83, mode="-i", servers=TUN6[:1]) + svc(vip=VIP6, port=84, servers=[]) + svc(port=84, servers=[]))
    for p in (80, 81, 82, 83, 84):
        x = Flow(b, C6, 40000, vip=VIP6, vport=p)
        for t in (0, 1, 2): x.c("S", ttl=t)
        x.c("A", ttl=1)
        if p == 80:
            for t in (0, 1, 2): x.s("SA", ttl=t)
        y = Flow(b, C1, 40000, vport=p); y.c("S", ttl=0); y.c("S", ttl=2); y.c("S", ttl=1)
        if p == 80: y.s("SA", ttl=0)
    b.comment("no service"); Flow(b, C6, 40000, vip=VIP6, vport=99).c("S", ttl=1); Flow(b, C1, 40000, vport=99).c("S", ttl=1); Flow(b, C1, 40000, vport=99).c("S", ttl=0)
    b.comment("through"); 
    for t in (0, 1, 2):
        b.inject("eth1", pkt.ip("2001:db8:2::14", C6, 6, pkt.tcp("2001:db8:2::14", C6, 80, 42000, 9, 9, "A"), ttl=t), src="02:00:00:00:02:0e")
        b.inject("eth1", pkt.ip("10.0.2.14", C1, 6, pkt.tcp("10.0.2.14", C1, 80, 42000, 9, 9, "A"), id=b.nid(), ttl=t), src="02:00:00:00:02:0e")
    b.finish()


@scenario
def x_local(f):
    """Local servers: UDP, IPv6, tunnels, TTL 1, fragments, data."""
    b = mk(f, svc(proto="-u", port=53, rport=5353, servers=["192.0.2.1"]) + svc(proto="-u", port=54, mode="-g", servers=["192.0.2.1"]) + svc(proto="-u", port=55, mode="-i", servers=["192.0.2.1"]) +
           svc(vip=VIP6, servers=["2001:db8:1::1"], rport=8080) + svc(vip=VIP6, port=81, mode="-g", servers=["2001:db8:1::1"]) + svc(port=82, mode="-i", servers=["10.0.2.1"]) + svc(port=83, servers=[VIP]) + svc(vip=VIP6, proto="-u", port=53, rport=5353, servers=["2001:db8:1::1"]) + svc(port=84, servers=["192.0.2.1"], rport=8080))
    for p in (53, 54, 55):
        u = Flow(b, C1, 40000, vport=p, proto="udp"); u.c("", b"q"); u.c("", b"q", ttl=1)
        for q in frags(pkt.ip(C1, VIP, 17, pkt.udp(C1, VIP, 40000, p, b"q" * 1000), id=b.nid(), df=False), 400): b.inject("eth0", q)
    for p in (80, 81): x = Flow(b, C6, 40000, vip=VIP6, vport=p); x.c("S"); x.c("A"); x.c("S", ttl=1)
    for p in (82, 83, 84): x = Flow(b, C1, 40000, vport=p); x.c("S"); x.c("A"); x.c("S", ttl=1)
    u = Flow(b, C6, 40000, vip=VIP6, vport=53, proto="udp"); u.c("", b"q")
    b.finish()


@scenario
def x_fwmark(f):
    """Services on marks: each mode, persistence, one-packet, ICMP, no server."""
    nft = ["nft add table ip m", "nft add chain ip m p { type filter hook prerouting priority mangle; }"] + ["nft add rule ip m p ip daddr %s meta mark set %d" % (a, n) for a, n in ((VIP, 1), ("203.0.113.81", 2))]
    b = mk(f, nft + ["ipvsadm -A -f 1 -s rr", "ipvsadm -a -f 1 -r 10.0.2.11 -m", "ipvsadm -a -f 1 -r 10.0.2.12 -g", "ipvsadm -a -f 1 -r 10.0.9.13 -i",
           "ipvsadm -A -f 2 -s rr -p 100", "ipvsadm -a -f 2 -r 10.0.2.11 -m", "ipvsadm -a -f 2 -r 10.0.2.12 -m"] + svc(port=80))
    fl = []
    for i in range(3): x = Flow(b, C1, 40000 + i, vport=8000); x.c("S"); x.c("A"); fl.append(x)
    for i in range(3): u = Flow(b, C1, 40000 + i, vport=53, proto="udp"); u.c("", b"q")
    for x in fl:
        if x.be and x.be[0] == "10.0.2.11": x.s("SA")
        r = pkt.ip(VIP, C1, 6, pkt.tcp(VIP, C1, 8000, x.cport, 50001, 1001, "A", b"d" * 61), id=78, ttl=60)
        ierr(b, "eth0", C1, VIP, 3, 3, Z4, r[:28])
    b.comment("persistent mark")
    for c in (C1, C2):
        for v in (80, 443): x = Flow(b, c, 41000 + v, vip="203.0.113.81", vport=v); x.c("S"); x.s("SA"); x.c("A")
        u = Flow(b, c, 41000, vip="203.0.113.81", vport=53, proto="udp"); u.c("", b"q"); u.s("", b"a")
    b.comment("echo to a marked address"); b.inject("eth0", pkt.ip(C1, VIP, 1, pkt.icmp(C1, VIP, 8, 0, b"\0\1\0\1", b"x"), id=b.nid()))
    b.comment("mode one-packet"); b.cmd("ipvsadm -E -f 1 -s rr -o")
    for i in range(4): u = Flow(b, C1, 42000, vport=53, proto="udp"); u.c("", b"q")
    x = Flow(b, C1, 42000, vport=8001); x.c("S"); x.c("A")
    b.comment("no servers")
    for r in ("10.0.2.11", "10.0.2.12", "10.0.9.13"): b.cmd("ipvsadm -d -f 1 -r %s" % r)
    Flow(b, C1, 43000, vport=8000).c("S"); Flow(b, C1, 43000, vport=53, proto="udp").c("", b"q"); fl[0].c("A")
    b.comment("fragments of a marked packet")
    for q in frags(pkt.ip(C1, "203.0.113.81", 17, pkt.udp(C1, "203.0.113.81", 44000, 99, b"q" * 1000), id=b.nid(), df=False), 400): b.inject("eth0", q)
    b.finish()


@scenario
def x_martian(f):
    """Odd sources, destinations and MACs."""
    b = mk(f, svc() + svc(vip=VIP6) + svc(port=81, mode="-g"))
    for c in ("0.0.0.0", "0.0.0.5", "240.0.0.1", "224.0.0.1", "239.1.1.1", "255.255.255.254", "192.0.2.255", "192.0.2.0", "192.0.2.1", "203.0.113.81", "10.0.2.1", "10.0.2.255", "127.0.0.1", "169.254.1.1", "10.0.2.11", "1.2.3.4"): Flow(b, c, 44000).c("S")
    for c in ("::", "::1", "::ffff:198.51.100.1", VIP6, "2001:db8:1::1", "ff02::1", "ff0e::5", "fe80::1", "::198.51.100.1", "fec0::1", "2001:db8:2::11", "64:ff9b::1"): Flow(b, c, 44000, vip=VIP6).c("S")
    b.comment("MACs: broadcast, multicast")
    for m in ("ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01", "33:33:00:00:00:01", "02:00:00:00:02:01"):
        b.inject("eth0", Flow(b, C1, 44001).pkt_c("S"), dst=m)
    b.comment("destinations")
    for d in ("127.0.0.1", "255.255.255.255", "192.0.2.255", "224.0.0.1", "0.0.0.0", "240.0.0.1", "10.0.2.11", "192.0.2.77", "203.0.113.99"):
        b.inject("eth0", pkt.ip(C1, d, 6, pkt.tcp(C1, d, 44002, 80, 1, 0, "S"), id=b.nid()))
    for d in ("::1", "ff02::1", "::", "2001:db8:2::11", "::ffff:10.0.2.11"):
        b.inject("eth0", pkt.ip(C6, d, 6, pkt.tcp(C6, d, 44002, 80, 1, 0, "S")))
    b.comment("by the servers' interface"); b.inject("eth1", Flow(b, C1, 44003).pkt_c("S"))
    b.comment("version 5, header length 4, total length 19 and 0, reserved fragment bit")
    p = bytearray(Flow(b, C1, 44004).pkt_c("S"))
    def fix(q): q[10:12] = b"\0\0"; q[10:12] = pkt.csum(bytes(q[:20])).to_bytes(2, "big"); return bytes(q)
    q = p[:]; q[0] = 0x55; b.inject("eth0", None, l2=pkt.mac("020000000101") + pkt.mac("0200000001fe") + b"\x08\0" + fix(q))
    q = p[:]; q[0] = 0x44; b.inject("eth0", None, l2=pkt.mac("020000000101") + pkt.mac("0200000001fe") + b"\x08\0" + fix(q))
    for n in (0, 19, 20): q = p[:]; q[2:4] = n.to_bytes(2, "big"); b.inject("eth0", fix(q))
    q = p[:]; q[6] |= 0x80; b.inject("eth0", fix(q))
    q = p[:]; b.inject("eth0", None, l2=pkt.mac("020000000101") + pkt.mac("0200000001fe") + b"\x86\xdd" + bytes(q))
    b.comment("IEEE 802.3 length instead of a type, unknown type"); b.inject("eth0", None, l2=pkt.mac("020000000101") + pkt.mac("0200000001fe") + b"\0\x28" + bytes(p)); b.inject("eth0", None, l2=pkt.mac("020000000101") + pkt.mac("0200000001fe") + b"\x88\xb5" + bytes(p))
    b.comment("short frames"); 
    for n in (14, 15, 20, 33, 34, 53): b.inject("eth0", None, l2=(pkt.mac("020000000101") + pkt.mac("0200000001fe") + b"\x08\0" + bytes(p))[:n])
    b.finish()


@scenario
def x_ext6(f):
    """IPv6 extension headers in each mode and direction."""
    b = mk(f, svc(vip=VIP6) + svc(vip=VIP6, port=81, mode="-g") + svc(vip=VIP6, port=82, mode="-i"))
    t = lambda p, w="S", d=b"", sp=40000, **k: pkt.tcp(C6, VIP6, sp, p, 1000, 1, w, d, **k)
    D, H = b"\x06\0\1\4\0\0\0\0", b"\x06\0\1\4\0\0\0\0"
    for p in (80, 81, 82):
        b.comment("port %d" % p)
        b.inject("eth0", pkt.ip(C6, VIP6, 60, D + t(p, sp=40000)))
        b.inject("eth0", pkt.ip(C6, VIP6, 60, b"\x3c\0\1\4\0\0\0\0" + D + t(p, sp=40001)))
        b.inject("eth0", pkt.ip(C6, VIP6, 0, H + t(p, sp=40002)))
        b.inject("eth0", pkt.ip(C6, VIP6, 0, b"\x3c\0\1\4\0\0\0\0" + D + t(p, sp=40003)))
        b.comment("routing headers type 0, 2, 4 with nothing left, and with one left")
        for n, (ty, left) in enumerate(((0, 0), (2, 0), (4, 0), (0, 1), (2, 1))):
            b.inject("eth0", pkt.ip(C6, VIP6, 43, b"\x06\2" + bytes([ty, left]) + b"\0" * 4 + pkt.a6("2001:db8:2::11") + t(p, sp=40010 + n)))
        b.comment("unknown option: skip, discard, discard and tell"); 
        for n, o in enumerate((0x1e, 0x5e, 0x9e, 0xde)): b.inject("eth0", pkt.ip(C6, VIP6, 60, bytes([6, 0, o, 4]) + b"\0\0\0\0" + t(p, sp=40020 + n)))
        for n, o in enumerate((0x1e, 0x5e, 0x9e, 0xde)): b.inject("eth0", pkt.ip(C6, VIP6, 0, bytes([6, 0, o, 4]) + b"\0\0\0\0" + t(p, sp=40025 + n)))
        b.comment("cut: header beyond the end"); b.inject("eth0", pkt.ip(C6, VIP6, 60, b"\x06\5\1\4\0\0\0\0" + t(p, sp=40030)))
        b.comment("AH"); b.inject("eth0", pkt.ip(C6, VIP6, 51, b"\x06\4" + b"\0" * 22 + t(p, sp=40031)))
        b.comment("hop-by-hop not first"); b.inject("eth0", pkt.ip(C6, VIP6, 60, b"\x00\0\1\4\0\0\0\0" + H + t(p, sp=40032)))
    b.comment("reply with destination options, with hop-by-hop")
    x = Flow(b, C6, 41000, vip=VIP6); x.open()
    r = pkt.tcp(x.be[0], C6, 80, 41000, 9, 9, "A")
    b.inject("eth1", pkt.ip(x.be[0], C6, 60, D + r), src=x.be_mac); b.inject("eth1", pkt.ip(x.be[0], C6, 0, H + r), src=x.be_mac)
    b.inject("eth1", pkt.ip(x.be[0], C6, 43, b"\x06\2\2\0\0\0\0\0" + pkt.a6("2001:db8:2::11") + r), src=x.be_mac)
    b.comment("ESP, unknown, IPIP to the VIP"); 
    for n in (50, 253, 41, 4, 47): b.inject("eth0", pkt.ip(C6, VIP6, n, b"\0" * 24))
    b.comment("UDP without a service; ICMPv6 echo with a wrong sum, with a hop limit of 1; other informational"); Flow(b, C6, 40000, vip=VIP6, vport=99, proto="udp").c("", b"q")
    b.inject("eth0", pkt.ip(C6, VIP6, 58, pkt.icmp(C6, VIP6, 128, 0, b"\0\1\0\1", b"abc", bad=True))); b.inject("eth0", pkt.ip(C6, VIP6, 58, pkt.icmp(C6, VIP6, 128, 0, b"\0\1\0\1", b"abc"), ttl=1, tos=0xb8, flow=0x999))
    b.inject("eth0", pkt.ip(C6, VIP6, 58, pkt.icmp(C6, VIP6, 139, 0, b"\0\1\0\1", b"abc")))
    b.comment("payload behind the packet; no payload at all"); b.inject("eth0", pkt.ip(C6, VIP6, 6, t(80, sp=45000) + b"\xee" * 8, totlen=20)); b.inject("eth0", pkt.ip(C6, VIP6, 6, b"")); b.inject("eth0", pkt.ip(C6, VIP6, 17, b"\0\1"))
    b.finish()


@scenario
def x_unreach(f):
    """Neighbours that do not answer, DR, TUN, IPv6; unreachable, blackhole and prohibit routes, IPv6."""
    b = mk(f, svc(port=80, servers=["10.0.2.99"]) + svc(port=81, mode="-g", servers=["10.0.2.99"]) + svc(port=82, mode="-i", servers=["10.0.2.99"]) +
           svc(vip=VIP6, port=80, servers=["2001:db8:2::99"]) + svc(vip=VIP6, port=81, mode="-g", servers=["2001:db8:2::99"]) + svc(vip=VIP6, port=82, mode="-i", servers=["2001:db8:2::99"]) +
           svc(port=83, servers=["10.0.7.7"]) + svc(port=84, mode="-g", servers=["10.0.7.7"]) + svc(port=85, mode="-i", servers=["10.0.7.7"]) + svc(vip=VIP6, port=83, servers=["2001:db8:7::7"]) + svc(vip=VIP6, port=84, mode="-g", servers=["2001:db8:7::7"]) + svc(vip=VIP6, port=85, mode="-i", servers=["2001:db8:7::7"]) + svc(proto="-u", port=53, servers=["10.0.2.99"], rport=5353))
    for p in (80, 81, 82):
        b.comment("port %d" % p); x = Flow(b, C1, 40000, vport=p); x.c("S"); x.c("S"); b.sleep(4)
        y = Flow(b, C6, 40000, vip=VIP6, vport=p); y.c("S"); b.sleep(4)
    u = Flow(b, C1, 40000, vport=53, proto="udp"); u.c("", b"q" * 700); u.c("", b"q", nocsum=True); b.sleep(4)
    for kind in ("unreachable",):
        b.cmd("ip route add %s 10.0.7.0/24" % kind); b.cmd("ip route add %s 2001:db8:7::/64" % kind)
        for p in (83, 84, 85):
            b.comment("%s port %d" % (kind, p)); Flow(b, C1, 40000, vport=p).c("S"); Flow(b, C6, 40000, vip=VIP6, vport=p).c("S")
            Flow(b, C1, 40000, vport=p).c("S", ttl=1)
        b.inject("eth1", pkt.ip("10.0.2.14", "10.0.7.1", 17, pkt.udp("10.0.2.14", "10.0.7.1", 1, 2, b"x"), id=b.nid())); b.inject("eth1", pkt.ip("2001:db8:2::14", "2001:db8:7::1", 17, pkt.udp("2001:db8:2::14", "2001:db8:7::1", 1, 2, b"x")))
    b.finish()


@scenario
def x_blackhole(f):
    """Blackhole routes."""
    b = mk(f, svc(port=83, servers=["10.0.7.7"]) + svc(port=84, mode="-g", servers=["10.0.7.7"]) + svc(port=85, mode="-i", servers=["10.0.7.7"]) + svc(vip=VIP6, port=83, servers=["2001:db8:7::7"]) + svc(vip=VIP6, port=84, mode="-g", servers=["2001:db8:7::7"]) + svc(vip=VIP6, port=85, mode="-i", servers=["2001:db8:7::7"]))
    b.cmd("ip route add blackhole 10.0.7.0/24"); b.cmd("ip route add blackhole 2001:db8:7::/64")
    for p in (83, 84, 85):
        Flow(b, C1, 40000, vport=p).c("S"); Flow(b, C6, 40000, vip=VIP6, vport=p).c("S"); Flow(b, C1, 40000, vport=p).c("S", ttl=1)
    b.inject("eth1", pkt.ip("10.0.2.14", "10.0.7.1", 17, pkt.udp("10.0.2.14", "10.0.7.1", 1, 2, b"x"), id=b.nid())); b.inject("eth1", pkt.ip("2001:db8:2::14", "2001:db8:7::1", 17, pkt.udp("2001:db8:2::14", "2001:db8:7::1", 1, 2, b"x")))
    b.finish()


@scenario
def x_two_vips(f):
    """A reply that matches two NAT connections."""
    b = mk(f, svc(servers=SRV[:1]) + svc(vip="203.0.113.81", servers=SRV[:1]))
    x = Flow(b, C1, 40000); x.c("S"); x.s("SA")
    y = Flow(b, C1, 40000, vip="203.0.113.81"); y.c("S"); y.s("SA"); x.s("A"); x.c("A"); x.s("A")
    y.c("R"); b.sleep(15); x.s("A")
    b.finish()


@scenario
def x_trash(f):
    """A server deleted and added again after a while, with and without connections."""
    b = mk(f, svc(servers=SRV[:2]) + svc(port=81, servers=SRV[:2]))
    x = Flow(b, C1, 40000); x.open(); x.c("R"); b.sleep(15)
    y = Flow(b, C1, 40001, vport=81); y.open()
    for t in (5, 90, 200):
        b.comment("after %d s" % t)
        b.cmd("ipvsadm -d -t %s:80 -r 10.0.2.12:80" % VIP); b.cmd("ipvsadm -d -t %s:81 -r 10.0.2.12:81" % VIP); b.sleep(t)
        b.cmd("ipvsadm -a -t %s:80 -r 10.0.2.12:80 -m" % VIP); b.cmd("ipvsadm -a -t %s:81 -r 10.0.2.12:81 -m" % VIP); b.snap("again after %d" % t)
        y.c("A"); y.s("A")
        z = Flow(b, C1, 41000 + t); z.open(); z.c("R"); b.sleep(15)
    b.finish()


@scenario
def x_ops(f):
    """One-packet services: NAT, TUN, IPv6, replies, ICMP, fragments, persistence."""
    b = mk(f, svc(proto="-u", port=53, extra="-o") + svc(proto="-u", port=54, mode="-i", extra="-o") + svc(vip=VIP6, proto="-u", port=53, extra="-o", rport=5353) + svc(proto="-u", port=55, extra="-p 100 -o"))
    for p in (53, 54, 55):
        for i in range(4): u = Flow(b, C1, 40000, vport=p, proto="udp"); u.c("", b"q")
        if p != 54: u.s("", b"a")
        r = pkt.ip(VIP, C1, 17, pkt.udp(VIP, C1, p, 40000, b"answer"), id=77, ttl=60); ierr(b, "eth0", C1, VIP, 3, 3, Z4, r)
        for q in frags(pkt.ip(C1, VIP, 17, pkt.udp(C1, VIP, 40000, p, b"q" * 1000), id=b.nid(), df=False), 400): b.inject("eth0", q)
        u.c("", b"q", ttl=1)
    u = Flow(b, C6, 40000, vip=VIP6, vport=53, proto="udp"); u.c("", b"q"); u.s("", b"a")
    b.finish()


@scenario
def x_through(f):
    """Packets through the LB that are nobody's: too big, TTL, other protocols, ICMP."""
    b = mk(f, svc() + svc(vip=VIP6), topo=dict(TWO_ARM, ifs={"eth0": dict(TWO_ARM["ifs"]["eth0"], mtu=1300), "eth1": TWO_ARM["ifs"]["eth1"]}))
    S, S6 = "10.0.2.14", "2001:db8:2::14"
    i = lambda p: b.inject("eth1", p, src="02:00:00:00:02:0e")
    for pr in (6, 17, 47, 253):
        pl = pkt.tcp(S, C1, 5, 6, 1, 1, "A", b"x" * 1400) if pr == 6 else pkt.udp(S, C1, 5, 6, b"x" * 1400) if pr == 17 else b"x" * 1400
        i(pkt.ip(S, C1, pr, pl, id=b.nid())); i(pkt.ip(S, C1, pr, pl, id=b.nid(), df=False)); i(pkt.ip(S, C1, pr, pl[:40], id=b.nid(), ttl=1))
        pl = pkt.tcp(S6, C6, 5, 6, 1, 1, "A", b"x" * 1400) if pr == 6 else pkt.udp(S6, C6, 5, 6, b"x" * 1400) if pr == 17 else b"x" * 1400
        i(pkt.ip(S6, C6, pr, pl)); i(pkt.ip(S6, C6, pr, pl[:40], ttl=1))
    i(pkt.ip(S, C1, 1, pkt.icmp(S, C1, 8, 0, b"\0\1\0\1", b"x" * 1400), id=b.nid())); i(pkt.ip(S, C1, 1, pkt.icmp(S, C1, 0, 0, b"\0\1\0\1", b"x"), id=b.nid()))
    i(pkt.ip(S6, C6, 58, pkt.icmp(S6, C6, 128, 0, b"\0\1\0\1", b"x" * 1400))); i(pkt.ip(S6, C6, 58, pkt.icmp(S6, C6, 129, 0, b"\0\1\0\1", b"x")))
    b.comment("from the clients to servers"); b.inject("eth0", pkt.ip(C1, S, 17, pkt.udp(C1, S, 5, 6, b"x"), id=b.nid())); b.inject("eth0", pkt.ip(C6, S6, 17, pkt.udp(C6, S6, 5, 6, b"x")))
    b.comment("cut transport headers"); i(pkt.ip(S, C1, 6, b"\0\5\0\6", id=b.nid())); i(pkt.ip(S, C1, 17, b"\0\5", id=b.nid())); i(pkt.ip(S, C1, 6, b"", id=b.nid())); i(pkt.ip(S, C1, 1, b"\3", id=b.nid())); i(pkt.ip(S6, C6, 6, b"\0\5\0\6"))
    b.comment("cut headers of a real server"); i(pkt.ip(SRV[0], C1, 6, b"\0\x50\0\6", id=b.nid()))
    b.finish()


@scenario
def x_sctp(f):
    """SCTP: IPv6, the same port, tunnels, wrong checksums, odd chunks, cut."""
    b = mk(f, svc(proto="--sctp-service", port=80) + svc(proto="--sctp-service", port=81, mode="-i") + svc(vip=VIP6, proto="--sctp-service", port=80, rport=8080))
    init = b"\0\0\0\1\0\0\xff\xff\0\1\0\1\0\0\0\1"
    def c(port, dp, vtag, ch, v6=False, bad=False):
        s, d = (C6, VIP6) if v6 else (C1, VIP)
        x = bytearray(pkt.sctp(port, dp, vtag, ch)); x[8] ^= 0x55 if bad else 0
        return b.inject("eth0", pkt.ip(s, d, 132, bytes(x), id=b.nid()))
    def s(be, m, port, sp, ch, v6=False, bad=False):
        x = bytearray(pkt.sctp(sp, port, 1, ch)); x[8] ^= 0x55 if bad else 0
        return b.inject("eth1", pkt.ip(be, C6 if v6 else C1, 132, bytes(x), id=b.nid()), src=m)
    for v6 in (False, True):
        for bad in (False, True):
            g = c(40000 + bad, 80, 0, pkt.chunk(1, 0, init), v6, bad); q = pkt.parse(g[0][1]); be, m = pkt.ips(q.dst), q.eth_dst
            s(be, m, 40000 + bad, q.dport, pkt.chunk(2, 0, init), v6, bad)
    c(40000, 81, 0, pkt.chunk(1, 0, init)); c(40000, 81, 0, pkt.chunk(10, 0, b"cook")); c(40000, 81, 0, pkt.chunk(6))
    b.comment("other first chunks"); 
    for n in (0, 2, 3, 4, 6, 7, 8, 9, 10, 11, 14, 15, 130, 193): c(41000 + n, 80, 1, pkt.chunk(n, 0, b"abcd"))
    b.comment("cut"); 
    for n in (8, 11, 12, 14, 16): b.inject("eth0", pkt.ip(C1, VIP, 132, pkt.sctp(42000, 80, 0, pkt.chunk(1, 0, init))[:n], id=b.nid()))
    b.comment("no service"); c(43000, 99, 0, pkt.chunk(1, 0, init)); c(43000, 99, 0, pkt.chunk(1, 0, init), True)
    b.finish()


@scenario
def x_drain(f):
    """expire_nodest_conn with weight 0 and SYNs on old entries; expire_nodest_conn and UDP."""
    b = mk(f, svc() + svc(proto="-u", port=53) + svc(port=81, mode="-g"), sysctl={"net.ipv4.vs.expire_nodest_conn": 1})
    x = Flow(b, C1, 40000); x.open(); u = Flow(b, C1, 40000, vport=53, proto="udp"); u.c("", b"q"); y = Flow(b, C1, 40000, vport=81); y.c("S"); y.c("A")
    for r in SRV: b.cmd("ipvsadm -e -t %s:80 -r %s:80 -m -w 0" % (VIP, r)); b.cmd("ipvsadm -e -u %s:53 -r %s:53 -m -w 0" % (VIP, r)); b.cmd("ipvsadm -e -t %s:81 -r %s:81 -g -w 0" % (VIP, r))
    x.c("A"); u.c("", b"q"); y.c("A"); Flow(b, C1, 40000).c("S"); Flow(b, C1, 40000, vport=81).c("S")
    for r in SRV: b.cmd("ipvsadm -d -t %s:80 -r %s:80" % (VIP, r)); b.cmd("ipvsadm -d -u %s:53 -r %s:53" % (VIP, r)); b.cmd("ipvsadm -d -t %s:81 -r %s:81" % (VIP, r))
    b.sleep(2); x.c("A"); u.c("", b"q"); y.c("A"); x.s("A") if x.be else None
    b.finish()
@scenario
def x_reuse_counts(f):
    """A SYN on a finished connection: the old entry still counts while the scheduler looks, for thresholds and for lc."""
    b = mk(f, svc(servers=SRV[:1], dextra="-x 1") + svc("lc", port=81, servers=SRV[:2]) + svc("nq", port=82, servers=SRV[:2]))
    x = Flow(b, C1, 40000, isn=1); x.open(); x.c("R")
    b.comment("at its threshold by the old entry alone"); x.c("S"); x.c("S")
    for port in (81, 82):
        y = Flow(b, C1, 40001, vport=port, isn=5); y.open(); y.c("R"); y.c("S")
        y.s("SA"); y.c("R"); y.c("S")
    b.finish()


@scenario
def x_reuse_drained(f):
    """A SYN on a connection of a server with weight 0, expire_nodest_conn=1, whatever conn_reuse_mode says; then the
    same with a threshold of two and a template."""
    b = mk(f, svc(servers=SRV[:2]) + svc(port=81, servers=SRV[:1], extra="-p 300", dextra="-x 3 -y 2") +
           ["busybox sysctl -w net.ipv4.vs.expire_nodest_conn=1", "busybox sysctl -w net.ipv4.vs.conn_reuse_mode=0"])
    x = Flow(b, C1, 40000, isn=1); x.open()
    y = Flow(b, C1, 40001, isn=1); y.open()
    b.cmd("ipvsadm -e -t %s:80 -r 10.0.2.12:80 -m -w 0" % VIP)
    for z in (x, y): z.c("A"); z.c("S"); z.s("SA")
    b.cmd("busybox sysctl -w net.ipv4.vs.conn_reuse_mode=1")
    fl = [Flow(b, C1, 41000 + i, vport=81, isn=9) for i in range(3)]
    for z in fl: z.open()
    fl[0].c("R"); fl[0].c("S"); fl[1].c("R"); b.sleep(12)
    fl[0].c("S"); fl[2].c("R"); fl[2].c("S")
    Flow(b, "198.51.100.77", 40000, vport=81).c("S")
    b.finish()

