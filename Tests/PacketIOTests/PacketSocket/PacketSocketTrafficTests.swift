import Testing

@testable import PacketIO

/// Two hosts whose only link is a thread that forwards between two packet sockets: real TCP and UDP, offloads untouched.
@Suite(
    .serialized,
    .enabled(if: TestNetwork.isPermitted, "needs root and permission to make network namespaces"))
final class PacketSocketTrafficTests {
    private let network: TestNetwork
    private var forwarder: Forwarder<PacketSocket>?

    init() throws {
        network = try TestNetwork(["client", "director", "server"])
        try network.join("client:eth0", "director:left")
        try network.join("server:eth0", "director:right")
        for (name, host) in [("client", 1), ("server", 2)] {
            try network.run(name, "ip address add 198.18.0.\(host)/24 dev eth0")
            try network.run(name, "ip address add 2001:db8::\(host)/64 dev eth0 nodad")
        }
    }

    deinit {
        if let forwarder { #expect(forwarder.stop()) }
    }

    /// Join the two.
    /// - Parameter ring: Bytes of the receive rings.
    private func forward(ring: Int) throws -> Forwarder<PacketSocket> {
        var settings = PacketSocket.Settings()
        settings.receiveRing = ring
        let options = settings
        let ports = try network.enter("director") {
            try ["left", "right"].map {
                try PacketSocket(interface: $0, filter: .everything, settings: options)
            }
        }
        #expect(ports.allSatisfy { ($0.ring.count > 0) == (ring > 0) })
        let forwarder = Forwarder(ports[0], ports[1])
        self.forwarder = forwarder
        return forwarder
    }

    /// Sends 48 MB, which come back, and compares digests.
    private static let sender = """
        import hashlib, os, socket, sys, threading, time
        block = os.urandom(1 << 20)
        for attempt in range(100):
            try:
                link = socket.create_connection((sys.argv[1], 5000), timeout=20)
                break
            except ConnectionRefusedError:
                time.sleep(0.05)
        def send():
            for _ in range(48): link.sendall(block)
            link.shutdown(socket.SHUT_WR)
        threading.Thread(target=send).start()
        digest, expected, count = hashlib.sha256(), hashlib.sha256(), 0
        while data := link.recv(1 << 20):
            digest.update(data)
            count += len(data)
        for _ in range(48): expected.update(block)
        print(count, digest.digest() == expected.digest())
        """
    private static let echo = """
        import socket, sys
        listener = socket.create_server((sys.argv[1], 5000), family=socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET)
        listener.settimeout(20)
        link, _ = listener.accept()
        while data := link.recv(1 << 20): link.sendall(data)
        """

    @Test(arguments: ["198.18.0.2", "2001:db8::2"], [0, 1 << 20])
    func bulkPassesBothWaysAsSuperFrames(server: String, ring: Int) throws {
        let forwarder = try forward(ring: ring)
        let programs = try Programs([Self.sender, Self.echo])
        let echo = try network.start("server", "python3 \(programs.paths[1]) \(server)")
        let printed = try network.run("client", "python3 \(programs.paths[0]) \(server)", seconds: 60)
        #expect(printed == "\(48 << 20) True\n")
        try echo.finish(seconds: 20)
        let totals = forwarder.totals
        #expect(totals.superFrames > 100)
        #expect(totals.partialChecksums > 100)
        #expect(totals.longest > 30_000)
        for name in ["client", "server"] {
            #expect(try counter("TcpInCsumErrors", in: name) == 0)
            #expect(try counter("TcpInSegs", in: name) > 100)
        }
        for port in forwarder.ports {
            #expect(port.refusals == PacketSocket.Refusals())
            #expect(port.statistics.received > 100)
            #expect(port.statistics.transmitted > 100)
        }
    }

    /// One send of 40 datagrams (UDP_SEGMENT) crosses as one super-frame where the kernel can say so (6.2), and arrives as
    /// 40 datagrams.
    @Test(arguments: [0, 1 << 20]) func segmentedDatagramsArrive(ring: Int) throws {
        let forwarder = try forward(ring: ring)
        let sender = """
            import socket, sys
            link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            link.setsockopt(17, 103, 1000)
            link.sendto(bytes(range(200)) * 200, ("198.18.0.2", 5000))
            """
        let receiver = """
            import socket
            link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            link.bind(("198.18.0.2", 5000))
            link.settimeout(20)
            print("ready", flush=True)
            print([len(link.recv(65536)) for _ in range(40)] == [1000] * 40)
            """
        let programs = try Programs([sender, receiver])
        let receiving = try network.start("server", "python3 \(programs.paths[1])")
        #expect(try waitUntil(seconds: 20) { try receiving.printed() == "ready\n" })
        try network.run("client", "python3 \(programs.paths[0])")
        #expect(try receiving.finish(seconds: 30) == "ready\nTrue\n")
        #expect(try counter("UdpInCsumErrors", in: "server") == 0)
        #expect(forwarder.totals.datagramSuperFrames == 1)
    }

    private func counter(_ name: String, in namespace: String) throws -> Int {
        let lines = try network.run(namespace, "nstat -asz \(name)").split(separator: "\n")
        let line = try #require(lines.first { $0.hasPrefix(name) })
        return try #require(Int(line.split(separator: " ")[1]))
    }
}

/// Programs in files, which are gone when the value is.
private final class Programs {
    private let files: [TemporaryFile]
    var paths: [String] { files.map(\.path) }

    init(_ texts: [String]) throws { files = try texts.map { try TemporaryFile(Array($0.utf8)) } }
}
