"""Measures the ways through a lab's director, in turn. Called by scripts/bench, which makes the lab; see its --help.

One server namespace holds three real servers' addresses, so that iperf3, whose control and data connections belong
together, works behind a round robin. A path that is not being measured is not running: nftables' table exists and
Fairlead runs only during their own turn.
"""

import argparse
import contextlib
import hashlib
import json
import os
import pathlib
import platform
import random
import select
import signal
import socket
import statistics
import subprocess
import sys
import time

SCRIPTS = pathlib.Path(__file__).resolve().parent
VIRTUAL = "198.18.10.80"
SERVERS = ["198.18.2.11", "198.18.2.12", "198.18.2.13"]
HTTP_PORT, BULK_PORT, CHECK_PORT = 80, 5201, 5202
CHECKED_BYTES = 64 << 20
WAIT_SECONDS = 20


class Failed(Exception):
    """What is measured does not work: the figures would mean nothing."""


# ---- the lab ------------------------------------------------------------------------------------------------------


class Lab:
    """Commands in the namespaces of a lab. `at` runs one to its end, `start` leaves it running until `stop`."""

    def __init__(self, name, scratch):
        self.name = name
        self.scratch = scratch

    def command(self, place, *arguments):
        return [str(SCRIPTS / "lab"), "exec", "--name", self.name, place, *map(str, arguments)]

    def at(self, place, *arguments, timeout=WAIT_SECONDS, text=None, check=True):
        """Standard output of a command; Failed with the end of its output where it does not succeed."""
        done = subprocess.run(
            self.command(place, *arguments), input=text or "", capture_output=True, text=True, timeout=timeout
        )
        if check and done.returncode != 0:
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
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()

    @contextlib.contextmanager
    def running(self, place, *arguments, ready=None):
        process = self.start(place, *arguments, ready=ready)
        try:
            yield process
        finally:
            self.stop(process)

    def checksum_errors(self, place):
        """TcpInCsumErrors of a namespace since it was made."""
        names, values = (
            line.split() for line in self.at(place, "cat", "/proc/net/snmp").splitlines() if line.startswith("Tcp:")
        )
        return int(values[names.index("InCsumErrors")])

    def forwarding(self, on):
        self.at("director", "sh", "-c", f"echo {int(on)} >/proc/sys/net/ipv4/ip_forward")


# ---- the paths ----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def plain(lab, _):
    """The director's kernel routes; the client speaks to a server's own address."""
    lab.forwarding(True)
    try:
        yield SERVERS[0]
    finally:
        lab.forwarding(False)


NFTABLES_RULES = """
table ip bench {
    chain prerouting {
        type nat hook prerouting priority dstnat
        ip daddr %s tcp dport { %d, %d, %d } dnat to numgen inc mod 3 map { 0 : %s, 1 : %s, 2 : %s }
    }
}
"""


@contextlib.contextmanager
def nftables(lab, _):
    """The director's kernel routes and translates, with round robin by counter."""
    lab.forwarding(True)
    rules = NFTABLES_RULES % (VIRTUAL, HTTP_PORT, BULK_PORT, CHECK_PORT, *SERVERS)
    lab.at("director", "nft", "-f", "-", text=rules)
    try:
        yield VIRTUAL
    finally:
        lab.at("director", "nft", "delete", "table", "ip", "bench")
        lab.forwarding(False)


@contextlib.contextmanager
def fairlead(lab, binary):
    """Fairlead translates, with round robin; the director's kernel forwards nothing."""
    rules = []
    for port in (HTTP_PORT, BULK_PORT, CHECK_PORT):
        rules.append(f"-A -t {VIRTUAL}:{port} -s rr\n")
        rules += [f"-a -t {VIRTUAL}:{port} -r {server}:{port} -m\n" for server in SERVERS]
    file = lab.scratch / "rules"
    file.write_text("".join(rules))
    arguments = [binary, "run", "--interface", "client0", "--interface", "servers0", "--rules", file]
    with lab.running("director", *arguments, ready="fairlead: ready"):
        yield VIRTUAL


PATHS = {"plain": plain, "nftables": nftables, "fairlead": fairlead}


# ---- the measurements ---------------------------------------------------------------------------------------------


