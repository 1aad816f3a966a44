"""Packs a guest, boots it, reads what it measured, and judges. Called by scripts/compare-ipvs; see its --help."""

import argparse
import difflib
import json
import os
import pathlib
import platform
import re
import shutil
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PARTS = ROOT / "Benchmarks" / "CompareIPVS"
sys.path.insert(0, str(PARTS))

from initramfs import Failed, needed, pack  # noqa: E402

LIMIT_SECONDS = 2400
MEASURES = {"udp": "packet", "tcp": "connection", "bulk": "MB"}
GUEST_MEGABYTES = "1536"
# The bounds held to: at most so many times what kernel IPVS takes, through a packet socket and through the best port.
BOUNDS = {("udp", "nat"): (2.3, 1.8), ("udp", "dr"): (2.3, 1.8), ("tcp", "nat"): (2.5, 1.9), ("tcp", "dr"): (2.5, 1.9)}
MEMORY_BOUND = 0.4
# By (on this machine, quick): time is less repeatable than instructions.
REPEATS = {(False, True): 1, (False, False): 3, (True, True): 3, (True, False): 7}
# Units measured, units before these, and how.
SIZES = {
    "udp": {"count": 20000, "warm": 3000, "flows": 1000, "burst": 64},
    "tcp": {"count": 1200, "warm": 200, "burst": 16},
    "bulk": {"count": 48, "warm": 8},
    "memory": {"connections": 131072},
}
QUICK_SIZES = {
    "udp": {"count": 12000, "warm": 3000, "flows": 1000, "burst": 64},
    "tcp": {"count": 500, "warm": 100, "burst": 16},
    "bulk": {"count": 16, "warm": 4},
    "memory": {"connections": 65536},
}


# ---- the guest ----------------------------------------------------------------------------------------------------


