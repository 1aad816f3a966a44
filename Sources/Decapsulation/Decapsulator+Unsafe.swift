import CLinuxNet
import Glibc
import PacketIO
import Synchronization
public import Wire

/// Takes packets of tunnels off the host and gives what they carry to its stack, by a thread of its own.
///
/// Made, started and stopped by one thread; counters may be read by any.
public final class Decapsulator: Sendable {
    /// What to do.
    public struct Configuration: Sendable {
        /// Name of the TUN device to make.
        public var device: String
        /// UDP port of GUE; nil for none.
        public var guePort: UInt16?
        /// Whose packets are taken: outer source addresses; empty for everybody's.
        public var directors: Set<IPAddress>

        /// From its parts.
        public init(device: String, guePort: UInt16?, directors: Set<IPAddress>) {
            self.device = device
            self.guePort = guePort
            self.directors = directors
        }
    }

    /// Packets taken from one socket before the next has its turn.
    private static let batch = 64
    /// Bytes before each packet as it is received: room for the device's header.
    private static let headroom = 16

    private let configuration: Configuration
    private let device: TunDevice
    private let sockets: [TunnelSocket]
    private let counters = SharedCounters()
    private let stopEvent: Int32
    private let thread = Mutex<pthread_t?>(nil)

    /// Open the sockets of both families (of IPv4 alone where the kernel has no IPv6) and make the device.
    public init(_ configuration: Configuration) throws(DecapsulationError) {
        self.configuration = configuration
        sockets = try Self.sockets(.v4, configuration) + Self.sockets(.v6, configuration)
        do throws(TunError) {
            device = try TunDevice(name: configuration.device)
        } catch {
            throw .tun(error)
        }
        stopEvent = CLinuxNet_openEvent()
        guard stopEvent >= 0 else { throw .system(action: "open an event descriptor", errno: -stopEvent) }
    }

    deinit { if stopEvent >= 0 { close(stopEvent) } }

    private static func sockets(
        _ family: AddressFamily, _ configuration: Configuration
    ) throws(DecapsulationError) -> [TunnelSocket] {
        var sockets: [TunnelSocket] = []
        do throws(DecapsulationError) {
            for carrier in [Carrier.ipv4, .ipv6, .gre] {
                sockets.append(try TunnelSocket(raw: carrier, family: family))
            }
            if let port = configuration.guePort { sockets.append(try TunnelSocket(guePort: port, family: family)) }
        } catch .system(_, errno: EAFNOSUPPORT) where family == .v6 {
            return []
        }
        return sockets
    }

    /// What it counted.
    public var statistics: DecapsulationCounters {
        var statistics = counters.current
        statistics.lost = sockets.map(\.drops).reduce(0, +)
        return statistics
    }

    /// Start the thread.
    public func start() throws(DecapsulationError) {
        var thread = pthread_t()
        let retained = unsafe Unmanaged.passRetained(self)
        let error = unsafe pthread_create(
            &thread, nil,
            { context in
                if let context = unsafe context {
                    unsafe Unmanaged<Decapsulator>.fromOpaque(context).takeRetainedValue().loop()
                }
                return nil
            }, unsafe retained.toOpaque())
        guard error == 0 else {
            unsafe retained.release()
            throw .system(action: "start a thread", errno: error)
        }
        self.thread.withLock { $0 = thread }
    }

    /// End the thread and wait for it.
    public func stop() {
        guard let thread = thread.withLock({ $0.take() }) else { return }
        CLinuxNet_signalEvent(stopEvent)
        _ = pthread_join(thread, nil)
    }

    /// The thread's life.
    private func loop() {
        _ = unsafe CLinuxNet_nameCurrentThread("decapsulator")
        let buffer = UnsafeMutableRawBufferPointer.allocate(
            byteCount: Self.headroom + TunnelSocket.largestPacket, alignment: 16)
        defer { unsafe buffer.deallocate() }
        let bytes = unsafe PacketBytes(buffer)
        var waiting = (sockets.map(\.descriptor) + [stopEvent]).map {
            pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
        }
        while true {
            let ready = unsafe waiting.withUnsafeMutableBufferPointer { descriptors in
                unsafe CLinuxNet_poll(descriptors.baseAddress, UInt32(descriptors.count), -1)
            }
            guard ready >= 0, waiting[sockets.count].revents == 0 else { return }
            for (index, socket) in sockets.enumerated() where waiting[index].revents != 0 { drain(socket, bytes) }
        }
    }

    private func drain(_ socket: TunnelSocket, _ bytes: PacketBytes) {
        for _ in 0..<Self.batch {
            guard let arrival = socket.receive(into: bytes.dropping(Self.headroom)) else { return }
            counters.received.wrappingAdd(1, ordering: .relaxed)
            do throws(Refusal) {
                try handle(arrival, socket, bytes)
                counters.delivered.wrappingAdd(1, ordering: .relaxed)
            } catch {
                counters.refuse(error)
            }
        }
    }

    /// One packet, behind the headroom of `bytes`.
    private func handle(_ arrival: TunnelSocket.Arrival, _ socket: TunnelSocket, _ bytes: PacketBytes) throws(Refusal) {
        guard configuration.directors.isEmpty || configuration.directors.contains(arrival.source) else {
            throw .sender
        }
        guard arrival.length <= TunnelSocket.largestPacket else { throw .truncated }
        let packet = bytes.dropping(Self.headroom).prefix(arrival.length)
        var before = Self.headroom
        var payload = packet
        if socket.hasOuterHeader {
            guard let outer = IPv4Header(packet) else { throw .truncated }
            before += outer.headerLength
            payload = outer.payload
        }
        var inner = try InnerPacket(payload, carrier: socket.carrier, trafficClass: arrival.trafficClass)
        inner.offset += before
        guard device.deliver(bytes, inner) else { throw .device }
    }
}
