#!/usr/bin/env python3
"""Runs the comparison where it is started: in the guest that scripts/compare-ipvs boots, or on the host (--host).

usage: guest.py OPTIONS.json RESULTS

RESULTS gets one JSON object a line: {"say": ...} for people, {"cost": ...}, {"profile": ...}, {"memory": ...},
{"conformance": ...}, and {"end": true} or {"failed": reason} as the last.
"""

import array
import bisect
import collections
import json
import pathlib
import statistics
import subprocess
import sys
import traceback

import bed as beds
import conformance

CHARGED = {"udp": "packet", "tcp": "connection", "bulk": "MB"}


class Report:
    def __init__(self, path):
        self.file = open(path, "w", buffering=1)

    def put(self, **line):
        self.file.write(json.dumps(line) + "\n")


def load(bed, options, measure, route, count, warm=0, flows=1, burst=64):
    """What the load program says of one run; Failed where something was lost or wrong."""
    arguments = [options["load"], measure, "--client-namespace", bed.path("client"),
                 "--server-namespace", bed.path("server"), "--processor", options["processor"],
                 "--interface", route["interface"], "--source-mac", route["source_mac"],
                 "--target-mac", route["target_mac"], "--from", route["from"], "--to", route["to"],
                 "--port", beds.PORT, "--flows", flows, "--burst", burst, "--count", count, "--warm", warm]
    done = beds.run(*arguments, check=False, timeout=600)
    if done.returncode != 0:
        raise beds.Failed(f"load {measure}: {(done.stderr or done.stdout).strip()}")
    return json.loads(done.stdout)


def busy(options, got):
    """What a load's run took: instructions in the guest, nanoseconds of the processor elsewhere."""
    return (got["elapsed_ns"] - got["idle_ns"]) / options["unit_ns"]


def checksum_errors(bed):
    """Segments and datagrams that an end counted as having a wrong checksum."""
    total = 0
    for place in ("client", "server"):
        rows = {}
        for line in bed.at(place, "cat", "/proc/net/snmp").stdout.splitlines():
            name, _, rest = line.partition(":")
            rows.setdefault(name, []).append(rest.split())
        total += sum(int(rows[p][1][rows[p][0].index("InCsumErrors")]) for p in ("Tcp", "Udp"))
    return total


def fair(shares, method):
    """Round robin over three servers; with DR and tunnels the servers share the virtual address."""
    if method != "nat" or len(shares) < 2:
        return True
    return len(shares) == 3 and max(shares.values()) <= min(shares.values()) * 1.05 + 2


def used(pid):
    """Of all threads of a process: ticks in user mode and in the kernel, and how often they slept."""
    words = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    sleeps = 0
    for status in pathlib.Path(f"/proc/{pid}/task").glob("*/status"):
        line = next(line for line in status.read_text().splitlines() if line.startswith("voluntary_ctxt_switches"))
        sleeps += int(line.split()[1])
    return int(words[11]), int(words[12]), sleeps


def read_profile():
    """{kernel function: ticks of the timer that met it}; the last slot of the profile is all of what modules hold."""
    step, *slots = array.array("I", pathlib.Path("/proc/profile").read_bytes())
    table = []
    for line in pathlib.Path("/proc/kallsyms").read_text().splitlines():
        address, kind, name = line.split()[:3]
        if kind in "tTwW":
            table.append((int(address, 16), name))
    table.sort()
    text = next(address for address, name in table if name == "_stext")
    functions = collections.Counter()
    for slot, hits in enumerate(slots):
        if hits and slot == len(slots) - 1:
            functions["modules (veth, ip_vs, ...)"] += hits
        elif hits:
            functions[table[bisect.bisect(table, (text + slot * step, "~")) - 1][1]] += hits
    return functions


def measure_once(options, name, method, measure, number):
    """(what the load says, what the director's process used, profile)."""
    size = options["sizes"][measure]
    with beds.Namespaces(f"{options['prefix']}{number}", ["client", "director", "server"]) as bed:
        beds.set_up(bed, method)
        with beds.director(name)(bed, options, method, "u" if measure == "udp" else "t") as route:
            before = used(route["pid"]) if "pid" in route else (0, 0, 0)
            if options["profile"]:
                pathlib.Path("/proc/profile").write_bytes(b"0")
            got = load(bed, options, measure, route, **size)
            profile = read_profile() if options["profile"] else None
            after = used(route["pid"]) if "pid" in route else (0, 0, 0)
        if errors := checksum_errors(bed):
            raise beds.Failed(f"{name} {method} {measure}: {errors} wrong checksums at the ends")
        if name not in ("direct", "forwarding") and not fair(got["shares"], method):
            raise beds.Failed(f"{name} {method} {measure}: not a round robin: {got['shares']}")
    return got, [late - early for late, early in zip(after, before)], profile


