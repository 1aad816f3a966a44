"""Keeps a live daemon's connection table at its limit and looks at it meanwhile. Called by scripts/churn, which makes the
lab; see its --help.

Half-open entries are given up for newer ones, so SYNs alone never fill the table for good; the entries of datagrams are
not, and so these come at a rate that takes a third of it, but for five seconds of each minute, when they take all.
"""

import argparse
import contextlib
import json
import pathlib
import signal
import statistics
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
THROUGH = ROOT / "Benchmarks" / "Through"
sys.path.insert(0, str(THROUGH))
import charts  # noqa: E402
from daemon import READY, Daemon  # noqa: E402
from lab import (CHECK_PORT, ECHO_PORT, HTTP_PORT, SERVERS, UDP_PORT, VIRTUAL, Failed, Lab, machine,  # noqa: E402
                 resident_megabytes)

# What resident memory may grow by after the first minute (or the first quarter of a shorter run).
MOST_GROWTH_MB, SETTLED_SECONDS = 8.0, 60
# Shares of the table: below the one, in the median, it is not at its limit; below the other it has emptied at the end.
LEAST_SHARE, EMPTY_SHARE = 0.9, 0.01
SAMPLE_SECONDS, TRANSFER_SECONDS = 2.0, 5.0
# How long the entry of a datagram lives, and a half-open one.
UDP_SECONDS, HALF_OPEN_SECONDS = 10, 60
# New flows a second, as shares of the table.
SYN_SHARE, UDP_SHARE, SURGE_SHARE = 0.25, 0.03, 0.24
SURGE_EVERY, SURGE_SECONDS = 60, 5
HELD, STEADY_FLOWS, STEADY_RATE = 50, 64, 1_000
# Frames that may end between the reading of one counter and the next.
IN_FLIGHT = 4_096
FLOOD_NETWORK = "198.19.0.0/16"


def rules():
    lines = []
    for protocol, port in [("t", CHECK_PORT), ("t", ECHO_PORT), ("u", UDP_PORT), ("t", HTTP_PORT), ("u", HTTP_PORT)]:
        lines.append(f"-A -{protocol} {VIRTUAL}:{port} -s rr")
        lines += [f"-a -{protocol} {VIRTUAL}:{port} -r {server}:{port} -m" for server in SERVERS]
    return "\n".join(lines) + "\n"


class Transfers(threading.Thread):
    """Checked transfers one after the other, each over a new connection, until told to stop."""

    def __init__(self, lab):
        super().__init__()
        self.lab, self.stopping = lab, threading.Event()
        self.done, self.slowest, self.failures = 0, 0.0, []

    def run(self):
        while not self.stopping.is_set():
            began = time.monotonic()
            try:
                said = self.lab.at("client", sys.executable, THROUGH / "measures.py", "--source", VIRTUAL, timeout=90).strip()
                if said != "same":
                    raise Failed(f"checked transfer: {said}")
                self.done += 1
                self.slowest = max(self.slowest, time.monotonic() - began)
            except Failed as failure:
                self.failures.append(str(failure))
            self.stopping.wait(TRANSFER_SECONDS)

    def stop(self):
        self.stopping.set()
        self.join()


def sample(daemon, process, began):
    """What table and process hold at this moment, and counts so far."""
    said = daemon.ask("/status", {})
    ended = sum(said["ends"].values()) + said["waiting"]
    return {"seconds": time.monotonic() - began, "entries": said["connections"], "capacity": said["capacity"],
            "received": said["received"], "without_end": said["received"] - ended, "evicted": said["evicted"],
            "table_full": said["drops"]["table_full"], "megabytes": resident_megabytes(process.pid),
            "lost_before": sum(port["receiveDrops"] for port in said["ports"])}


def flood(lab, options, kind, share, seconds):
    return [options.pktgen, "flood", "--kind", kind, "--to", VIRTUAL, "--port", HTTP_PORT, "--rate",
            int(share * options.connections), "--seconds", seconds]


