"""Measures how rate and memory grow with services, destinations and connections. Called by scripts/growth; see its --help.

Every point is a PacketCost that has made its director and waits; a round asks one after the other. So the rounds of all
points lie side by side in time, and the large tables are made once.
"""

import argparse
import contextlib
import dataclasses
import json
import os
import pathlib
import re
import select
import shutil
import signal
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "Benchmarks" / "Through"))
import charts  # noqa: E402
from lab import Failed, machine  # noqa: E402

AXES = {
    "services": [1, 100, 5_000],
    "destinations": [3, 100, 1_000],
    "connections": [1_000, 10_000, 100_000, 1_000_000, 10_000_000],
}
BASE = {"services": 1, "destinations": 3, "connections": 10_000}
PATHS = {"nat-request": "established, packets/s", "open": "opened, connections/s"}
LEAST_RATIO = 0.95
START_SECONDS, ROUND_SECONDS, COUNT_SECONDS = 600, 120, 900


@dataclasses.dataclass(frozen=True)
class Point:
    services: int
    destinations: int
    connections: int

    @staticmethod
    def on(axis, value):
        return Point(**(BASE | {axis: value}))

    def arguments(self):
        return ["--services", self.services, "--destinations", self.destinations, "--flows", self.connections]


class Director:
    """A PacketCost that serves rounds."""

    def __init__(self, program, path, point, packets):
        self.label = f"{path}, {point.services} services, {point.destinations} destinations, {point.connections} connections"
        words = [program, path, *point.arguments(), "--packets", packets, "--serve", 1]
        self.process = subprocess.Popen(list(map(str, words)), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.rest = b""

    def answer(self, seconds):
        """The next line, as JSON."""
        deadline = time.monotonic() + seconds
        while b"\n" not in self.rest:
            readable, _, _ = select.select([self.process.stdout], [], [], max(0, deadline - time.monotonic()))
            part = os.read(self.process.stdout.fileno(), 65536) if readable else b""
            if not part:
                raise Failed(f"{self.label}: " + ("ended" if readable else f"no answer within {seconds} s"))
            self.rest += part
        line, _, self.rest = self.rest.partition(b"\n")
        return json.loads(line)

    def round(self):
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()
        return self.answer(ROUND_SECONDS)

    def finish(self):
        """Its own checks at the end: every frame ended as it should."""
        self.process.stdin.close()
        try:
            status = self.process.wait(ROUND_SECONDS)
        except subprocess.TimeoutExpired:
            raise Failed(f"{self.label}: does not end") from None
        if status != 0:
            raise Failed(f"{self.label}: status {status}")

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


def points(options):
    """{(path, point)} to measure: connections are only opened where their number is not what is varied."""
    found = {}
    for axis, values in AXES.items():
        for value in values:
            if axis == "connections" and options.quick and value > 1_000_000:
                continue
            for path in PATHS if axis != "connections" else ["nat-request"]:
                found[path, Point.on(axis, value)] = None
    return list(found)


def check_spread(path, point, said):
    """Failed where the traffic did not go over all of them: the figure would be another point's."""
    if said["services"] != point.services:
        raise Failed(f"{path}: only {said['services']} of {point.services} services had connections")
    if path == "nat-request" and said["alive"] != point.connections:
        raise Failed(f"{path}: {said['alive']} connections instead of {point.connections}")
    if point.services == 1 and said["destinations"] != point.destinations:
        raise Failed(f"{path}: only {said['destinations']} of {point.destinations} destinations had connections")


def measure(options):
    """{(path, point): {"memory", "rounds"}}; every round starts with another point."""
    wanted, results = points(options), {}
    with contextlib.ExitStack() as stack:
        directors = {}
        for number, (path, point) in enumerate(wanted):
            director = Director(options.program, path, point, options.packets)
            stack.callback(director.end)
            directors[path, point] = director
            began = time.monotonic()
            results[path, point] = {"memory": director.answer(START_SECONDS), "rounds": []}
            print(f"made {number + 1}/{len(wanted)}: {director.label}  ({time.monotonic() - began:.1f} s)", flush=True)
        began = time.monotonic()
        for number in range(options.rounds):
            turn = number % len(wanted)
            for key in wanted[turn:] + wanted[:turn]:
                said = directors[key].round()
                check_spread(*key, said)
                results[key]["rounds"].append(said)
            left = (time.monotonic() - began) / (number + 1) * (options.rounds - number - 1)
            print(f"round {number + 1}/{options.rounds}  {said_of(results)}  ({left:.0f} s left)", flush=True)
        for director in directors.values():
            director.finish()
    return results


def said_of(results):
    """The last round of the base and of most services, in nanoseconds a packet."""
    named = {"1 service": BASE["services"], "5,000 services": AXES["services"][-1]}
    return "  ".join(f"{name} {results['nat-request', Point.on('services', value)]['rounds'][-1]['path_ns']:.0f} ns"
                     for name, value in named.items())


def count_instructions(options):
    """{point: {path: instructions a packet}} of the services and destinations, by scripts/instructions."""
    wanted = dict.fromkeys(Point.on(axis, value) for axis in ("services", "destinations") for value in AXES[axis])
    found = {}
    for number, point in enumerate(wanted):
        words = [ROOT / "scripts" / "instructions", "--no-build", "--paths", ",".join(PATHS), *point.arguments()]
        try:
            done = subprocess.run(list(map(str, words)), capture_output=True, text=True, timeout=COUNT_SECONDS,
                                  env=os.environ | {"PACKET_COST": options.program})
        except subprocess.TimeoutExpired:
            raise Failed(f"scripts/instructions did not end within {COUNT_SECONDS} s") from None
        rows = dict(re.findall(r"^(\S+) +([\d.]+)   instructions", done.stdout, re.M))
        if done.returncode != 0 or set(rows) != set(PATHS):
            raise Failed(f"scripts/instructions: {(done.stderr or done.stdout).strip()[-300:]}")
        found[point] = {path: float(count) for path, count in rows.items()}
        said = ", ".join(f"{path} {count:.0f}" for path, count in found[point].items())
        print(f"instructions {number + 1}/{len(wanted)}: {point.services} services, {point.destinations} destinations: {said}",
              flush=True)
    return found


# ---- the summary --------------------------------------------------------------------------------------------------


def rates(rounds):
    return [1e9 / one["path_ns"] for one in rounds]


def summarise(results, instructions, options):
    """{axis: [row]}; a ratio is to the first value of the axis, the median of the rounds' own."""
    summary = {}
    for axis, values in AXES.items():
        for value in values:
            point, row = Point.on(axis, value), {axis: value}
            if ("nat-request", point) not in results:
                continue
            for path in PATHS:
                if (path, point) not in results or (path, Point.on(axis, values[0])) not in results:
                    continue
                rounds = results[path, point]["rounds"]
                first = results[path, Point.on(axis, values[0])]["rounds"]
                found = rates(rounds)
                row[path] = {
                    "per_s": statistics.median(found), "least": min(found), "greatest": max(found),
                    "ratio": statistics.median(theirs["path_ns"] / mine["path_ns"] for mine, theirs in zip(rounds, first)),
                    "copy_ns": statistics.median(one["copy_ns"] for one in rounds),
                }
                if point in instructions:
                    row[path]["instructions"] = instructions[point][path]
            memory = results["nat-request", point]["memory"]
            row["bytes"] = memory["director_bytes"] + memory["connection_bytes"]
            row["bytes_while_opening"] = memory["connection_bytes"]
            row["bytes_a_connection"] = row["bytes"] / point.connections
            summary.setdefault(axis, []).append(row)
    return summary


def print_summary(summary):
    for axis, rows in summary.items():
        others = ", ".join(f"{count:,} {name}" for name, count in BASE.items() if name != axis)
        print(f"\n{axis} ({others})")
        print(f"  {'':>12}{'packets/s':>12}{'ratio':>7}{'instr.':>8}{'opened/s':>12}{'ratio':>7}{'instr.':>8}"
              f"{'memory MB':>11}{'bytes a connection':>20}")
        for row in rows:
            words = f"  {row[axis]:>12,}"
            for path in PATHS:
                one = row.get(path)
                count = f"{one['instructions']:8,.0f}" if one and "instructions" in one else f"{'-':>8}"
                words += f"{one['per_s']:12,.0f}{one['ratio']:7.2f}{count}" if one else f"{'-':>12}{'-':>7}{'-':>8}"
            print(words + f"{row['bytes'] / 1e6:11.1f}{row['bytes_a_connection']:20,.1f}")


def verdict(summary):
    """Print whether the last of the services has the rate it should; whether that holds."""
    last = summary["services"][-1]
    ratio = last["nat-request"]["ratio"]
    held = ratio >= LEAST_RATIO
    print(f"\none service -> {last['services']:,} services: {ratio:.2f} of its own rate, wanted at least {LEAST_RATIO}: "
          f"{'held' if held else 'MISSED'}; opening connections {last['open']['ratio']:.2f}")
    first = summary["services"][0]["nat-request"]
    if "instructions" in first:
        more = last["nat-request"]["instructions"] / first["instructions"]
        print(f"instructions a packet, which do not depend on the machine: {more:.3f} times those of one service")
    return held


def draw(summary, about, options):
    options.charts.mkdir(parents=True, exist_ok=True)
    notes = [f"{about['processor']}, {about['cores']} cores, Linux {about['kernel']}, load {about['load']:.1f} before; "
             f"medians of {options.rounds} rounds, lines from the least to the greatest", options.command]
    for axis, rows in summary.items():
        drawn = {}
        for path, name in PATHS.items():
            found = [(row[axis], *(row[path][key] for key in ("per_s", "least", "greatest"))) for row in rows if path in row]
            if found:
                drawn[name] = found
        heading = "a second, by processor time" if len(drawn) > 1 else "packets a second, by processor time"
        panels = [(heading, drawn), ("resident memory of the director, MB",
                                     {"memory": [(row[axis], row["bytes"] / 1e6) for row in rows]})]
        others = ", ".join(f"{count:,} {name}" for name, count in BASE.items() if name != axis)
        marks = (f"{axis} ({others})", [(row[axis], f"{row[axis]:,}") for row in rows])
        (options.charts / f"growth-{axis}.svg").write_text(
            charts.curves(f"Rate and memory by number of {axis}", marks, panels, notes, logarithmic=True))
    print(f"charts: {options.charts}/growth-*.svg")


# ---- the whole ----------------------------------------------------------------------------------------------------


def run(options):
    about = machine()
    results = measure(options)
    instructions = {}
    if options.quick:
        print("instructions are not counted in a quick run")
    elif not shutil.which("valgrind"):
        print("instructions are not counted: valgrind is missing (apt-get install valgrind)")
    else:
        instructions = count_instructions(options)
    summary = summarise(results, instructions, options)
    print_summary(summary)
    held = verdict(summary)
    print(f"medians of {options.rounds} rounds of {options.packets:,} packets; {about['processor']}, {about['cores']} cores, "
          f"Linux {about['kernel']}")
    if about["load"] > 0.5:
        print(f"the machine was not quiet: load {about['load']:.1f} before the first round")
    if options.json:
        rounds = [{"path": path, **dataclasses.asdict(point), **found} for (path, point), found in results.items()]
        settings = {"rounds": options.rounds, "packets": options.packets, "command": options.command}
        document = {"machine": about, "settings": settings, "summary": summary, "points": rounds}
        options.json.write_text(json.dumps(document, indent=1) + "\n")
    if options.charts:
        draw(summary, about, options)
    return 0 if held or options.quick else 1


def parse():
    parser = argparse.ArgumentParser(prog="growth", usage="see scripts/growth --help")
    parser.add_argument("--program", required=True)
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--charts", type=pathlib.Path)
    parser.add_argument("--check", action="store_true", help="look at the arguments only")
    options = parser.parse_args()
    options.rounds = options.rounds if options.rounds is not None else 5 if options.quick else 21
    options.packets = 64_000 if options.quick else 384_000
    if options.rounds < 1:
        parser.error(f"--rounds {options.rounds}: at least one")
    if options.json and not options.json.parent.is_dir():
        parser.error(f"--json {options.json}: there is no folder {options.json.parent}")
    options.command = f"scripts/growth --rounds {options.rounds}" + (" --quick" if options.quick else "")
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
        print(f"growth: {failure}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
