"""Commands in the namespaces of labs that scripts/lab made, and what the machine says about itself."""

import contextlib
import os
import pathlib
import platform
import re
import select
import subprocess
import time

SCRIPTS = pathlib.Path(__file__).resolve().parent.parent.parent / "scripts"
VIRTUAL = "198.18.10.80"
SERVERS = ["198.18.2.11", "198.18.2.12", "198.18.2.13"]
LOCAL_ADDRESSES = ["198.18.2.201", "198.18.2.202", "198.18.2.203", "198.18.2.204"]
HTTP_PORT, BULK_PORT, CHECK_PORT, ECHO_PORT, UDP_PORT = 80, 5201, 5202, 5203, 5204
TCP_PORTS = [HTTP_PORT, BULK_PORT, CHECK_PORT, ECHO_PORT]
WAIT_SECONDS = 20


class Failed(Exception):
    """What is measured does not work: the figure would mean nothing."""


class Lab:
    """Commands in the namespaces of a lab. `at` runs one to its end, `start` leaves it running until `stop`."""

    def __init__(self, name, method, scratch):
        self.name = name
        self.method = method
        self.scratch = scratch

    def command(self, place, *arguments):
        return [str(SCRIPTS / "lab"), "exec", "--name", self.name, place, *map(str, arguments)]

    def at(self, place, *arguments, timeout=WAIT_SECONDS, text=None):
        """Standard output of a command; Failed with the end of its output where it does not succeed."""
        try:
            done = subprocess.run(
                self.command(place, *arguments), input=text or "", capture_output=True, text=True, timeout=timeout
            )
        except subprocess.TimeoutExpired:
            raise Failed(f"{arguments[0]} at {place} did not end within {timeout:.0f} s") from None
        if done.returncode != 0:
            said = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["nothing"]
            raise Failed(f"{arguments[0]} at {place}: status {done.returncode}: {said[0]}")
        return done.stdout

    def start(self, place, *arguments, ready=None):
        """A process; where `ready` is given, once it has printed a line that begins with it."""
        process = subprocess.Popen(
            self.command(place, *arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if ready else subprocess.DEVNULL,
            stderr=open(self.scratch / "background.log", "ab"),
        )
        if ready:
            try:
                self.await_line(process, ready)
            except Failed:
                self.stop(process)
                raise
        return process

    def await_line(self, process, ready):
        deadline, seen = time.monotonic() + WAIT_SECONDS, b""
        while time.monotonic() < deadline:
            readable, _, _ = select.select([process.stdout], [], [], 0.2)
            if readable:
                part = os.read(process.stdout.fileno(), 65536)
                if not part:
                    break
                seen += part
                if any(line.startswith(ready) for line in seen.decode(errors="replace").splitlines()):
                    return
        log = (self.scratch / "background.log").read_text(errors="replace").strip().splitlines()[-1:]
        raise Failed(f"{process.args[5]} never said '{ready}': {seen.decode(errors='replace').strip() or log}")

    def stop(self, process):
        """Ends a process; what it had still to say."""
        process.terminate()
        try:
            said, _ = process.communicate(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            said, _ = process.communicate()
        return (said or b"").decode(errors="replace")

    @contextlib.contextmanager
    def running(self, place, *arguments, ready=None):
        process = self.start(place, *arguments, ready=ready)
        try:
            yield process
        finally:
            self.stop(process)

    def checksum_errors(self, place):
        """TCP segments and UDP datagrams with a wrong checksum, since the namespace was made."""
        rows = {}
        for line in self.at(place, "cat", "/proc/net/snmp").splitlines():
            name, _, rest = line.partition(":")
            rows.setdefault(name, []).append(rest.split())
        return sum(int(rows[each][1][rows[each][0].index("InCsumErrors")]) for each in ("Tcp", "Udp"))

    def forwarding(self, on):
        self.at("director", "sh", "-c", f"echo {int(on)} >/proc/sys/net/ipv4/ip_forward")


# ---- the machine --------------------------------------------------------------------------------------------------


def machine():
    model = next(
        (line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "unknown"
    )
    return {"processor": model, "cores": os.cpu_count(), "kernel": platform.release(), "load": os.getloadavg()[0]}


def busy_seconds():
    """Processor time of the whole machine that was not idle, since its start."""
    words = pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    user, nice, system, _, _, irq, softirq = map(int, words[:7])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def resident_megabytes(root):
    """What a process and its descendants hold in memory."""
    parents = {}
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
    family = {root}
    while grown := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= grown
    total = 0
    for pid in family:
        with contextlib.suppress(OSError):
            found = re.search(r"VmRSS:\s+(\d+) kB", pathlib.Path(f"/proc/{pid}/status").read_text())
            total += int(found[1]) if found else 0
    return total / 1024
