"""Connections that stay and keep sending: `--echo` is the far end, `--hold ADDRESS COUNT` has COUNT of them, each sending
64 bytes a second that must come back as they were, until SIGTERM. Prints what it found as JSON."""

import json
import selectors
import signal
import socket
import sys
import time

from lab import ECHO_PORT, WAIT_SECONDS

SIZE, EVERY_SECONDS = 64, 1.0


def echo():
    """Sends back what each connection brings, until its end."""
    chooser = selectors.DefaultSelector()
    with socket.create_server(("", ECHO_PORT), backlog=1024) as listener:
        chooser.register(listener, selectors.EVENT_READ)
        print("echo: ready", flush=True)
        while True:
            for key, _ in chooser.select():
                if key.fileobj is listener:
                    chooser.register(listener.accept()[0], selectors.EVENT_READ)
                    continue
                try:
                    part = key.fileobj.recv(65536)
                    if part:
                        key.fileobj.sendall(part)
                        continue
                except OSError:
                    pass
                chooser.unregister(key.fileobj)
                key.fileobj.close()


class Held:
    """One connection: what it waits for, and what went wrong."""

    def __init__(self, address, number):
        self.number, self.exchanges, self.failure = number, 0, None
        self.socket = socket.create_connection((address, ECHO_PORT), timeout=WAIT_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.sent, self.got, self.since = b"", b"", 0.0
        # Spread over the second.
        self.next = time.monotonic() + number * EVERY_SECONDS / 100 % EVERY_SECONDS

    @property
    def waits(self):
        return len(self.got) < len(self.sent)

    def send(self, now):
        self.sent, self.got, self.since = f"{self.number} {self.exchanges} ".ljust(SIZE, "x").encode(), b"", now
        self.next = now + EVERY_SECONDS
        self.socket.sendall(self.sent)

    def take(self):
        """The seconds that an exchange took, where one ended."""
        part = self.socket.recv(SIZE)
        if not part:
            raise OSError("closed by the other end")
        self.got += part
        if self.waits:
            return None
        if self.got != self.sent:
            raise OSError("other bytes came back")
        self.exchanges += 1
        return time.monotonic() - self.since


def hold(address, count):
    stopped = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))
    chooser = selectors.DefaultSelector()
    held = [Held(address, number) for number in range(int(count))]
    for each in held:
        chooser.register(each.socket, selectors.EVENT_READ, each)
    print("hold: ready", flush=True)
    slowest = 0.0

    def give_up(each, reason):
        each.failure = f"connection {each.number}, exchange {each.exchanges}: {reason}"
        chooser.unregister(each.socket)
        each.socket.close()

    while not stopped:
        for key, _ in chooser.select(0.02):
            try:
                slowest = max(slowest, key.data.take() or 0.0)
            except OSError as error:
                give_up(key.data, error)
        now = time.monotonic()
        for each in held:
            try:
                if each.failure:
                    continue
                if each.waits and now - each.since > WAIT_SECONDS:
                    give_up(each, f"no answer for {WAIT_SECONDS} s")
                elif not each.waits and now >= each.next:
                    each.send(now)
            except OSError as error:
                give_up(each, error)
    print(json.dumps({"connections": len(held), "exchanges": sum(each.exchanges for each in held),
                      "broken": [each.failure for each in held if each.failure], "slowest_s": round(slowest, 3)}))


if __name__ == "__main__":
    {"--echo": echo, "--hold": hold}[sys.argv[1]](*sys.argv[2:])
