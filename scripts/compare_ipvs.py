"""Packs a guest, boots it, reads what it measured, and judges. Called by scripts/compare-ipvs; see its --help."""

import argparse
import difflib
import json
import lzma
import os
import pathlib
import platform
import re
import shutil
import signal
import stat
import subprocess
import sys
import sysconfig
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PARTS = ROOT / "Benchmarks" / "CompareIPVS"
# What the guest's kernel needs, before what asks for it. crc32c is asked for by name only, so modinfo does not tell.
MODULES = ["virtio_pci", "af_packet", "veth", "crc32c_generic", "ip_vs", "ip_vs_rr", "ip_vs_wrr", "ip_vs_lc", "ip_vs_wlc",
           "ip_vs_sh", "ip_vs_dh", "ip_vs_sed", "ip_vs_nq", "ip_vs_fo", "ip_vs_ovf", "ip_vs_mh", "ip_vs_lblc", "ip_vs_lblcr",
           "ipip", "nf_tables"]
APPLETS = ["sh", "mount", "mkdir", "ln", "cat", "echo", "sleep", "insmod", "poweroff", "taskset", "ls", "ps", "dmesg"]
LIMIT_SECONDS = 2400
MEASURES = {"udp": "packet", "tcp": "connection", "bulk": "MB"}
# What issue 6 asks for: at most so many times what kernel IPVS takes, through a packet socket and through the best port.
BOUNDS = {("udp", "nat"): (2.3, 1.8), ("udp", "dr"): (2.3, 1.8), ("tcp", "nat"): (2.5, 1.9), ("tcp", "dr"): (2.5, 1.9)}
MEMORY_BOUND = 0.4
# Units measured, units before these, and how.
SIZES = {
    "udp": {"count": 30000, "warm": 3000, "flows": 1000, "burst": 64},
    "tcp": {"count": 1500, "warm": 200, "burst": 16},
    "bulk": {"count": 96, "warm": 8},
    "memory": {"connections": 65536},
}
QUICK_SIZES = {
    "udp": {"count": 12000, "warm": 3000, "flows": 1000, "burst": 64},
    "tcp": {"count": 500, "warm": 100, "burst": 16},
    "bulk": {"count": 24, "warm": 4},
    "memory": {"connections": 32768},
}


class Failed(Exception):
    """The comparison cannot be made."""


# ---- the guest's files --------------------------------------------------------------------------------------------


class Archive:
    """A newc cpio, as the kernel unpacks it into its first file system."""

    def __init__(self):
        self.files = {}

    def folder(self, path):
        path = pathlib.PurePosixPath(path)
        for each in [*reversed(path.parents), path]:
            if str(each) != "/":
                self.files.setdefault(str(each), (stat.S_IFDIR | 0o755, b""))

    def put(self, path, data, mode=0o755):
        self.folder(pathlib.PurePosixPath(path).parent)
        self.files[path] = (stat.S_IFREG | mode, data)

    def copy(self, source, path=None):
        self.put(path or str(source), pathlib.Path(source).read_bytes())

    def link(self, path, target):
        self.folder(pathlib.PurePosixPath(path).parent)
        self.files[path] = (stat.S_IFLNK | 0o777, target.encode())

    def program(self, source, path):
        """A program with the shared libraries that ldd names, each where the host has it."""
        self.copy(source, path)
        for library in libraries(source):
            if library not in self.files:
                self.copy(library)

    def write(self, path):
        with open(path, "wb") as out:
            for number, (name, (mode, data)) in enumerate([*sorted(self.files.items()), ("/TRAILER!!!", (0, b""))], 1):
                encoded = name[1:].encode() + b"\0"
                fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(encoded), 0)
                header = b"070701" + b"".join(b"%08x" % field for field in fields) + encoded
                out.write(header + b"\0" * (-len(header) % 4) + data + b"\0" * (-len(data) % 4))


