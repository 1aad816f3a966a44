import Testing
import Wire

@testable import PacketIO

/// Two hosts whose only link is a thread that forwards between two AF_XDP sockets: real TCP, offloads untouched.
@Suite(
    .serialized,
    .enabled(if: TestNetwork.isPermitted, "needs root and permission to make network namespaces and load XDP programs"))
final class XDPSocketTrafficTests {
    private let network: TestNetwork
    private let forwarder: Forwarder<XDPSocket>

    init() throws {
        network = try TestNetwork(["client", "director", "server"])
        try network.join("client:eth0", "director:left")
        try network.join("server:eth0", "director:right")
        for (name, host) in [("client", 1), ("server", 2)] {
            try network.run(name, "ip link set eth0 address 02:00:00:00:00:0\(host)")
            try network.run(name, "ip address add 198.18.0.\(host)/24 dev eth0")
            try network.run(name, "ip address add 2001:db8::\(host)/64 dev eth0 nodad")
        }
        // The program leaves ARP replies and advertisements to the host: the neighbours are written down.
        for (name, other) in [("client", 2), ("server", 1)] {
            for address in ["198.18.0.\(other)", "2001:db8::\(other)"] {
                try network.run(name, "ip neighbour replace \(address) lladdr 02:00:00:00:00:0\(other) dev eth0")
            }
        }
        let ports = try network.enter("director") {
            try ["left", "right"].map { interface in
                let program = try RedirectProgram(interface: interface)
                try program.attach([.native])
                let socket = try XDPSocket(program)
                var traffic = OwnedTraffic()
                traffic.addresses = ["198.18.0.1", "198.18.0.2", "2001:db8::1", "2001:db8::2"].map { address($0) }
                try program.own(traffic, hostAddresses: [])
                return socket
            }
        }
        forwarder = Forwarder(ports[0], ports[1])
    }

    deinit { #expect(forwarder.stop()) }

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
            for _ in range(8): link.sendall(block)
            link.shutdown(socket.SHUT_WR)
        threading.Thread(target=send).start()
        digest, expected = hashlib.sha256(), hashlib.sha256()
        while data := link.recv(1 << 20): digest.update(data)
        for _ in range(8): expected.update(block)
        print(digest.digest() == expected.digest())
        """
    private static let echo = """
        import socket, sys
        listener = socket.create_server((sys.argv[1], 5000), family=socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET)
        listener.settimeout(20)
        link, _ = listener.accept()
        while data := link.recv(1 << 20): link.sendall(data)
        """

    /// Super-frames cannot arrive while XDP is attached: the same ends send them to a packet socket
    /// (`PacketSocketTrafficTests`), and none is seen here.
    @Test(arguments: ["198.18.0.2", "2001:db8::2"]) func bulkPassesBothWaysInSmallFrames(server: String) throws {
        let programs = try [Self.sender, Self.echo].map { try TemporaryFile(Array($0.utf8)) }
        let echo = try network.start("server", "python3 \(programs[1].path) \(server)")
        #expect(try network.run("client", "python3 \(programs[0].path) \(server)", seconds: 60) == "True\n")
        try echo.finish(seconds: 20)
        let totals = forwarder.totals
        #expect(totals.superFrames == 0)
        #expect(totals.longest <= 1514)
        #expect(totals.partialChecksums > 100)
        for name in ["client", "server"] {
            let line = try network.run(name, "nstat -asz TcpInCsumErrors").split(separator: "\n").last
            #expect(line?.split(separator: " ").dropFirst().first == "0")
        }
    }
}
