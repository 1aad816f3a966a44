"""Measures the control plane of a live daemon with thousands of services, and forwarding meanwhile. Called by
scripts/scale, which makes the lab; see its --help.

One service, to a real server that echoes datagrams, carries the traffic; the others are there to be many. Their real
servers are addresses behind the lab's one server.
"""

import argparse
import json
import pathlib
import platform
import statistics
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "Benchmarks" / "Through"))
from daemon import READY, Daemon  # noqa: E402
from lab import Failed, Lab  # noqa: E402

VIRTUAL, SERVER, ECHO_PORT = "198.18.10.80", "198.18.2.11", 7

# What the issue asks for: seconds, and the ratio of the 99th percentile with edits to that without.
TARGETS = {"apply": 1.0, "one more destination": 0.005, "-Ln": 0.3, "plan": 1.0, "p99 ratio": 2.0}

# Where a program waits for a processor, its socket must not lose what comes meanwhile: that would be none of Fairlead's.
ROOM = """
def enlarge(s):
    try:
        s.setsockopt(socket.SOL_SOCKET, 33, 1 << 24)  # SO_RCVBUFFORCE
    except OSError:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
"""

# Both ends go before every ordinary program: how long they wait for a processor is none of Fairlead's either.
FIRST = """
import os
os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
"""

ECHO = """
import socket
""" + FIRST + ROOM + """
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
enlarge(s)
s.bind(("", 7))
print("listening", flush=True)
while True:
    data, client = s.recvfrom(2048)
    s.sendto(data, client)
"""

# SECONDS: datagrams at a steady pace; prints how many came back and the microseconds each took.
PACE = """
import json, select, socket, sys, time
""" + FIRST + ROOM + """
seconds, pace = float(sys.argv[1]), 1000
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
enlarge(s)
s.connect(("198.18.10.80", 7))
s.setblocking(False)
sent, times, number, start = {}, [], 0, time.perf_counter()
total = int(seconds * pace)
def take():
    while True:
        try:
            data = s.recv(64)
        except BlockingIOError:
            return
        now = time.perf_counter()
        begun = sent.pop(int(data), None)
        if begun is not None:
            times.append((now - begun) * 1e6)
while number < total:
    due = start + number / pace
    now = time.perf_counter()
    if now < due:
        select.select([s], [], [], due - now)
        take()
        continue
    sent[number] = time.perf_counter()
    s.send(str(number).encode())
    number += 1
deadline = time.perf_counter() + 2
while sent and time.perf_counter() < deadline:
    select.select([s], [], [], 0.05)
    take()
times.sort()
print(json.dumps({"sent": total, "lost": len(sent), "p50": times[len(times) // 2], "p99": times[len(times) * 99 // 100]}))
"""


def configuration(services, destinations):
    """fairlead.yaml with the service that carries traffic and `services` others."""
    lines = [
        "services:",
        f"  - {{address: {VIRTUAL}:{ECHO_PORT}, protocol: udp, scheduler: rr, method: nat, destinations: [{SERVER}:{ECHO_PORT}]}}",
    ]
    for number in range(services):
        lines.append(f"  - address: 10.96.{number // 250}.{number % 250 + 1}:80")
        lines.append("    scheduler: rr")
        lines.append("    method: nat")
        lines.append("    destinations:")
        for place in range(destinations):
            index = number * destinations + place
            address = f"10.{100 + index // 62500}.{index // 250 % 250}.{index % 250 + 1}:8080"
            lines.append(f"      - {address}")
    return "\n".join(lines) + "\n"


def one_more(daemon, number, services):
    """Add a destination to one of the services, and take it out again; seconds of the addition."""
    key = ["-t", f"10.96.{number % services // 250}.{number % services % 250 + 1}:80"]
    real = ["-r", "10.250.1.1:8080"]
    seconds = daemon.request(["-a", *key, *real, "-m"])
    daemon.request(["-d", *key, *real])
    return seconds


def edits(daemon, files, services, stop):
    """Everything that is measured, over and over."""
    number = 0
    while not stop.is_set():
        daemon.command("apply", files["all"])
        for _ in range(10):
            if stop.is_set():
                return
            one_more(daemon, number, services)
            number += 37
        daemon.command("ipvsadm", "-Ln")
        daemon.command("plan", files["one"])
        if not stop.is_set():
            daemon.command("apply", files["one"])


def traffic(lab, seconds):
    """What one turn of datagrams gave."""
    return json.loads(lab.at("client", "python3", "-c", PACE, seconds, timeout=seconds + 30))


