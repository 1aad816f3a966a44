/// Python programs that run inside the lab.
enum Scripts {
    /// Bytes of `/bulk`.
    static let bulkLength = 64 << 20

    /// `NAME PORT LENGTH`: answers its name over HTTP, `LENGTH` repeatable bytes for `/bulk`, and `NAME:TEXT` for each
    /// datagram TEXT to port 7777.
    static let server = """
        import http.server, random, socket, socketserver, sys, threading
        name, port, length = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                bulk = self.path == "/bulk"
                body = random.Random(7).randbytes(length) if bulk else name.encode() + b"\\n"
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            def log_message(self, *words): pass
        class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
            daemon_threads = allow_reuse_address = True
            request_queue_size = 128
        server = Server(("", port), Handler)
        echo = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        echo.bind(("", 7777))
        def answer():
            while True:
                text, client = echo.recvfrom(65536)
                echo.sendto(name.encode() + b":" + text, client)
        threading.Thread(target=answer, daemon=True).start()
        print("listening", flush=True)
        server.serve_forever()
        """

    /// `NAME`: by both families, answers its name to GET and a body's SHA-256 to PUT, on port 80, and tells of each datagram to
    /// port 7777 its number and whether the rest is as `numbered` sends it.
    static let dualServer = """
        import hashlib, http.server, socket, socketserver, sys, threading
        name = sys.argv[1]
        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self, text):
                self.send_response(200)
                self.send_header("Content-Length", str(len(text) + 1))
                self.end_headers()
                self.wfile.write(text.encode() + b"\\n")
            def do_GET(self): self.answer(name)
            def do_PUT(self):
                if self.headers.get("Expect"): self.send_response_only(100); self.end_headers()
                left, digest = int(self.headers["Content-Length"]), hashlib.sha256()
                while left:
                    part = self.rfile.read(min(left, 1 << 20))
                    if not part: break
                    digest.update(part)
                    left -= len(part)
                self.answer(digest.hexdigest())
            def log_message(self, *words): pass
        class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
            daemon_threads = allow_reuse_address = True
            request_queue_size = 128
            address_family = socket.AF_INET6
        server = Server(("::", 80), Handler)
        datagrams = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        datagrams.bind(("::", 7777))
        def record():
            while True:
                text = datagrams.recv(65536)
                number, _, rest = text.partition(b":")
                intact = rest == number * (len(rest) // len(number))
                print("datagram", number.decode(), "intact" if intact else "changed", flush=True)
        threading.Thread(target=record, daemon=True).start()
        print("listening", flush=True)
        server.serve_forever()
        """

    /// `ADDRESS PORT FIRST COUNT`: sends numbered datagrams, each from a port of its own; every fifth has about 4,000 bytes.
    static let numbered = """
        import socket, sys, time
        address, port, first, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
        for number in range(first, first + count):
            s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
            s.bind(("", 20000 + number))
            text = str(number).encode()
            s.sendto(text + b":" + text * ((4000 if number % 5 == 0 else 40) // len(text)), (address, port))
            time.sleep(0.002)
        """

    /// `ADDRESS PORT TEXT`: sends one datagram; `answer TEXT` or `error ERRNO`.
    static let exchange = """
        import errno, socket, sys
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.settimeout(15)
        s.connect((sys.argv[1], int(sys.argv[2])))
        s.send(sys.argv[3].encode())
        try: print("answer", s.recv(65536).decode())
        except OSError as e: print("error", errno.errorcode.get(e.errno, str(e)))
        """

    /// `ADDRESS PORT`: connects; `connected` or `error ERRNO`.
    static let connect = """
        import errno, socket, sys
        s = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET)
        s.settimeout(15)
        try:
            s.connect((sys.argv[1], int(sys.argv[2])))
            print("connected")
        except OSError as e: print("error", errno.errorcode.get(e.errno, str(e)))
        """

