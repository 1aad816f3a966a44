"""Measures ways through a director, in turn. Called by scripts/bench, which makes the labs; see its --help.

One server namespace holds three real servers' addresses, so that iperf3, whose control and data connections belong
together, works behind a round robin. A way is open only during its own turn. What each is, and how each measure is taken,
stands in Benchmarks/Through.
"""

import argparse
import contextlib
import json
import pathlib
import signal
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
THROUGH = ROOT / "Benchmarks" / "Through"
sys.path.insert(0, str(THROUGH))

import charts  # noqa: E402
import offloads  # noqa: E402
from lab import ECHO_PORT, SERVERS, Failed, Lab, machine  # noqa: E402
from measures import MEASURES, TITLES, check  # noqa: E402
from peers import peer  # noqa: E402

TABLES = {"default": ["default"], "off": ["off"], "both": ["default", "off"]}
PEERS = ["plain", "nftables", "haproxy", "nginx", "fairlead-nat", "fairlead-dr", "fairlead-ipip", "fairlead-fullnat"]
BASES = ["nftables", "plain"]


# ---- rounds -------------------------------------------------------------------------------------------------------


def measure_peer(labs, name, options):
    """{measure: figures, or {"failed": reason}} of one turn. What fails as a whole fails each measure."""
    method, open_way = peer(name)
    lab = labs[method]
    results = {}
    try:
        with open_way(lab, options.binary) as way:
            check(lab, way, name)
            for each in options.measures:
                if MEASURES[each][4] and not way.udp:
                    continue
                try:
                    results[each] = MEASURES[each][0](lab, way, options)
                except Failed as failure:
                    results[each] = {"failed": str(failure)}
        if errors := {place: count for place in ("client", "server1") if (count := lab.checksum_errors(place))}:
            raise Failed(f"segments or datagrams with a wrong checksum: {errors}")
    except Failed as failure:
        return {each: {"failed": str(failure)} for each in options.measures}
    return {each: figures for each, figures in results.items() if figures}


def said_of(results):
    parts = []
    for each, figures in results.items():
        key, unit = MEASURES[each][1:3]
        parts.append(f"{each} " + ("FAILED" if "failed" in figures else charts.shown(figures[key], unit)))
    return "  ".join(parts)


def turned(names, number):
    """Every round starts with another one."""
    turn = number % len(names)
    return names[turn:] + names[:turn]


def measure(labs, options):
    """{state of offloads: {peer: [results of round 1, 2, ...]}}. A round is every peer in each state."""
    results = {state: {name: [] for name in options.peers} for state in options.states}
    total, done, began = options.rounds * len(options.states) * len(options.peers), 0, time.monotonic()
    for number in range(options.rounds):
        for state in turned(options.states, number):
            with offloads.at_ends(labs.values(), state):
                for name in turned(options.peers, number):
                    found = measure_peer(labs, name, options)
                    results[state][name].append(found)
                    done += 1
                    left = (time.monotonic() - began) / done * (total - done)
                    where = "" if options.states == ["default"] else f"{state:9}"
                    print(f"round {number + 1}/{options.rounds}  {where}{name:24} {said_of(found)}  ({left:.0f} s left)",
                          flush=True)
                    for reason in sorted({figures["failed"] for figures in found.values() if "failed" in figures}):
                        print(f"    failed: {reason}", flush=True)
    return results


# ---- the summary --------------------------------------------------------------------------------------------------


def good(rounds, each):
    return [one[each] for one in rounds if each in one and "failed" not in one[each]]


def summarise(results, options):
    """{measure: {peer: {figure: median, least, greatest, of_nftables, of_plain, failed}}}; a ratio is the median of the
    rounds' own ratios: the machine's drift between rounds cancels out."""
    summary = {}
    for each in options.measures:
        key = MEASURES[each][1]
        for name, rounds in results.items():
            found = good(rounds, each)
            failed = sum(1 for one in rounds if "failed" in one.get(each, {}))
            if not found and not failed:
                continue
            row = {"failed": failed}
            if found:
                values = [figures[key] for figures in found]
                row |= {"median": statistics.median(values), "least": min(values), "greatest": max(values)}
                row["figures"] = {figure: statistics.median(one[figure] for one in found) for figure in found[0]}
            for base in BASES:
                pairs = [(mine[each], theirs[each]) for mine, theirs in zip(rounds, results.get(base, []))
                         if {each} <= mine.keys() & theirs.keys() and "failed" not in mine[each] | theirs[each]]
                ratios = [mine[key] / theirs[key] for mine, theirs in pairs if theirs[key]]
                if ratios:
                    row[f"of_{base}"] = statistics.median(ratios)
            summary.setdefault(each, {})[name] = row
    return summary