def libraries(program):
    """Paths as the loader looks for them, so that they are found at the same place in the guest."""
    listed = subprocess.run(["ldd", str(program)], capture_output=True, text=True).stdout
    if "not found" in listed:
        raise Failed(f"{program}: {next(line for line in listed.splitlines() if 'not found' in line).strip()}")
    return re.findall(r"(/\S+) \(0x", listed)


def needed(name):
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not found:
        raise Failed(f"{name} is not installed")
    return os.path.realpath(found)


def module_files(kernel, names):
    """[(name, bytes)] in the order of loading, with what each depends on before it."""
    files = {re.sub(r"\.ko(\.xz)?$", "", path.name).replace("-", "_"): path for path in kernel.glob("lib/modules/*/**/*.ko*")}
    order, bytes_of = [], {}

    def visit(name):
        # What is not there as a module is built into the kernel.
        if name in bytes_of or name not in files:
            return
        data = files[name].read_bytes()
        bytes_of[name] = data = lzma.decompress(data) if files[name].suffix == ".xz" else data
        depends = re.search(rb"\0depends=([^\0]*)\0", data)
        for each in depends[1].decode().split(",") if depends and depends[1] else []:
            visit(each.replace("-", "_"))
        order.append(name)

    for name in names:
        visit(name)
    return [(name, bytes_of[name]) for name in order]


INIT = """#!/bin/sh
export PATH=/usr/sbin:/usr/bin HOME=/ SWIFT_BACKTRACE=enable=no PYTHONDONTWRITEBYTECODE=1 PYTHONHOME=@HOME@
export LD_LIBRARY_PATH=@LIBRARIES@
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs run /run
mount -t tmpfs tmp /tmp
mkdir -p /run/netns
for module in @MODULES@; do insmod /modules/$module.ko 2>/dev/null || echo "no module $module"; done
cd /compare
exec 2>&1
/usr/bin/python3 -S guest.py options.json /dev/ttyS1
poweroff -f
"""

# Parts of Python's library that the guest has no use for.
PYTHON_LEFT_OUT = re.compile(r"/(test|tests|idlelib|lib2to3|ensurepip|tkinter|pydoc_data|config-[^/]*|unittest|site-packages|"
                             r"dist-packages|__pycache__|turtledemo|xmlrpc|sqlite3|asyncio|email|distutils)(/|$)")
PYTHON_EXTENSIONS = re.compile(r"(_struct|_json|_socket|_posixsubprocess|select|math|_ctypes|_statistics|_random|_bisect|"
                               r"_hashlib|_sha\w*|_contextvars|fcntl|_datetime|_heapq|array|_decimal|zlib|_opcode)\.")


def add_python(archive):
    """The Python that runs this. Returns its prefix."""
    archive.program(os.path.realpath(sys.executable), "/usr/bin/python3")
    library = pathlib.Path(sysconfig.get_paths()["stdlib"])
    for path in library.rglob("*"):
        relative = "/" + str(path.relative_to(library))
        if not path.is_file() or PYTHON_LEFT_OUT.search(relative):
            continue
        if path.suffix == ".py":
            archive.put(str(path), path.read_bytes(), 0o644)
        elif path.suffix == ".so" and PYTHON_EXTENSIONS.match(path.name):
            archive.program(path, str(path))
    return sys.base_prefix


