import Wire

@testable import PacketIO

/// What a filter is to do, said plainly and slowly, apart from how it does it.
struct FilterModel {
    let traffic: OwnedTraffic

    func passes(_ frame: [UInt8], _ context: FilterMachine.Context) -> Bool {
        guard !context.hasVLANTag, context.packetType < 3, frame.count >= 14 else { return false }
        switch half(frame, 12) {
        case 0x0806: return passesARP(frame)
        case 0x0800: return passesIPv4(frame)
        case 0x86dd: return passesIPv6(frame)
        default: return false
        }
    }

    private func passesARP(_ frame: [UInt8]) -> Bool {
        frame.count >= 42 && half(frame, 20) == 1 && traffic.arpFor.contains(v4(frame, 38))
    }

    private func passesIPv4(_ frame: [UInt8]) -> Bool {
        guard frame.count >= 34 else { return false }
        let source = v4(frame, 26)
        let destination = v4(frame, 30)
        if half(frame, 20) & 0x3fff != 0 { return isAddressed(source, destination) }
        let length = Int(frame[14] & 15) * 4
        let transport = 14 + length
        switch frame[23] {
        case 6, 17, 132:
            // A header longer than the frame is nonsense: not even an address owned whole wants it.
            guard frame.count >= length else { return false }
            guard frame.count >= transport + 4 else { return traffic.addresses.contains(destination) }
            return passesPorts(frame, source, destination, frame[23], transport)
        case 1:
            guard frame.count >= length else { return false }
            if isVirtual(destination) { return true }
            guard frame.count >= transport + 28, [3, 4, 11, 12].contains(frame[transport]) else { return false }
            return isQuotable(v4(frame, transport + 8 + 16))
        default:
            return traffic.addresses.contains(destination)
        }
    }

    private func passesIPv6(_ frame: [UInt8]) -> Bool {
        guard frame.count >= 54 else { return false }
        let source = v6(frame, 22)
        let destination = v6(frame, 38)
        switch frame[20] {
        case 6, 17, 132:
            guard frame.count >= 58 else { return traffic.addresses.contains(destination) }
            return passesPorts(frame, source, destination, frame[20], 54)
        case 58:
            if frame.count > 54, frame[54] == 135 { return frame.count >= 78 && traffic.ndFor.contains(v6(frame, 62)) }
            if isVirtual(destination) { return true }
            guard frame.count >= 102, (1...4).contains(frame[54]) else { return false }
            return isQuotable(v6(frame, 86))
        default:
            return isAddressed(source, destination)
        }
    }

    private func passesPorts(
        _ frame: [UInt8], _ source: IPAddress, _ destination: IPAddress, _ number: UInt8, _ transport: Int
    ) -> Bool {
        traffic.addresses.contains(destination)
            || traffic.virtual.contains { matches($0, number, destination, UInt16(half(frame, transport + 2))) }
            || traffic.servers.contains { matches($0, number, source, UInt16(half(frame, transport))) }
    }

    private func matches(
        _ endpoint: OwnedTraffic.Endpoint, _ number: UInt8, _ address: IPAddress, _ port: UInt16
    ) -> Bool {
        endpoint.transportProtocol == number && endpoint.address == address
            && (endpoint.port == 0 || endpoint.port == port)
    }

    private func isVirtual(_ address: IPAddress) -> Bool {
        traffic.addresses.contains(address) || traffic.virtual.contains { $0.address == address }
    }

    private func isAddressed(_ source: IPAddress, _ destination: IPAddress) -> Bool {
        isVirtual(destination) || traffic.servers.contains { $0.address == source }
    }

    private func isQuotable(_ address: IPAddress) -> Bool {
        traffic.errorsAbout.contains(address) || traffic.servers.contains { $0.address == address }
    }

    private func half(_ frame: [UInt8], _ offset: Int) -> Int { Int(frame[offset]) << 8 | Int(frame[offset + 1]) }

    private func v4(_ frame: [UInt8], _ offset: Int) -> IPAddress {
        IPAddress(v4: frame[offset..<offset + 4].reduce(0) { $0 << 8 | UInt32($1) })
    }

    private func v6(_ frame: [UInt8], _ offset: Int) -> IPAddress {
        IPAddress(
            high: frame[offset..<offset + 8].reduce(0) { $0 << 8 | UInt64($1) },
            low: frame[offset + 8..<offset + 16].reduce(0) { $0 << 8 | UInt64($1) })
    }
}