def look(lab, daemon, process, transfers, options):
    """Samples until the time is up, with a surge of datagrams once a minute."""
    began = time.monotonic()
    samples, problems, surge = [], [], None
    length, next_surge = options.minutes * 60, SURGE_EVERY / 2
    try:
        while (now := time.monotonic() - began) < length:
            if now >= next_surge:
                surge = surge and lab.stop(surge)
                surge = lab.start("client", *flood(lab, options, "udp", SURGE_SHARE, SURGE_SECONDS))
                next_surge += SURGE_EVERY
            if process.poll() is not None:
                raise Failed(f"the daemon ended with status {process.returncode} after {now:.0f} s")
            one = sample(daemon, process, began)
            samples.append(one)
            if one["entries"] > one["capacity"]:
                problems.append(f"{one['entries']} entries in a table of {one['capacity']} after {now:.0f} s")
            if abs(one["without_end"]) > IN_FLIGHT:
                problems.append(f"{one['without_end']} frames without an end after {now:.0f} s")
            if len(samples) % 10 == 1:
                show(samples, transfers, length)
            time.sleep(max(0, began + len(samples) * SAMPLE_SECONDS - time.monotonic()))
    finally:
        if surge:
            lab.stop(surge)
    return samples, problems


def show(samples, transfers, length):
    """The last samples, and how long it still goes on."""
    last, before = samples[-1], samples[max(0, len(samples) - 11)]
    seconds = (last["seconds"] - before["seconds"]) or 1
    per = {key: (last[key] - before[key]) / seconds for key in ("received", "evicted", "table_full")}
    print(f"{last['seconds']:4.0f} s  {last['entries']:,} of {last['capacity']:,} entries, {last['megabytes']:.1f} MB, "
          f"a second: {per['received']:,.0f} frames, {per['evicted']:,.0f} given up, {per['table_full']:,.0f} refused; "
          f"{transfers.done} transfers  ({max(0, length - last['seconds']):.0f} s left)", flush=True)


def settle(daemon, process, began):
    """After the flood: the last sample once nothing comes any more, and the seconds until the table was empty."""
    stopped = time.monotonic()
    last = sample(daemon, process, began)
    while True:
        time.sleep(1)
        one, before = sample(daemon, process, began), last
        last = one
        late = time.monotonic() - stopped
        empty = one["entries"] <= one["capacity"] * EMPTY_SHARE
        if empty and one["received"] == before["received"] or late > HALF_OPEN_SECONDS + 30:
            return one, late


def churn(lab, options):
    """All that was found."""
    files = options.scratch / "rules", options.scratch / "control.sock"
    files[0].write_text(rules())
    for address in SERVERS[1:]:
        lab.at("server1", "ip", "address", "add", f"{address}/24", "dev", "eth0")
    # Nobody answers what floods: half-open entries stay half-open.
    lab.at("server1", "ip", "route", "add", "blackhole", FLOOD_NETWORK)
    measures, held, port = THROUGH / "measures.py", THROUGH / "held.py", UDP_PORT
    seconds = options.minutes * 60 + 60
    with contextlib.ExitStack() as stack:
        stack.enter_context(lab.running("server1", sys.executable, measures, "--sink", ready="sink: ready"))
        stack.enter_context(lab.running("server1", sys.executable, held, "--echo", ready="echo: ready"))
        process = stack.enter_context(lab.running(
            "director", options.binary, "run", "--interface", "client0", "--interface", "servers0", "--rules", files[0],
            "--control", files[1], "--connections", options.connections, ready=READY))
        daemon = Daemon(options.binary, str(files[1]))
        daemon.request(["--set", "0", "0", str(UDP_SECONDS)])
        holder = lab.start("client", sys.executable, held, "--hold", VIRTUAL, HELD, ready="hold: ready")
        stack.callback(lab.stop, holder)
        sink = lab.start("server1", options.pktgen, "sink", "--port", port, ready="pktgen: ready")
        stack.callback(lab.stop, sink)
        steady = lab.start("client", options.pktgen, "send", "--to", VIRTUAL, "--port", port, "--flows", STEADY_FLOWS,
                           "--rate", STEADY_RATE, "--seconds", seconds)
        stack.callback(lab.stop, steady)
        floods = [lab.start("client", *flood(lab, options, kind, share, seconds))
                  for kind, share in (("syn", SYN_SHARE), ("udp", UDP_SHARE))]
        for each in floods:
            stack.callback(lab.stop, each)
        transfers = Transfers(lab)
        transfers.start()
        stack.callback(transfers.stop)
        began = time.monotonic()
        samples, problems = look(lab, daemon, process, transfers, options)
        transfers.stop()
        if early := [each.args for each in (*floods, steady) if each.poll() is not None]:
            problems.append(f"a flood ended by itself: {early}")
        for each in floods:
            lab.stop(each)
        kept = json.loads(lab.stop(holder).strip().splitlines()[-1])
        lab.stop(steady)
        arrived = json.loads(lab.stop(sink).strip().splitlines()[-1])
        print(f"the flood is over; waiting until its entries have ended, some {HALF_OPEN_SECONDS} s", flush=True)
        last, emptied = settle(daemon, process, began)
    errors = {place: lab.checksum_errors(place) for place in ("client", "server1")}
    return {"samples": samples, "problems": problems, "last": last, "emptied_s": emptied, "held": kept,
            "datagrams": arrived, "checksum_errors": errors,
            "transfers": {"done": transfers.done, "slowest_s": transfers.slowest, "failures": transfers.failures}}


