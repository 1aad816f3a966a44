"""What scripts/bench measures through an open way, and the checks of each round."""

import contextlib
import hashlib
import itertools
import json
import pathlib
import random
import socket
import sys

from lab import (BULK_PORT, CHECK_PORT, ECHO_PORT, HTTP_PORT, SERVERS, UDP_PORT, WAIT_SECONDS, Failed, busy_seconds,
                 resident_megabytes)

CHECKED_BYTES = 64 << 20
SHARED_CONNECTIONS = 12
# Numbers of runs, so that what is late of one is not taken for another's.
RUNS = itertools.count(1)
RATES = [20_000, 50_000, 100_000]

# wrk's own report ends at the 99th percentile.
WRK_REPORT = """
done = function(summary, latency, requests)
    local e = summary.errors
    io.write(string.format("RESULT %d %d %d %d %d %d %d\\n", summary.requests, summary.duration,
        e.connect + e.read + e.write + e.timeout, e.status, latency:percentile(50), latency:percentile(99),
        latency:percentile(99.9)))
end
"""


def bulk(streams):
    def measure(lab, way, settings):
        """Gbit/s that iperf3's server received, and what a GB cost the machine."""
        seconds = settings.seconds
        with lab.running("server1", "iperf3", "-s", "-1", "--forceflush", ready="Server listening"):
            before = busy_seconds()
            end = json.loads(lab.at("client", "iperf3", "-c", way.address, "-p", BULK_PORT, "-t", seconds, "-P", streams,
                                    "--json", "--connect-timeout", 5000, timeout=seconds + WAIT_SECONDS))["end"]
            spent = busy_seconds() - before
        received = end["sum_received"]
        return {"gbit_per_s": received["bits_per_second"] / 1e9, "retransmits": end["sum_sent"].get("retransmits", 0),
                "cpu_s_per_gb": spent / (received["bytes"] / 1e9)}

    return measure


def wrk(lab, way, seconds, connections, *headers):
    script = lab.scratch / "report.lua"
    script.write_text(WRK_REPORT)
    arguments = ["-t", 1, "-c", connections, "-d", f"{seconds}s", "-s", script]
    for header in headers:
        arguments += ["-H", header]
    said = lab.at("client", "wrk", *arguments, f"http://{way.address}:{HTTP_PORT}/", timeout=seconds + WAIT_SECONDS)
    words = next((line.split()[1:] for line in said.splitlines() if line.startswith("RESULT ")), None)
    if not words:
        raise Failed("wrk reported nothing")
    requests, micros, errors, refused, p50, p99, p999 = map(int, words)
    if errors or refused or not requests:
        raise Failed(f"wrk: {requests} requests, {errors} socket errors, {refused} answers that are not 2xx")
    return {"per_s": requests / (micros / 1e6), "p50_us": p50, "p99_us": p99, "p999_us": p999}


def connections(lab, way, settings):
    """Requests a second, each on a connection of its own; the server closes."""
    return wrk(lab, way, settings.seconds, 32, "Connection: close")


def requests(lab, way, settings):
    """Requests a second over 32 connections that stay."""
    return wrk(lab, way, settings.seconds, 32)


def round_trip(lab, way, settings):
    """64 bytes there and back over one connection."""
    said = json.loads(lab.at("client", settings.pktgen, "ping", "--to", way.address, "--port", ECHO_PORT, "--seconds",
                             settings.seconds, timeout=settings.seconds + WAIT_SECONDS))
    if said["wrong"]:
        raise Failed(f"{said['wrong']} of {said['count']} round trips brought other bytes")
    return {key: said[key] for key in ("p50_us", "p99_us", "p999_us")}


def datagrams(lab, way, settings, rate):
    run = next(RUNS)
    sink = lab.start("server1", settings.pktgen, "sink", "--port", UDP_PORT, "--run", run, ready="pktgen: ready")
    try:
        before = busy_seconds()
        sent = json.loads(lab.at("client", settings.pktgen, "send", "--to", way.address, "--port", UDP_PORT, "--seconds",
                                 settings.seconds, "--rate", rate, "--run", run, timeout=settings.seconds + WAIT_SECONDS))
        spent = busy_seconds() - before
    finally:
        said = lab.stop(sink)
    got = json.loads(said.strip().splitlines()[-1])
    if got["wrong"] or not got["received"]:
        raise Failed(f"datagrams: {got['received']} of {sent['sent']} arrived, {got['wrong']} of them wrong")
    return {"per_s": got["received"] / sent["seconds"], "sent_per_s": sent["sent"] / sent["seconds"],
            "loss": 1 - got["received"] / sent["sent"], "cpu_us_per_packet": spent / got["received"] * 1e6}