def print_summary(summary, state):
    print(f"\n== {offloads.STATES[state]}")
    for each, rows in summary.items():
        key, unit, less = MEASURES[each][1:4]
        print(f"\n{TITLES[each]} ({'less' if less else 'more'} is better)")
        print(f"  {'':25}{'median':>14}{'least':>14}{'greatest':>14}{'of nft':>8}{'of plain':>9}  further medians")
        for name, row in rows.items():
            if "median" not in row:
                print(f"  {name:25}{'FAILED':>14}")
                continue
            numbers = "".join(f"{charts.shown(row[one], unit):>14}" for one in ("median", "least", "greatest"))
            ratios = "".join(f"{row[of]:{width}.2f}" if of in row else " " * (width - 1) + "-"
                             for of, width in (("of_nftables", 8), ("of_plain", 9)))
            rest = "  ".join(f"{figure} {value:.3g}" for figure, value in row["figures"].items() if figure != key)
            failed = f"  {row['failed']} ROUNDS FAILED" if row["failed"] else ""
            print(f"  {name:25}{numbers}{ratios}  {rest}{failed}")


def draw(summary, state, options, about):
    """Charts of a table; those with offloads off say so in name and title."""
    options.charts.mkdir(parents=True, exist_ok=True)
    suffix, words = ("-offloads-off", ", offloads off at the ends") if state == "off" else ("", "")
    notes = [f"{about['processor']}, {about['cores']} cores, Linux {about['kernel']}, load {about['load']:.1f} before; "
             f"{options.rounds} rounds of {options.seconds} s", options.command]
    for each, rows in summary.items():
        drawn = [(name, row["median"], row["least"], row["greatest"]) for name, row in rows.items() if "median" in row]
        if drawn:
            _, unit, less = MEASURES[each][1:4]
            chart = charts.bars(TITLES[each] + words, unit, less, drawn, notes)
            (options.charts / f"bench-{each}{suffix}.svg").write_text(chart)
    print(f"charts, {offloads.STATES[state]}: {options.charts}/bench-*{suffix}.svg")


def check_floor(summary, state, options):
    reached = summary["bulk1"].get(options.floor_peer, {}).get("of_nftables")
    if reached is None:
        print(f"bulk, {offloads.STATES[state]}: there is no ratio to nftables")
        return 1
    verdict = "at least" if reached >= options.floor else "BELOW"
    print(f"bulk, {offloads.STATES[state]}: {reached:.2f} of nftables, {verdict} the floor of {options.floor}")
    return 0 if reached >= options.floor else 1


# ---- the whole ----------------------------------------------------------------------------------------------------

NGINX_CONFIGURATION = """
daemon off;
master_process off;
user root root;
pid {scratch}/nginx-{method}.pid;
error_log stderr;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    keepalive_requests 100000000;
    client_body_temp_path {scratch}/body;
    proxy_temp_path {scratch}/proxy;
    fastcgi_temp_path {scratch}/fastcgi;
    uwsgi_temp_path {scratch}/uwsgi;
    scgi_temp_path {scratch}/scgi;
    server {{ listen 80 backlog=4096; return 200 "ok\\n"; }}
}}
"""


def prepare(stack, lab, options):
    """The real servers of a lab, all in one namespace."""
    for address in SERVERS[1:]:
        lab.at("server1", "ip", "address", "add", f"{address}/24", "dev", "eth0")
    configuration = options.scratch / f"nginx-{lab.method}.conf"
    configuration.write_text(NGINX_CONFIGURATION.format(scratch=options.scratch, method=lab.method))
    stack.enter_context(lab.running("server1", "nginx", "-e", "stderr", "-c", configuration))
    stack.enter_context(lab.running("server1", options.pktgen, "echo", "--port", ECHO_PORT, ready="pktgen: ready"))
    sink = [sys.executable, THROUGH / "measures.py", "--sink"]
    stack.enter_context(lab.running("server1", *sink, ready="sink: ready"))