def measure_cost(options, report, names, method, measure):
    """The directors in turn, `repeats` times; a median each."""
    costs = {name: [] for name in names}
    uses = {name: [0, 0, 0] for name in names}
    last, profiles = {}, {}
    for number in range(options["repeats"]):
        for name in names:
            # Without a director nothing of a method is left but the servers' routes.
            route_of = "nat" if method == "any" else method
            got, spent, profiles[name] = measure_once(options, name, route_of, measure, number)
            last[name] = got
            costs[name].append(busy(options, got) / options["sizes"][measure]["count"])
            uses[name] = [sum(pair) for pair in zip(uses[name], spent)]
    for name in names:
        cost, got = statistics.median(costs[name]), last[name]
        line = {"director": name, "method": method, "measure": measure, "cost": cost, "all": costs[name],
                "idle_share": got["idle_ns"] / got["elapsed_ns"], "retransmitted": got["retransmitted"],
                "shares": got["shares"]}
        user, system, sleeps = uses[name]
        woken = ""
        if user + system:
            size = options["sizes"][measure]
            line["user_share"] = user / (user + system)
            line["sleeps"] = sleeps / options["repeats"] / (size["count"] + size["warm"])
            woken = f", sleeps {line['sleeps']:.2f} times, {line['user_share'] * 100:.0f} % of its time in user mode"
        report.put(cost=line)
        if profiles[name]:
            report.put(profile={"director": name, "method": method, "measure": measure, "ticks": [user, system],
                                "functions": profiles[name]})
        report.put(say=f"{measure:4} {method:4} {name:16} {cost:12,.0f} a {CHARGED[measure]}"
                       f"  ({min(costs[name]):,.0f} to {max(costs[name]):,.0f}){woken}")


def fill(bed, options, route, flows, count=None):
    """Datagrams, by default one of each flow, and what one costs."""
    got = load(bed, options, "udp", route, count or flows, flows=flows)
    return busy(options, got) / (count or flows)


def measure_memory(options, report, name):
    """Bytes a connection, NAT, UDP. The kernel's: growth of its slab cache. Fairlead takes its table at the start: what
    a process with a full table holds more than one made for 1,024 connections that has seen as many packets."""
    most = options["sizes"]["memory"]["connections"]
    flows = most * 15 // 16
    with beds.Namespaces(options["prefix"] + "m", ["client", "director", "server"]) as bed:
        beds.set_up(bed, "nat")
        if name == "ipvs":
            with beds.director(name)(bed, options, "nat", "u") as route:
                fill(bed, options, route, 500)
                before = beds.slab("ip_vs_conn")[0]
                first = fill(bed, options, {**route, "from": "198.18.1.100"}, flows)
                grown, size = beds.slab("ip_vs_conn")[0] - before, beds.slab("ip_vs_conn")[1]
            line = {"bytes": grown / flows, "object_bytes": size}
        else:
            with beds.director(name)(bed, {**options, "connections": 1024}, "nat", "u") as route:
                fill(bed, options, route, 900, flows)
                small = beds.resident_bytes(route["pid"])
            with beds.director(name)(bed, {**options, "connections": most}, "nat", "u") as route:
                empty = beds.resident_bytes(route["pid"])
                first = fill(bed, options, route, flows)
                held = beds.resident_bytes(route["pid"])
            line = {"bytes": (held - small) / (most - 1024), "connections": most,
                    "process_bytes": {"made for 1,024": small, "empty": empty, "full": held}}
    report.put(memory={"director": name, "flows": flows, "first_packet": first, **line})
    report.put(say=f"memory    {name:16} {line['bytes']:12,.0f} bytes a connection (a flow's first packet: {first:,.0f})")


def is_balancer(name):
    return name == "ipvs" or name.startswith("fairlead")


def directors_of(options, measure):
    """Bulk and memory by the first of Fairlead's ports alone: there another one tells of frame sizes, or nothing new."""
    fairlead = [name for name in options["directors"] if name.startswith("fairlead")]
    left_out = fairlead[1:] if measure in ("bulk", "memory") else []
    return [name for name in options["directors"] if name not in left_out]


def compare(options, report):
    for measure in options["measures"]:
        for method in ["any", *options["methods"]]:
            names = [name for name in directors_of(options, measure) if is_balancer(name) != (method == "any")]
            measure_cost(options, report, names, method, measure)
    if options["memory"]:
        for name in filter(is_balancer, directors_of(options, "memory")):
            if name == "ipvs" and not beds.has_slab("ip_vs_conn"):
                report.put(say="memory    ipvs: not measured: its slab cache is merged with others (slab_nomerge)")
                continue
            measure_memory(options, report, name)
    if options["conformance"]:
        for name in filter(is_balancer, options["directors"]):
            conformance.run_all(options, report, name)


def main():
    options = json.loads(pathlib.Path(sys.argv[1]).read_text())
    report = Report(sys.argv[2])
    try:
        compare(options, report)
    except (beds.Failed, subprocess.TimeoutExpired, OSError) as failure:
        traceback.print_exc()
        report.put(failed=str(failure))
        return 1
    report.put(end=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