def udp(lab, way, settings):
    """64-byte datagrams a second that arrive while more are sent than that."""
    return datagrams(lab, way, settings, 0)


def udp_rates(lab, way, settings):
    """Loss at fixed rates."""
    found = {}
    for rate in RATES:
        got = datagrams(lab, way, settings, rate)
        found[f"loss_{rate // 1000}k"] = got["loss"]
        found[f"cpu_us_per_packet_{rate // 1000}k"] = got["cpu_us_per_packet"]
    return found


def memory(lab, way, settings):
    """Resident memory of the director's process, after the other measures."""
    return {"megabytes": resident_megabytes(way.process.pid)} if way.process else {}


# name: (function, the figure that is compared, its unit, whether less is better, whether it is UDP)
MEASURES = {
    "bulk1": (bulk(1), "gbit_per_s", "Gbit/s", False, False),
    "bulk4": (bulk(4), "gbit_per_s", "Gbit/s", False, False),
    "connections": (connections, "per_s", "/s", False, False),
    "requests": (requests, "per_s", "/s", False, False),
    "rtt": (round_trip, "p50_us", "us", True, False),
    "udp": (udp, "per_s", "/s", False, True),
    "udp-rates": (udp_rates, "loss_50k", "lost", True, True),
    "memory": (memory, "megabytes", "MB", True, False),
}
TITLES = {
    "bulk1": "TCP bulk, one stream", "bulk4": "TCP bulk, four streams", "connections": "new connections",
    "requests": "requests over 32 connections", "rtt": "round trip of 64 bytes, p50",
    "udp": "64-byte UDP packets at saturation", "udp-rates": "UDP, share lost at 50,000 a second", "memory": "memory",
}


# ---- the checks ---------------------------------------------------------------------------------------------------


def check(lab, way, name):
    """Failed where a transfer differs, or a round robin over three servers is none."""
    program = pathlib.Path(__file__).resolve()
    answer = lab.at("client", sys.executable, program, "--source", way.address, timeout=60).strip()
    if answer != "same":
        raise Failed(f"checked transfer: {answer}")
    if name == "plain":
        return
    before = way.shares() if way.shares else {}
    told = json.loads(lab.at("client", sys.executable, program, "--shares", way.address, timeout=60))
    shares = {server: count - before[server] for server, count in way.shares().items()} if way.shares else told
    # Each of nginx's workers goes round by itself.
    each, slack = SHARED_CONNECTIONS // len(SERVERS), 2 if name == "nginx" else 0
    if len(shares) != len(SERVERS) or any(abs(count - each) > slack for count in shares.values()):
        raise Failed(f"{SHARED_CONNECTIONS} connections, not shared out as scheduled: {shares}")


def sink():
    """Answers each connection on CHECK_PORT with the number of bytes it brought, their digest, and the address it met."""
    with socket.create_server(("", CHECK_PORT)) as listener:
        print("sink: ready", flush=True)
        while True:
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(WAIT_SECONDS)
                with contextlib.suppress(OSError):
                    digest, count = hashlib.sha256(), 0
                    while part := connection.recv(1 << 20):
                        digest.update(part)
                        count += len(part)
                    connection.sendall(f"{count} {digest.hexdigest()} {connection.getsockname()[0]}".encode())


def ask(address, pieces):
    """Sends pieces to the sink; its answer: (count and digest, address)."""
    with socket.create_connection((address, CHECK_PORT), timeout=WAIT_SECONDS) as connection:
        for piece in pieces:
            connection.sendall(piece)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while part := connection.recv(4096):
            answer += part
    said, _, met = answer.decode().rpartition(" ")
    return said, met


def source(address):
    """Sends CHECKED_BYTES in pieces of many sizes, then compares the sink's answer. Prints the verdict."""
    chooser = random.Random(address)
    data = chooser.randbytes(CHECKED_BYTES)
    expected = f"{len(data)} {hashlib.sha256(data).hexdigest()}"

    def pieces():
        at, rest = 0, memoryview(data)
        while at < len(data):
            size = chooser.choice([1, 100, 1460, 9000, 65536, 1 << 20])
            yield rest[at : at + size]
            at += size

    said, _ = ask(address, pieces())
    print("same" if said == expected else f"sent {expected}, received {said}")


def shares(address):
    """How many of SHARED_CONNECTIONS each address met."""
    counts = {}
    for _ in range(SHARED_CONNECTIONS):
        _, met = ask(address, [b"share"])
        counts[met] = counts.get(met, 0) + 1
    print(json.dumps(counts))


if __name__ == "__main__":
    {"--sink": sink, "--source": source, "--shares": shares}[sys.argv[1]](*sys.argv[2:])