def measure(lab, daemon, files, options):
    """All figures, in seconds and microseconds."""
    figures = {name: [] for name in ["apply", "one more destination", "-Ln", "plan", "nothing to apply"]}
    figures |= {"quiet": [], "edits": []}
    for turn in range(options.rounds):
        daemon.command("apply", files["one"])
        figures["plan"].append(daemon.command("plan", files["all"])[0])
        figures["apply"].append(daemon.command("apply", files["all"])[0])
        figures["nothing to apply"].append(daemon.command("apply", files["all"])[0])
        figures["one more destination"] += [
            one_more(daemon, turn * 100 + number * 7, options.services) for number in range(20)
        ]
        seconds, listing = daemon.command("ipvsadm", "-Ln")
        figures["-Ln"].append(seconds)
        expected = 3 + 1 + 1 + options.services * (options.destinations + 1)
        if len(listing.splitlines()) != expected:
            raise Failed(f"-Ln has {len(listing.splitlines())} lines instead of {expected}")
    for turn in range(options.rounds):
        figures["quiet"].append(traffic(lab, options.seconds))
        stop, failures = threading.Event(), []

        def edit():
            try:
                edits(daemon, files, options.services, stop)
            except Exception as error:  # told in the main thread
                failures.append(error)

        editor = threading.Thread(target=edit)
        editor.start()
        try:
            figures["edits"].append(traffic(lab, options.seconds))
        finally:
            stop.set()
            editor.join()
        if failures:
            raise failures[0]
    return figures


def report(figures, options):
    """Print the table; whether every line meets its target. The times of a quick run are no matter."""
    rows = []
    for name in ["apply", "one more destination", "-Ln", "plan"]:
        median = statistics.median(figures[name])
        rows.append((name, f"{median * 1000:.1f} ms", f"< {TARGETS[name] * 1000:.0f} ms", median < TARGETS[name]))
    lost = sum(turn["lost"] for turn in figures["quiet"] + figures["edits"])
    sent = sum(turn["sent"] for turn in figures["quiet"] + figures["edits"])
    rows.append(("datagrams lost", f"{lost} of {sent}", "0", lost == 0))
    ratio = statistics.median(
        edited["p99"] / quiet["p99"] for quiet, edited in zip(figures["quiet"], figures["edits"])
    )
    rows.append(("p99 with edits / without", f"{ratio:.2f}", f"<= {TARGETS['p99 ratio']:.0f}", ratio <= 2))
    print(f"{options.services} services x {options.destinations} destinations, medians of {options.rounds} rounds, ", end="")
    print(f"{platform.machine()}, Linux {platform.release()}")
    print(f"{'':26} {'measured':>14} {'wanted':>10}")
    for name, measured, wanted, holds in rows:
        print(f"{name:26} {measured:>14} {wanted:>10}  {'holds' if holds else 'MISSES'}")
    for name in ["quiet", "edits"]:
        p50, p99 = (statistics.median(turn[part] for turn in figures[name]) for part in ["p50", "p99"])
        print(f"round trip, {name}: p50 {p50:.0f} us, p99 {p99:.0f} us")
    print(f"apply with nothing to change: {statistics.median(figures['nothing to apply']) * 1000:.1f} ms")
    return lost == 0 if options.quick else all(row[3] for row in rows)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--lab", required=True)
    parser.add_argument("--scratch", required=True, type=pathlib.Path)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--services", type=int, default=5000)
    parser.add_argument("--destinations", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--fair", dest="run", action="store_const", const=[], default=["--realtime"])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.services, options.seconds = 2, 200, 1
    lab = Lab(options.lab, "nat", options.scratch)
    paths = {name: options.scratch / f"{name}.yaml" for name in ["one", "all"]}
    paths["one"].write_text(configuration(0, options.destinations))
    paths["all"].write_text(configuration(options.services, options.destinations))
    control = options.scratch / "control.sock"
    for number in range(100, 101 + options.services * options.destinations // 62500):
        lab.at("director", "ip", "route", "add", f"10.{number}.0.0/16", "via", SERVER)
    lab.at("director", "ip", "route", "add", "10.250.0.0/16", "via", SERVER)
    with lab.running("server1", "python3", "-c", ECHO, ready="listening"), lab.running(
        "director", options.binary, "run", "--interface", "client0", "--interface", "servers0", "--control", control,
        "--config", paths["one"], *options.run, ready=READY,
    ):
        daemon = Daemon(options.binary, str(control))
        figures = measure(lab, daemon, paths, options)
    holds = report(figures, options)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))
    return 0 if holds else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failed as failure:
        print(f"scale: {failure}", file=sys.stderr)
        sys.exit(1)