    /// `SOURCE SPORT DESTINATION DPORT`: sends a UDP datagram and a TCP segment with ACK that belong to nothing.
    static let stray = """
        import socket, struct, sys
        source, sport, destination, dport = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
        def checked(protocol, segment, offset):
            pseudo = socket.inet_aton(source) + socket.inet_aton(destination)
            data = pseudo + struct.pack("!BBH", 0, protocol, len(segment)) + segment
            total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
            while total >> 16: total = (total >> 16) + (total & 0xffff)
            return segment[:offset] + struct.pack("!H", ~total & 0xffff) + segment[offset + 2:]
        def send(protocol, segment, offset):
            s = socket.socket(socket.AF_INET, socket.SOCK_RAW, protocol)
            s.bind((source, 0))
            s.sendto(checked(protocol, segment, offset), (destination, 0))
        send(17, struct.pack("!HHHH", sport, dport, 12, 0) + b"abcd", 6)
        send(6, struct.pack("!HHIIBBHHH", sport, dport, 1, 1, 0x50, 0x10, 1000, 0, 0), 16)
        """

    /// `CLIENT VIRTUAL PACKET...`, each `CARRIER NUMBER [CHANGE]`: sends server1 datagrams from the client to the virtual address,
    /// port 7777, inside tunnels; the changes are what `Decap` tests name.
    static let tunnelled = """
        import socket, struct, sys
        client, virtual, server = sys.argv[1], sys.argv[2], "198.18.2.11"
        def total(data):
            data += b"\\0" * (len(data) % 2)
            value = sum(struct.unpack("!%dH" % (len(data) // 2), data))
            while value >> 16: value = (value >> 16) + (value & 0xffff)
            return value
        def inner(number, change):
            text = b"%d:" % number + b"%d" % number * (4000 // len(str(number)) if change == "long" else 10)
            pseudo = socket.inet_aton(client) + socket.inet_aton(virtual) + struct.pack("!BBH", 0, 17, 8 + len(text))
            partial = total(pseudo)
            datagram = struct.pack("!HHHH", 40000, 7777, 8 + len(text), 0) + text
            checksum = partial if change in ("partial", "remote") else ~total(pseudo + datagram) & 0xffff
            datagram = datagram[:6] + struct.pack("!H", checksum) + text
            header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(datagram), number, 0, 64, 17, 0) + pseudo[:8]
            return header[:10] + struct.pack("!H", ~total(header) & 0xffff) + header[12:] + datagram
        def send(family, kind, protocol, address, data, congested=False):
            s = socket.socket(family, kind, protocol)
            if congested: s.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 3)
            s.sendto(data, address)
        for words in sys.argv[3:]:
            carrier, number, change = (words.split() + [""])[:3]
            packet = inner(int(number), change)
            if change == "cut": packet = packet[:-1]
            if change == "version": packet = b"\\x65" + packet[1:]
            if carrier == "gre":
                flags, kind = change.endswith("checksum"), 0x6558 if change == "contents" else 0x800
                head = struct.pack("!HH", 0x8000 if flags else 0, kind)
                if flags: head += struct.pack("!HH", ~total(head + packet) & 0xffff ^ (change == "badchecksum"), 0)
                send(socket.AF_INET, socket.SOCK_RAW, 47, (server, 0), head + packet)
            elif carrier == "gue":
                head = struct.pack("!BBH", 0x20 if change == "control" else 0, 4, 0)
                if change == "remote": head = struct.pack("!BBHIHH", 2, 4, 1, 1 << 31, 20, 26)
                send(socket.AF_INET, socket.SOCK_DGRAM, 17, (server, 6080), head + packet)
            elif carrier == "ipv4-in-ipv6":
                send(socket.AF_INET6, socket.SOCK_RAW, 4, ("2001:db8:2::11", 0), packet)
            else:
                send(socket.AF_INET, socket.SOCK_RAW, 4, (server, 0), packet, congested=change == "congested")
        """

    /// `PATH`: waits for one notification at a datagram socket and prints it.
    static let notified = """
        import socket, sys
        s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        path = sys.argv[1]
        s.bind("\\0" + path[1:] if path.startswith("@") else path)
        s.settimeout(60)
        print("bound", flush=True)
        print(s.recv(1000).decode(), flush=True)
        """
}