def pack(options, settings, path):
    archive = Archive()
    busybox = needed("busybox")
    archive.program(busybox, "/usr/bin/busybox")
    for applet in APPLETS:
        archive.link(f"/usr/bin/{applet}", "busybox")
    for folder in ("bin", "sbin", "lib", "lib64"):
        archive.folder(f"/usr/{folder}")
        archive.link(f"/{folder}", f"usr/{folder}")
    archive.program(needed("ip"), "/usr/sbin/ip")
    archive.program(needed("ipvsadm"), "/usr/sbin/ipvsadm")
    archive.program(options.binary, "/usr/bin/fairlead")
    archive.copy(options.load, "/usr/bin/load")
    home = add_python(archive)
    modules = module_files(options.kernel, MODULES)
    for name, data in modules:
        archive.put(f"/modules/{name}.ko", data, 0o644)
    for part in PARTS.glob("*.py"):
        archive.copy(part, f"/compare/{part.name}")
    archive.put("/compare/options.json", json.dumps(settings).encode(), 0o644)
    for folder in ("/dev", "/proc", "/sys", "/run", "/tmp", "/var", "/etc/iproute2", "/root"):
        archive.folder(folder)
    archive.link("/var/run", "/run")
    archive.put("/etc/hosts", b"127.0.0.1 localhost\n", 0o644)
    for file in ("protocols", "services"):
        if os.path.exists(f"/etc/{file}"):
            archive.copy(f"/etc/{file}")
    folders = sorted({os.path.dirname(each) for each in libraries(options.binary)})
    init = INIT.replace("@MODULES@", " ".join(name for name, _ in modules)).replace("@HOME@", home)
    archive.put("/init", init.replace("@LIBRARIES@", ":".join(folders)).encode())
    # Paths below the links of a merged /usr belong below /usr.
    for name in [name for name in archive.files if re.match(r"/(bin|sbin|lib|lib64)/", name)]:
        archive.files["/usr" + name] = archive.files.pop(name)
        archive.folder(pathlib.PurePosixPath("/usr" + name).parent)
    archive.write(path)


# ---- the guest ----------------------------------------------------------------------------------------------------


