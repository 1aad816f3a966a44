import Wire

@testable import PacketIO

/// The same numbers each time for the same seed (xorshift64*).
struct SeededRandom: RandomNumberGenerator {
    var state: UInt64

    init(seed: UInt64) { state = seed &* 2_685_821_657_736_338_717 | 1 }

    mutating func next() -> UInt64 {
        state ^= state >> 12
        state ^= state << 25
        state ^= state >> 27
        return state &* 2_685_821_657_736_338_717
    }
}

/// The address that `text` writes; for literals in tests.
func address(_ text: String) -> IPAddress { IPAddress(text) ?? .anyV6 }

/// Frames made byte by byte, checksums left zero: filters do not look at them.
enum TestFrames {
    static func bytes(of address: IPAddress) -> [UInt8] {
        let words = address.isV4 ? [UInt64(address.v4) << 32] : [address.high, address.low]
        return Array(
            words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> (56 - 8 * $0)) } }
                .prefix(address.isV4 ? 4 : 16))
    }

    static func big(_ value: Int) -> [UInt8] { [UInt8(value >> 8 & 255), UInt8(value & 255)] }

    static func ethernet(_ type: Int, _ payload: [UInt8]) -> [UInt8] {
        [2, 0, 0, 0, 1, 1, 2, 0, 0, 0, 1, 0xfe] + big(type) + payload
    }

    static func arp(operation: Int = 1, target: IPAddress) -> [UInt8] {
        ethernet(
            0x0806,
            big(1) + big(0x800) + [6, 4] + big(operation) + [2, 0, 0, 0, 1, 0xfe, 192, 0, 2, 254]
                + [0, 0, 0, 0, 0, 0] + bytes(of: target))
    }

    static func ipv4Packet(
        _ number: UInt8, from source: IPAddress, to destination: IPAddress, options: Int = 0, fragment: Int = 0,
        _ payload: [UInt8]
    ) -> [UInt8] {
        let header = 20 + options * 4
        return [UInt8(0x40 | header / 4), 0] + big(header + payload.count) + [0, 0] + big(fragment) + [
            64, number, 0, 0,
        ]
            + bytes(of: source) + bytes(of: destination) + [UInt8](repeating: 1, count: options * 4) + payload
    }

    static func ipv6Packet(
        _ number: UInt8, from source: IPAddress, to destination: IPAddress, _ payload: [UInt8]
    ) -> [UInt8] {
        [0x60, 0, 0, 0] + big(payload.count) + [number, 64] + bytes(of: source) + bytes(of: destination) + payload
    }

    static func packet(
        _ number: UInt8, from source: IPAddress, to destination: IPAddress, _ payload: [UInt8]
    ) -> [UInt8] {
        source.isV4
            ? ethernet(0x0800, ipv4Packet(number, from: source, to: destination, payload))
            : ethernet(0x86dd, ipv6Packet(number, from: source, to: destination, payload))
    }

    static func ports(_ source: Int, _ destination: Int, length: Int = 20) -> [UInt8] {
        big(source) + big(destination) + [UInt8](repeating: 0, count: length - 4)
    }
}