def bulk(lab, address, seconds):
    """Gbit/s that iperf3's server received, and how often a segment was sent again."""
    with lab.running("server1", "iperf3", "-s", "-1", "--forceflush", ready="Server listening"):
        arguments = ["-c", address, "-p", BULK_PORT, "-t", seconds, "--json", "--connect-timeout", 5000]
        end = json.loads(lab.at("client", "iperf3", *arguments, timeout=seconds + WAIT_SECONDS))["end"]
    return end["sum_received"]["bits_per_second"] / 1e9, end["sum_sent"].get("retransmits", 0)


def connections(lab, address, seconds):
    """Requests a second, each on a connection of its own. The server closes."""
    arguments = ["-t", 1, "-c", 32, "-d", f"{seconds}s", "-H", "Connection: close", f"http://{address}:{HTTP_PORT}/"]
    text = lab.at("client", "wrk", *arguments, timeout=seconds + WAIT_SECONDS)
    lines = [line.strip() for line in text.splitlines()]
    for line in lines:
        if line.startswith("Non-2xx"):
            raise Failed(f"wrk: {line}")
        if line.startswith("Socket errors:") and not all(word.rstrip(",") == "0" for word in line.split()[3::2]):
            raise Failed(f"wrk: {line}")
    return float(next(line.split()[1] for line in lines if line.startswith("Requests/sec:")))


def transfer(lab, address):
    """Sends bytes to the sink and has it say what arrived; Failed where that differs."""
    arguments = ["python3", __file__, "--source", address]
    answer = lab.at("client", *arguments, timeout=60).strip()
    if answer != "same":
        raise Failed(f"checked transfer: {answer}")


def sink():
    """Answers each connection on CHECK_PORT with the number of bytes it brought and their digest."""
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
                    connection.sendall(f"{count} {digest.hexdigest()}".encode())


def source(address):
    """Sends CHECKED_BYTES in pieces of many sizes, then compares the sink's answer. Prints the verdict."""
    chooser = random.Random(address)
    data = chooser.randbytes(CHECKED_BYTES)
    expected = f"{len(data)} {hashlib.sha256(data).hexdigest()}"
    with socket.create_connection((address, CHECK_PORT), timeout=WAIT_SECONDS) as connection:
        at, rest = 0, memoryview(data)
        while at < len(data):
            size = chooser.choice([1, 100, 1460, 9000, 65536, 1 << 20])
            connection.sendall(rest[at : at + size])
            at += size
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while part := connection.recv(4096):
            answer += part
    print("same" if answer.decode() == expected else f"sent {expected}, received {answer.decode()}")


# ---- rounds -------------------------------------------------------------------------------------------------------


def measure_path(lab, name, binary, seconds):
    with PATHS[name](lab, binary) as address:
        transfer(lab, address)
        gigabits, again = bulk(lab, address, seconds)
        rate = connections(lab, address, seconds)
    errors = {place: lab.checksum_errors(place) for place in ("client", "server1")}
    if any(errors.values()):
        raise Failed(f"{name}: TCP segments with a wrong checksum: {errors}")
    return {"bulk_gbit_per_s": gigabits, "bulk_retransmits": again, "connections_per_s": rate}


def measure(lab, options):
    """{path: [figures of round 1, 2, ...]}; every round starts with another path."""
    results = {name: [] for name in options.paths}
    total, done, began = options.rounds * len(options.paths), 0, time.monotonic()
    for number in range(options.rounds):
        turn = number % len(options.paths)
        for name in options.paths[turn:] + options.paths[:turn]:
            figures = measure_path(lab, name, options.binary, options.seconds)
            results[name].append(figures)
            done += 1
            left = (time.monotonic() - began) / done * (total - done)
            print(
                f"round {number + 1}/{options.rounds}  {name:9}  bulk {figures['bulk_gbit_per_s']:6.2f} Gbit/s"
                f"  connections {figures['connections_per_s']:7.0f}/s  ({left:.0f} s left)",
                flush=True,
            )
    return results


def median_ratio(results, name, base, figure):
    """The median of the rounds' own ratios: the machine's drift between rounds cancels out."""
    pairs = zip(results[name], results[base])
    return statistics.median(mine[figure] / theirs[figure] for mine, theirs in pairs)


def summarise(results):
    summary = {}
    for name, rounds in results.items():
        summary[name] = {}
        for figure in ("bulk_gbit_per_s", "connections_per_s"):
            entry = {"median": statistics.median(each[figure] for each in rounds)}
            for base in ("nftables", "plain"):
                if base in results:
                    entry[f"of_{base}"] = median_ratio(results, name, base, figure)
            summary[name][figure] = entry
    return summary