def run(options):
    about = machine()
    methods = dict.fromkeys(peer(name)[0] for name in options.peers)
    labs = {method: Lab(f"{options.lab}-{method}", method, options.scratch) for method in methods}
    with contextlib.ExitStack() as stack:
        for lab in labs.values():
            prepare(stack, lab, options)
        results = measure(labs, options)
    tables = {state: summarise(found, options) for state, found in results.items()}
    for state, summary in tables.items():
        print_summary(summary, state)
    print(f"\nmedians of {options.rounds} rounds of {options.seconds} s; a ratio is the median of the rounds' ratios")
    if about["load"] > 0.5:
        print(f"the machine was not quiet: load {about['load']:.1f} before the first round")
    if options.json:
        settings = {"rounds": options.rounds, "seconds": options.seconds, "command": options.command}
        document = {"machine": about, "settings": settings, "tables": {
            state: {"offloads": offloads.STATES[state], "summary": summary, "rounds": results[state]}
            for state, summary in tables.items()}}
        options.json.write_text(json.dumps(document, indent=1) + "\n")
    if options.charts:
        for state, summary in tables.items():
            draw(summary, state, options, about)
    failed = sum(row["failed"] for summary in tables.values() for rows in summary.values() for row in rows.values())
    if failed:
        print(f"bench: {failed} measurements failed", file=sys.stderr)
    else:
        print("every checked transfer arrived as it was sent, in shares as scheduled; no wrong checksum at either end")
    floors = tables.items() if options.floor is not None else []
    below = [check_floor(summary, state, options) for state, summary in floors]
    return 1 if failed or any(below) else 0


def parse():
    parser = argparse.ArgumentParser(description="called by scripts/bench")
    parser.add_argument("--lab", required=True)
    parser.add_argument("--scratch", type=pathlib.Path, required=True)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--pktgen", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--charts", type=pathlib.Path)
    parser.add_argument("--floor", type=float)
    parser.add_argument("--offloads", choices=TABLES, default="default")
    parser.add_argument("--methods-of-peers", action="store_true", help="print the labs that are needed, and end")
    parser.add_argument("--peer", dest="peers", type=lambda text: text.split(","), default=PEERS)
    parser.add_argument("--measure", dest="measures", type=lambda text: text.split(","))
    options = parser.parse_args()
    options.states = TABLES[options.offloads]
    options.peers = list(dict.fromkeys("fairlead-nat" if name == "fairlead" else name for name in options.peers))
    options.measures = options.measures or [each for each in MEASURES if not options.quick or each != "udp-rates"]
    if options.quick:
        options.rounds, options.seconds = 1, 1
    try:
        methods = dict.fromkeys(peer(name)[0] for name in options.peers)
    except ValueError as error:
        parser.error(str(error))
    if unknown := set(options.measures) - set(MEASURES):
        parser.error(f"no such measure: {', '.join(unknown)}; there are {', '.join(MEASURES)}")
    if options.rounds < 1 or options.seconds < 1:
        parser.error("at least one round of one second")
    options.floor_peer = next((name for name in options.peers if name.startswith("fairlead-nat")), None)
    needed = options.floor_peer and "nftables" in options.peers and "bulk1" in options.measures
    if options.floor is not None and not needed:
        parser.error("--floor needs the peers fairlead-nat and nftables, and the measure bulk1")
    if options.methods_of_peers:
        print(*methods)
        sys.exit()
    options.command = "scripts/bench --peer {} --measure {} --rounds {} --seconds {}".format(
        ",".join(options.peers), ",".join(options.measures), options.rounds, options.seconds)
    if options.offloads != "default":
        options.command += f" --offloads {options.offloads}"
    return options


def main():
    # An interrupted run leaves through the `finally`s, so that nothing stays behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options = parse()
    try:
        return run(options)
    except Failed as failure:
        print(f"bench: {failure}", file=sys.stderr)
        return 1
    except subprocess.TimeoutExpired as late:
        print(f"bench: {' '.join(map(str, late.cmd[5:]))} did not end within {late.timeout:.0f} s", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
