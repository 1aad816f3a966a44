"""A live daemon as its users reach it: the command line, and the control socket without starting a program."""

import json
import os
import socket
import subprocess
import time

from lab import Failed

READY = "fairlead: ready, control socket "
SECONDS = 120


class Daemon:
    """The daemon: its command line and its control socket."""

    def __init__(self, binary, socket_path):
        self.binary, self.socket_path = binary, socket_path
        self.environment = os.environ | {"FAIRLEAD_CONTROL": socket_path}

    def command(self, *words):
        """Seconds that a command took, from its start to its end, and what it said."""
        line = [self.binary, *map(str, words)]
        start = time.perf_counter()
        done = subprocess.run(line, env=self.environment, capture_output=True, text=True, timeout=SECONDS)
        seconds = time.perf_counter() - start
        if done.returncode != 0:
            raise Failed(f"{' '.join(line)}: status {done.returncode}: {(done.stderr or done.stdout).strip()[:300]}")
        return seconds, done.stdout

    def ask(self, route, question):
        """The answer to a request, as JSON."""
        body = json.dumps(question).encode()
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(SECONDS)
                client.connect(self.socket_path)
                client.sendall(b"POST %s HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (route.encode(), len(body)) + body)
                answer = b""
                while part := client.recv(65536):
                    answer += part
            return json.loads(answer.partition(b"\r\n\r\n")[2])
        except (OSError, ValueError) as error:
            raise Failed(f"the daemon does not answer {route}: {error}") from None

    def request(self, arguments):
        """Seconds that an ipvsadm command took by the control socket: what is left of it without starting a program."""
        start = time.perf_counter()
        result = self.ask("/ipvsadm", {"program": "ipvsadm", "arguments": arguments, "standardInput": ""})
        seconds = time.perf_counter() - start
        if result["status"] != 0:
            raise Failed(f"ipvsadm {' '.join(arguments)}: {result['standardError'].strip()}")
        return seconds