def print_table(summary):
    def ratio(entry, base):
        return f"{entry[base]:.2f}" if base in entry else "-"

    print(f"\n{'':10}{'TCP bulk':>12}{'of nft':>8}{'of plain':>9}   {'connections':>13}{'of nft':>8}{'of plain':>9}")
    for name, figures in summary.items():
        first, second = figures["bulk_gbit_per_s"], figures["connections_per_s"]
        print(
            f"{name:10}{first['median']:5.2f} Gbit/s{ratio(first, 'of_nftables'):>8}{ratio(first, 'of_plain'):>9}"
            f"   {second['median']:11.0f}/s{ratio(second, 'of_nftables'):>8}{ratio(second, 'of_plain'):>9}"
        )


def machine():
    model = next(
        (line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "unknown"
    )
    return {"processor": model, "cores": os.cpu_count(), "kernel": platform.release()}


# ---- the whole ----------------------------------------------------------------------------------------------------

NGINX_CONFIGURATION = """
daemon off;
master_process off;
user root root;
pid {scratch}/nginx.pid;
error_log stderr;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    keepalive_timeout 0;
    client_body_temp_path {scratch}/body;
    proxy_temp_path {scratch}/proxy;
    fastcgi_temp_path {scratch}/fastcgi;
    uwsgi_temp_path {scratch}/uwsgi;
    scgi_temp_path {scratch}/scgi;
    server {{ listen 80 backlog=4096; return 200 "ok\\n"; }}
}}
"""


def run(options):
    lab = Lab(options.lab, options.scratch)
    for address in SERVERS[1:]:
        lab.at("server1", "ip", "address", "add", f"{address}/24", "dev", "eth0")
    configuration = options.scratch / "nginx.conf"
    configuration.write_text(NGINX_CONFIGURATION.format(scratch=options.scratch))
    with lab.running("server1", "nginx", "-e", "stderr", "-c", configuration):
        with lab.running("server1", "python3", __file__, "--sink", ready="sink: ready"):
            results = measure(lab, options)
    summary = summarise(results)
    print_table(summary)
    print(f"medians of {options.rounds} rounds of {options.seconds} s; a ratio is the median of the rounds' ratios")
    print("every checked transfer arrived as it was sent; TcpInCsumErrors 0 at both ends")
    if options.json:
        settings = {"rounds": options.rounds, "seconds": options.seconds}
        document = {"machine": machine(), "settings": settings, "summary": summary, "rounds": results}
        options.json.write_text(json.dumps(document, indent=2) + "\n")
    return check_floor(summary, options.floor)


def check_floor(summary, floor):
    if floor is None:
        return 0
    reached = summary["fairlead"]["bulk_gbit_per_s"]["of_nftables"]
    print(f"bulk: {reached:.2f} of nftables, {'at least' if reached >= floor else 'BELOW'} the floor of {floor}")
    return 0 if reached >= floor else 1


def parse():
    parser = argparse.ArgumentParser(description="called by scripts/bench")
    parser.add_argument("--sink", action="store_true")
    parser.add_argument("--source", metavar="ADDRESS")
    parser.add_argument("--lab")
    parser.add_argument("--scratch", type=pathlib.Path)
    parser.add_argument("--binary")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--floor", type=float)
    parser.add_argument("--paths", type=lambda text: text.split(","), default=list(PATHS))
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds = 2, 1
    if unknown := set(options.paths) - set(PATHS):
        parser.error(f"no such path: {', '.join(unknown)}; there are {', '.join(PATHS)}")
    if options.rounds < 1 or options.seconds < 1:
        parser.error("at least one round of one second")
    if options.floor is not None and not {"fairlead", "nftables"} <= set(options.paths):
        parser.error("--floor needs the paths fairlead and nftables")
    return options


def main():
    # An interrupted run leaves through the `finally`s, so that nothing stays behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options = parse()
    if options.sink:
        return sink()
    if options.source:
        return source(options.source)
    try:
        return run(options)
    except Failed as failure:
        print(f"bench: {failure}", file=sys.stderr)
        return 1
    except subprocess.TimeoutExpired as late:
        print(f"bench: {' '.join(late.cmd[5:])} did not end within {late.timeout:.0f} s", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