# ---- the verdict --------------------------------------------------------------------------------------------------


def judge(found, options):
    """Lines to print, and what is wrong."""
    samples, last, wrong = found["samples"], found["last"], list(found["problems"])
    settled = min(SETTLED_SECONDS, options.minutes * 15)
    after = [one for one in samples if one["seconds"] >= settled]
    growth = max(one["megabytes"] for one in after) - after[0]["megabytes"]
    share = statistics.median(one["entries"] / one["capacity"] for one in after)
    end, seconds = samples[-1], samples[-1]["seconds"] - samples[0]["seconds"]
    lost = end["lost_before"] - samples[0]["lost_before"]
    found["summary"] = summary = {
        "minutes": options.minutes, "capacity": end["capacity"], "entries_median": share * end["capacity"],
        "entries_most": max(one["entries"] for one in samples), "megabytes": after[0]["megabytes"], "growth_mb": growth,
        "evicted": end["evicted"], "table_full": end["table_full"], "received": end["received"],
        "per_s": (end["received"] - samples[0]["received"]) / seconds, "lost_before": lost,
    }
    if growth > MOST_GROWTH_MB:
        wrong.append(f"resident memory grew by {growth:.1f} MB after {settled:.0f} s, more than {MOST_GROWTH_MB:.0f}")
    if share < LEAST_SHARE:
        wrong.append(f"the table was not at its limit: {share:.0%} in the median")
    if last["without_end"]:
        wrong.append(f"{last['without_end']} of {last['received']} frames have no end")
    if last["entries"] > last["capacity"] * EMPTY_SHARE:
        wrong.append(f"{last['entries']} entries are left {found['emptied_s']:.0f} s after the flood")
    wrong += [f"held: {reason}" for reason in found["held"]["broken"]]
    if found["held"]["exchanges"] < HELD:
        wrong.append(f"the {HELD} connections that stay exchanged only {found['held']['exchanges']} messages")
    wrong += found["transfers"]["failures"]
    if not found["transfers"]["done"]:
        wrong.append("no checked transfer came to its end")
    if found["datagrams"]["wrong"] or not found["datagrams"]["received"]:
        wrong.append(f"datagrams of steady flows: {found['datagrams']}")
    wrong += [f"{count} checksum errors at {place}" for place, count in found["checksum_errors"].items() if count]
    lines = [
        f"entries: {summary['entries_median']:,.0f} of {summary['capacity']:,} in the median, {summary['entries_most']:,} at most",
        f"given up for newer ones {end['evicted']:,}, refused for a full table {end['table_full']:,}",
        f"frames: {end['received']:,}, {summary['per_s']:,.0f} a second; {lost:,} lost in sockets before; "
        f"{last['without_end']} without an end",
        f"resident memory: {summary['megabytes']:.1f} MB after {settled:.0f} s, {growth:+.2f} MB at most after that "
        f"(bound {MOST_GROWTH_MB:.0f})",
        f"connections that kept sending: {found['held']['connections']}, {found['held']['exchanges']:,} exchanges, "
        f"{len(found['held']['broken'])} broken, the slowest took {found['held']['slowest_s']:.2f} s",
        f"checked transfers: {found['transfers']['done']}, {len(found['transfers']['failures'])} failed, the slowest took "
        f"{found['transfers']['slowest_s']:.1f} s",
        f"datagrams of steady flows: {found['datagrams']['received']:,} arrived, {found['datagrams']['wrong']} wrong",
        f"entries {found['emptied_s']:.0f} s after the flood: {last['entries']:,}",
    ]
    return lines, wrong