def boot(options, initrd, results):
    """A running QEMU. A nanosecond of the guest's time is an instruction (shift 0); idle time is skipped (sleep=off)."""
    kernel = next(options.kernel.glob("boot/vmlinuz-*"))
    return subprocess.Popen(
        [needed("qemu-system-x86_64"), "-accel", "tcg", "-icount", f"shift={options.shift},sleep=off", "-rtc", "base=2026-01-01,clock=vm",
         "-cpu", "qemu64", "-smp", "1", "-m", str(options.memory), "-nodefaults", "-no-reboot", "-display", "none",
         "-monitor", "none", "-net", "none", "-serial", f"file:{options.scratch}/console", "-serial", f"file:{results}",
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
    return {
        "guest": not options.host, "prefix": f"fl{os.getpid()}" if options.host else "g", "directors": directors(options),
        "methods": options.methods, "measures": list(MEASURES), "repeats": 1 if options.quick else 3, "sizes": chosen,
        "connections": 65536, "conformance": options.conformance, "quiet": 0.1 if options.host else 0.02,
        "processor": max(os.sched_getaffinity(0)) if options.host else 0, "profile": options.profile,
        "scratch": str(options.scratch) if options.host else "/tmp",
        "ipvsadm": needed("ipvsadm") if options.host else "/usr/sbin/ipvsadm",
        "fairlead": os.path.abspath(options.binary) if options.host else "/usr/bin/fairlead",
        "load": str(options.load) if options.host else "/usr/bin/load",
    }


def start(options, settings, results):
    if not options.host:
        pack(options, settings, options.scratch / "initrd")
        return boot(options, options.scratch / "initrd", results)
    if os.geteuid() != 0:
        raise Failed("--host needs root: IPVS, and memory of the kernel's caches")
    if "ipvs" in settings["directors"]:
        subprocess.run(["modprobe", "-a", "ip_vs", "ip_vs_rr", "ipip"], capture_output=True)
        tried = subprocess.run(["unshare", "-n", settings["ipvsadm"], "-Ln"], capture_output=True, text=True)
        if tried.returncode != 0:
            raise Failed(f"this machine's kernel has no IPVS ({tried.stderr.strip()}); without --host a guest has it")
    (options.scratch / "options.json").write_text(json.dumps(settings))
    return subprocess.Popen([sys.executable, str(PARTS / "guest.py"), str(options.scratch / "options.json"), str(results)],
                            stdin=subprocess.DEVNULL, stdout=open(options.scratch / "console", "wb"), stderr=subprocess.STDOUT)


def collect(process, results, options):
    """All lines, those for people printed as they come."""
    began, lines = time.monotonic(), []
    try:
        for line in follow(process, results, began, LIMIT_SECONDS):
            if "say" in line:
                passed = int(time.monotonic() - began)
                print(f"   [{passed // 60}:{passed % 60:02d}] {line['say']}", flush=True)
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
               "own": cost["cost"] - floor["cost"], "repeats": cost["all"], "user_share": cost.get("user_share")}
        kernel = costs.get((measure, method, "ipvs"))
        if forward := costs.get((measure, "any", "forwarding")):
            row["of_forwarding"] = row["own"] / (forward["cost"] - floor["cost"])
        if name.startswith("fairlead") and kernel:
            row["of_ipvs"] = row["own"] / (kernel["cost"] - floor["cost"])
            row["total_of_ipvs"] = cost["cost"] / kernel["cost"]
            if bounds := BOUNDS.get((measure, method)):
                row["at_most"] = bounds[1] if name.endswith("xdp") else bounds[0]
        rows.append(row)
    return rows


def print_costs(rows, unit):
    print(f"\n{unit} that the director adds (all of them less those of a run without a director)\n")
    print(f"{'':11}{'':11}{'':17}{'own':>12}{'of plain':>10}{'of IPVS':>9}{'at most':>9}{'whole':>12}{'of IPVS':>9}")
    for row in rows:
        def ratio(key):
            return f"{row[key]:.2f}" if key in row else ""

        print(f"{'a ' + MEASURES[row['measure']]:13}{row['method']:9}{row['director']:17}{row['own']:12,.0f}"
              f"{ratio('of_forwarding'):>10}{ratio('of_ipvs'):>9}{ratio('at_most'):>9}{row['cost']:12,.0f}{ratio('total_of_ipvs'):>9}")


def print_memory(rows):
    kernel = next((row for row in rows if row["director"] == "ipvs"), None)
    print()
    for row in rows:
        ratio = f", {row['bytes'] / kernel['bytes']:.2f} of IPVS (at most {MEMORY_BOUND})" if kernel and row is not kernel else ""
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


def print_profiles(lines, options):
    profiles = [line["profile"] for line in lines if "profile" in line]
    if not profiles:
        return
    table = []
    for line in next(options.kernel.glob("boot/System.map-*")).read_text().splitlines():
        address, kind, name = line.split()
        if kind in "tTwW":
            table.append((int(address, 16), name))
    table.sort()
    text = next(address for address, name in table if name == "_stext")
    for profile in profiles:
        counts = {}
        for slot, hits in profile["hits"]:
            name = name_at(table, text + slot * profile["step"])
            counts[name] = counts.get(name, 0) + hits
        profile["functions"] = counts
        total = sum(counts.values())
        print(f"\nkernel functions, {profile['director']} {profile['method']} {profile['measure']}, {total} samples:")
        for name, hits in sorted(counts.items(), key=lambda item: -item[1])[:24]:
            print(f"  {hits * 100 / total:5.1f} %  {name}")


def name_at(table, address):
    low, high = 0, len(table)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if table[middle][0] <= address else (low, middle)
    # Modules lie beyond the kernel's own text.
    return table[low][1]


def machine(options):
    if options.host:
        return {"where": "this machine", "kernel": platform.release()}
    version = subprocess.run([needed("qemu-system-x86_64"), "--version"], capture_output=True, text=True).stdout
    return {"where": "guest", "kernel": next(options.kernel.glob("boot/vmlinuz-*")).name.partition("-")[2],
            "qemu": version.splitlines()[0], "processor": "qemu64", "instructions": f"-icount shift={options.shift},sleep=off"}


def compare(options):
    settings = settings_of(options)
    process = start(options, settings, options.scratch / "results")
    lines = collect(process, options.scratch / "results", options)
    rows, memory, verdicts = judge_costs(lines), [l["memory"] for l in lines if "memory" in l], judge_conformance(lines)
    print_costs(rows, "nanoseconds of processor time" if options.host else "instructions")
    print_memory(memory)
    print_profiles(lines, options)
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
    known = {"methods": ["nat", "dr", "ipip"], "directors": ["direct", "forwarding", "ipvs", "fairlead"]}
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
    options.shift, options.boot, options.memory = (4, "profile=2", 1536) if options.profile else (0, "", 1536)
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