def boot(options, initrd, results):
    """A running QEMU. A nanosecond of the guest's time is an instruction (shift 0); idle time is skipped (sleep=off)."""
    kernel = next(options.kernel.glob("boot/vmlinuz-*"))
    return subprocess.Popen(
        [needed("qemu-system-x86_64"), "-accel", "tcg", "-icount", f"shift={options.shift},sleep=off",
         "-rtc", "base=2026-01-01,clock=vm", "-cpu", "qemu64", "-smp", "1", "-m", GUEST_MEGABYTES, "-nodefaults",
         "-no-reboot", "-display", "none", "-monitor", "none", "-net", "none", "-serial", f"file:{options.scratch}/console", "-serial", f"file:{results}",
         "-kernel", str(kernel), "-initrd", str(initrd), "-append",
         f"console=ttyS0 loglevel=3 panic=-1 rdinit=/init tsc=reliable slab_nomerge nokaslr {options.boot}"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=open(options.scratch / "qemu.log", "wb"))


def follow(process, results, began, limit):
    """Lines of the results file as they come, until the process is over."""
    position, rest = 0, b""
    while True:
        over = process.poll() is not None
        if results.exists():
            with open(results, "rb") as file:
                file.seek(position)
                data = file.read()
            position += len(data)
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                if line.strip():
                    yield json.loads(line)
        if over:
            return
        if time.monotonic() - began > limit:
            process.kill()
            process.wait()
            raise Failed(f"not ready after {limit} s; the console is the last thing to look at")
        time.sleep(0.2)


# ---- the comparison -----------------------------------------------------------------------------------------------


def takes_io(binary):
    return "--io" in subprocess.run([binary, "run", "--help"], capture_output=True, text=True).stdout


def directors(options):
    names = []
    for name in options.directors:
        if name == "fairlead" and takes_io(options.binary):
            names += [f"fairlead-{io}" for io in options.io or ["packet", "xdp"]]
        else:
            names.append(name)
    return names


def settings_of(options):
    chosen = QUICK_SIZES if options.quick else SIZES
    if options.host:
        # Here a unit takes microseconds, so there can be more of them.
        chosen = {name: {key: value * 10 if key == "count" else value for key, value in size.items()}
                  for name, size in chosen.items()}
    if options.profile:
        chosen = {**chosen, "udp": {**chosen["udp"], "count": 60000}, "tcp": {**chosen["tcp"], "count": 3000}}
    return {
        "unit_ns": 1 << options.shift, "prefix": f"fl{os.getpid()}" if options.host else "g",
        "directors": directors(options), "methods": options.methods, "memory": "memory" in options.measures,
        "measures": [each for each in options.measures if each in MEASURES], "sizes": chosen,
        "repeats": REPEATS[options.host, options.quick],
        "connections": 65536, "conformance": options.conformance, "quiet": 0.1 if options.host else 0.02,
        "processor": max(os.sched_getaffinity(0)) if options.host else 0, "profile": options.profile,
        "scratch": str(options.scratch) if options.host else "/tmp",
        "ipvsadm": needed("ipvsadm") if options.host else "/usr/sbin/ipvsadm",
        "fairlead": os.path.abspath(options.binary) if options.host else "/usr/bin/fairlead",
        "load": str(options.load) if options.host else "/usr/bin/load",
    }


def start(options, settings, results):
    if not options.host:
        pack(options, settings, options.scratch / "initrd", PARTS)
        return boot(options, options.scratch / "initrd", results)
    if os.geteuid() != 0:
        raise Failed("--host needs root: IPVS, and memory of the kernel's caches")
    if "ipvs" in settings["directors"]:
        if modprobe := shutil.which("modprobe"):
            subprocess.run([modprobe, "-a", "ip_vs", "ip_vs_rr", "ipip"], capture_output=True)
        tried = subprocess.run(["unshare", "-n", settings["ipvsadm"], "-Ln"], capture_output=True, text=True)
        if tried.returncode != 0:
            raise Failed(f"this machine's kernel has no IPVS ({tried.stderr.strip()}); without --host a guest has it")
    (options.scratch / "options.json").write_text(json.dumps(settings))
    return subprocess.Popen(
        [sys.executable, str(PARTS / "guest.py"), str(options.scratch / "options.json"), str(results)],
        stdin=subprocess.DEVNULL, stdout=open(options.scratch / "console", "wb"), stderr=subprocess.STDOUT)


def as_clock(seconds):
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def processor_seconds(process):
    """What a running process has used. The guest never halts, so a quiet machine takes as long as that."""
    words = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def collect(process, results, options):
    """All lines, those for people printed as they come, with the time and the guest's processor time since the start."""
    began, lines = time.monotonic(), []
    try:
        for line in follow(process, results, began, LIMIT_SECONDS):
            if "say" in line:
                passed = as_clock(time.monotonic() - began)
                if process.poll() is None and not options.host:
                    passed += f", {as_clock(processor_seconds(process))} on the processor"
                print(f"   [{passed}] {line['say']}", flush=True)
            lines.append(line)
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()
    last = lines[-1] if lines else {}
    if "end" not in last:
        console = (options.scratch / "console").read_text(errors="replace").strip().splitlines()[-8:]
        raise Failed(last.get("failed") or "it ended early:\n" + "\n".join(console))
    return lines


# ---- judging ------------------------------------------------------------------------------------------------------


def departures():
    """[(scenario, text, reason)]: a difference is expected where its line holds the text."""
    found = []
    for line in (PARTS / "departures.txt").read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            found.append(tuple(part.strip() for part in line.split("|", 2)))
    return found


def same(ours, theirs):
    """Equal but for seconds of a timer, of which two do not count."""
    if ours == theirs:
        return True
    clock = re.compile(r"\b(\d+):(\d\d)\b")
    if clock.sub("T", ours) != clock.sub("T", theirs):
        return False
    seconds = [[int(m) * 60 + int(s) for m, s in clock.findall(line)] for line in (ours, theirs)]
    return all(abs(one - other) <= 2 for one, other in zip(*seconds))


def differences(kernel, fairlead):
    """Lines with the step they belong to: `- ` what only the kernel did, `+ ` what only Fairlead did."""
    aligned = list(fairlead)
    if len(kernel) == len(fairlead):
        aligned = [theirs if same(ours, theirs) else ours for ours, theirs in zip(fairlead, kernel)]
    found, step = [], ""
    for line in difflib.ndiff(kernel, aligned):
        if line[:2] != "+ " and line[2:3] in (">", "$"):
            step = line[2:]
        if line[:2] in ("- ", "+ "):
            found.append((step, line))
    return found


def judge_conformance(lines):
    """[{director, scenario, steps, differences, unexpected}]"""
    transcripts = {}
    for line in lines:
        if "conformance" in line:
            each = line["conformance"]
            transcripts.setdefault(each["scenario"], {})[each["director"]] = each["transcript"]
    expected, verdicts = departures(), []
    for scenario, by_director in transcripts.items():
        for name, transcript in by_director.items():
            if name == "ipvs" or "ipvs" not in by_director:
                continue
            found = differences(by_director["ipvs"], transcript)
            unexpected = [
                each for each in found
                if not any(scenario == where and text in each[1] for where, text, _ in expected)
            ]
            steps = sum(1 for each in transcript if each[:1] in (">", "$"))
            verdicts.append({"director": name, "scenario": scenario, "steps": steps, "differences": found,
                             "unexpected": unexpected})
    return verdicts


def judge_costs(lines):
    """[{measure, method, director, cost, own, of_forwarding, of_ipvs, bound}]: `own` is what the director adds."""
    costs = {(c["measure"], c["method"], c["director"]): c for c in (line["cost"] for line in lines if "cost" in line)}
    rows = []
    for (measure, method, name), cost in costs.items():
        floor = costs.get((measure, "any", "direct"))
        if not floor or name == "direct":
            continue
        row = {"measure": measure, "method": method, "director": name, "cost": cost["cost"],
               "own": cost["cost"] - floor["cost"], "repeats": cost["all"], "user_share": cost.get("user_share"), "sleeps": cost.get("sleeps")}
        kernel = costs.get((measure, method, "ipvs"))
        if forward := costs.get((measure, "any", "forwarding")):
            row["of_forwarding"] = row["own"] / (forward["cost"] - floor["cost"])
        if name.startswith("fairlead") and kernel:
            row["of_ipvs"] = row["own"] / (kernel["cost"] - floor["cost"])
            row["total_of_ipvs"] = cost["cost"] / kernel["cost"]
            if bounds := BOUNDS.get((measure, method)):
                row["at_most"] = bounds[1] if "-xdp" in name else bounds[0]
        rows.append(row)
    return rows


def print_costs(rows, unit):
    print(f"\n{unit} that the director adds (all of them less those of a run without a director)\n")
    print(f"{'':11}{'':11}{'':17}{'own':>12}{'of plain':>10}{'of IPVS':>9}{'at most':>9}{'whole':>12}{'of IPVS':>9}")
    for row in rows:
        def ratio(key):
            return f"{row[key]:.2f}" if key in row else ""

        print(f"{'a ' + MEASURES[row['measure']]:13}{row['method']:9}{row['director']:17}{row['own']:12,.0f}"
              f"{ratio('of_forwarding'):>10}{ratio('of_ipvs'):>9}{ratio('at_most'):>9}{row['cost']:12,.0f}"
              f"{ratio('total_of_ipvs'):>9}")


def print_memory(rows):
    kernel = next((row for row in rows if row["director"] == "ipvs"), None)
    print()
    for row in rows:
        ratio = ""
        if kernel and row is not kernel:
            ratio = f", {row['bytes'] / kernel['bytes']:.2f} of IPVS (at most {MEMORY_BOUND})"
        print(f"memory a connection: {row['director']} {row['bytes']:.0f} bytes{ratio}")


def print_conformance(verdicts):
    for name in dict.fromkeys(verdict["director"] for verdict in verdicts):
        mine = [verdict for verdict in verdicts if verdict["director"] == name]
        equal = sum(not verdict["differences"] for verdict in mine)
        print(f"\nconformance, {name}: {equal} of {len(mine)} scenarios the same, {sum(v['steps'] for v in mine)} steps")
        for verdict in mine:
            step = None
            for where, line in verdict["differences"]:
                if where != step:
                    print(f"  {verdict['scenario']}: {where}")
                    step = where
                word = "" if [where, line] in [list(each) for each in verdict["unexpected"]] else "   (expected)"
                print(f"      {'kernel only:  ' if line[0] == '-' else 'Fairlead only:'} {line[2:]}{word}")


def print_profiles(lines, settings):
    """Kernel functions by what the director adds to them: a run's ticks less those of the one without a director."""
    profiles = {(p["measure"], p["method"], p["director"]): p for p in (l["profile"] for l in lines if "profile" in l)}
    for (measure, method, name), profile in profiles.items():
        floor = profiles.get((measure, "any", "direct"))
        if not floor or name == "direct":
            continue
        size = settings["sizes"][measure]
        # A tick each 4 ms of the guest's clock.
        each = 4e6 / settings["unit_ns"] / (size["count"] + size["warm"])
        own = {f: (hits - floor["functions"].get(f, 0)) * each for f, hits in profile["functions"].items()}
        process = sum(profile["ticks"])
        share = f"; its process was in user mode for {profile['ticks'][0] * 100 // process} %" if process else ""
        print(f"\nwhere it goes, {name} {method}, instructions a {MEASURES[measure]} beyond no director, about{share}")
        for function, cost in sorted(own.items(), key=lambda item: -item[1])[:20]:
            print(f"  {cost:10,.0f}  {function}")


def machine(options):
    if options.host:
        return {"where": "this machine", "kernel": platform.release()}
    version = subprocess.run([needed("qemu-system-x86_64"), "--version"], capture_output=True, text=True).stdout
    return {"where": "guest", "kernel": next(options.kernel.glob("boot/vmlinuz-*")).name.partition("-")[2],
            "qemu": version.splitlines()[0], "processor": "qemu64",
            "instructions": f"-icount shift={options.shift},sleep=off"}


def compare(options):
    settings = settings_of(options)
    process = start(options, settings, options.scratch / "results")
    lines = collect(process, options.scratch / "results", options)
    rows, memory, verdicts = judge_costs(lines), [l["memory"] for l in lines if "memory" in l], judge_conformance(lines)
    print_costs(rows, "nanoseconds of processor time" if options.host else "instructions")
    print_memory(memory)
    print_profiles(lines, settings)
    print_conformance(verdicts)
    if options.json:
        document = {"machine": machine(options), "settings": settings, "costs": rows, "memory": memory,
                    "conformance": verdicts, "raw": [l for l in lines if "cost" in l or "profile" in l]}
        options.json.write_text(json.dumps(document, indent=1) + "\n")
    unexpected = sum(len(verdict["unexpected"]) for verdict in verdicts)
    if unexpected:
        print(f"\ncompare-ipvs: {unexpected} lines differ that Benchmarks/CompareIPVS/departures.txt does not list")
    return 1 if unexpected else 0


def parse():
    parser = argparse.ArgumentParser(description="called by scripts/compare-ipvs")
    known = {"measures": [*MEASURES, "memory"], "methods": ["nat", "dr", "ipip"],
             "directors": ["direct", "forwarding", "ipvs", "fairlead"]}
    parser.add_argument("--scratch", type=pathlib.Path, required=True)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--load", type=pathlib.Path, required=True)
    parser.add_argument("--kernel", type=pathlib.Path)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--host", action="store_true")
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--no-conformance", dest="conformance", action="store_false")
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--io", type=lambda text: text.split(","))
    for name, values in known.items():
        parser.add_argument(f"--{name}", type=lambda text: text.split(","), default=values)
    options = parser.parse_args()
    for name, values in known.items():
        if unknown := set(getattr(options, name)) - set(values):
            parser.error(f"--{name}: no {', '.join(unknown)}; there are {', '.join(values)}")
    if options.profile and options.host:
        parser.error("--profile is the guest's; on this machine use perf")
    if options.io and not takes_io(options.binary):
        parser.error(f"--io: {options.binary} has no choice of ports (fairlead run --io)")
    # A profile is taken at the timer's ticks: more of them, at the cost of what they cost themselves.
    options.shift, options.boot = (4, "profile=2") if options.profile else (0, "")
    return options


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options = parse()
    try:
        return compare(options)
    except Failed as failure:
        print(f"compare-ipvs: {failure}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