def draw(found, about, options):
    options.charts.mkdir(parents=True, exist_ok=True)
    samples = found["samples"]

    def over_time(key):
        return [(one["seconds"] / 60, one[key]) for one in samples]

    def rate(key):
        return [(one["seconds"] / 60, (one[key] - before[key]) / (one["seconds"] - before["seconds"]))
                for before, one in zip(samples, samples[1:])]

    minutes = options.minutes
    marks = ("minutes", [(minutes * at / 10, f"{minutes * at / 10:g}") for at in range(11)])
    panels = [
        (f"connection entries, of {samples[-1]['capacity']:,}", {"entries": over_time("entries")}),
        ("a second", {"frames received": rate("received"), "given up for newer ones": rate("evicted"),
                      "refused, table full": rate("table_full")}),
        ("resident memory of the daemon, MB", {"memory": over_time("megabytes")}),
    ]
    notes = [f"{about['processor']}, {about['cores']} cores, Linux {about['kernel']}, load {about['load']:.1f} before",
             options.command]
    (options.charts / "churn.svg").write_text(charts.curves("Churn at the table's limit", marks, panels, notes))
    print(f"chart: {options.charts}/churn.svg")


def run(options):
    about = machine()
    found = churn(Lab(options.lab, "nat", options.scratch), options)
    lines, wrong = judge(found, options)
    print(f"\n{options.minutes:g} minutes at the limit; {about['processor']}, {about['cores']} cores, Linux {about['kernel']}, "
          f"load {about['load']:.1f} before")
    print("\n".join(f"  {line}" for line in lines))
    if options.json:
        document = {"machine": about, "settings": {"command": options.command}, "wrong": wrong, **found}
        options.json.write_text(json.dumps(document, indent=1) + "\n")
    if options.charts:
        draw(found, about, options)
    for reason in wrong:
        print(f"churn: {reason}", file=sys.stderr)
    print("churn: " + (f"{len(wrong)} checks FAILED" if wrong else "all checks held"))
    return 1 if wrong else 0


def parse():
    parser = argparse.ArgumentParser(prog="churn", usage="see scripts/churn --help")
    parser.add_argument("--lab", required=True)
    parser.add_argument("--scratch", type=pathlib.Path, required=True)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--pktgen", required=True)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--connections", type=int, default=1 << 16)
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--charts", type=pathlib.Path)
    parser.add_argument("--check", action="store_true", help="look at the arguments only")
    options = parser.parse_args()
    if not 0.5 <= options.minutes <= 24 * 60:
        parser.error(f"--minutes {options.minutes:g}: 0.5 to 1440")
    if not 4096 <= options.connections <= 1_000_000:
        parser.error(f"--connections {options.connections}: 4096 to 1000000")
    if options.json and not options.json.parent.is_dir():
        parser.error(f"--json {options.json}: there is no folder {options.json.parent}")
    options.command = f"scripts/churn --minutes {options.minutes:g} --connections {options.connections}"
    return options


def main():
    # An interrupted run leaves through the `finally`s, so that nothing stays behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options = parse()
    if options.check:
        return 0
    try:
        return run(options)
    except Failed as failure:
        print(f"churn: {failure}", file=sys.stderr)
        return 1
    except subprocess.TimeoutExpired as late:
        print(f"churn: {' '.join(map(str, late.cmd))} did not end within {late.timeout:.0f} s", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
