extension Scripts {
    /// `PATH`: clients of a control socket, bad ones and a hundred good ones. Prints a line `NAME ANSWER` for each bad one,
    /// `good COUNT` for the good ones that were answered with success, then `done`, and keeps the silent ones connected.
    static let crowd = """
        import json, socket, sys, threading
        path = sys.argv[1]
        def connected():
            s = socket.socket(socket.AF_UNIX)
            s.settimeout(60)
            s.connect(path)
            return s
        def head(length): return b"POST /ipvsadm HTTP/1.1\\r\\nContent-Length: %d\\r\\n\\r\\n" % length
        def command(*words):
            body = json.dumps({"program": "ipvsadm", "arguments": words, "standardInput": ""}).encode()
            return head(len(body)) + body
        def answer(s):
            data = b""
            try:
                while part := s.recv(65536): data += part
            except ConnectionResetError: pass
            return data
        def refusal(*parts):
            s = connected()
            try:
                for part in parts: s.sendall(part)
            except (BrokenPipeError, ConnectionResetError): pass
            return answer(s).split(b"\\r\\n")[0].decode()
        def say(*words): print(*words, flush=True)

        silent = [connected() for _ in range(20)]
        for _ in range(20):
            half = connected()
            half.sendall(command("-Ln")[:-5])
            silent.append(half)
        whole = command("-Ln")
        halved = connected()
        halved.sendall(whole[:-5])
        halved.shutdown(socket.SHUT_WR)
        say("halved", answer(halved).split(b"\\r\\n")[0].decode())
        for _ in range(20): connected().sendall(whole)
        say("large", refusal(head(100 << 20), *[bytes(1 << 20)] * 100))
        say("endless", refusal(*[b"x" * 65536] * 100))
        say("nonsense", refusal(b"\\1\\2\\r\\n\\r\\n"))
        say("zeros", refusal(head(16 << 20), bytes(16 << 20)))
        say("unknown", refusal(b"GET /nosuch HTTP/1.1\\r\\n\\r\\n"))

        good = []
        start = threading.Barrier(100)
        def add(port):
            start.wait(60)
            s = connected()
            s.sendall(command("-A", "-t", "198.18.10.80:%d" % port, "-s", "rr"))
            head, _, body = answer(s).partition(b"\\r\\n\\r\\n")
            result = json.loads(body)
            if head.startswith(b"HTTP/1.1 200") and result["status"] == 0: good.append(port)
        threads = [threading.Thread(target=add, args=(1000 + n,)) for n in range(100)]
        for thread in threads: thread.start()
        for thread in threads: thread.join(90)
        say("good", len(good))
        say("done")
        threading.Event().wait()
        """
}
