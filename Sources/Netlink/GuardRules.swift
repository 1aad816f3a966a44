import Balancer
import CLinuxNet
import Wire

/// The rules of one family's chain, in order. Each drops what is found in one set.
struct GuardRules {
    let family: AddressFamily
    let asksRoutes: Bool

    /// Bytes of an address.
    private var width: UInt32 { family == .v4 ? 4 : 16 }
    /// Where the header has the source address, in bytes.
    private var source: UInt32 { family == .v4 ? 12 : 8 }
    /// Where the header has the destination address, in bytes.
    private var destination: UInt32 { family == .v4 ? 16 : 24 }

    /// All of them, those that most packets meet first: each that does not match costs its packet some hundred instructions.
    var all: [(NfExpressions) -> Void] {
        [
            { endpoint($0, .services, address: destination, port: 2) },
            { addressOnly($0, .localAddresses) },
            { endpoint($0, .servers, address: source, port: 0) },
            { upperPorts($0) },
            { protocolAndAddress($0, .serviceAddresses, address: destination) },
            { rule in
                rule.laterFragment(family)
                protocolAndAddress(rule, .serviceFragments, address: destination)
            },
            { protocolAndAddress($0, .serverAddresses, address: source) },
            { rule in
                rule.laterFragment(family)
                protocolAndAddress(rule, .serverFragments, address: source)
            },
        ]
    }

    /// Protocol, address and port. A later fragment has no port and does not match; nor does a cut header.
    private func endpoint(_ rule: NfExpressions, _ set: GuardSet, address: UInt32, port: UInt32) {
        rule.transportProtocol(to: NfExpressions.key)
        rule.payload(NFT_PAYLOAD_NETWORK_HEADER, offset: address, length: width, to: NfExpressions.key + 1)
        rule.payload(NFT_PAYLOAD_TRANSPORT_HEADER, offset: port, length: 2, to: NfExpressions.key + 1 + width / 4)
        finish(rule, set)
    }

    private func protocolAndAddress(_ rule: NfExpressions, _ set: GuardSet, address: UInt32) {
        rule.transportProtocol(to: NfExpressions.key)
        rule.payload(NFT_PAYLOAD_NETWORK_HEADER, offset: address, length: width, to: NfExpressions.key + 1)
        finish(rule, set)
    }

    /// The ports beside the host's. A later fragment has none and does not match.
    private func upperPorts(_ rule: NfExpressions) {
        let first = LocalPortRing.firstPortBesideHost
        rule.payload(NFT_PAYLOAD_TRANSPORT_HEADER, offset: 2, length: 2, to: NfExpressions.scratch)
        rule.compare(
            NfExpressions.scratch, .atLeast, [UInt8(first >> 8), UInt8(truncatingIfNeeded: first)])
        protocolAndAddress(rule, .besideHost, address: destination)
    }

    private func addressOnly(_ rule: NfExpressions, _ set: GuardSet) {
        rule.payload(NFT_PAYLOAD_NETWORK_HEADER, offset: destination, length: width, to: NfExpressions.key)
        finish(rule, set)
    }

    private func finish(_ rule: NfExpressions, _ set: GuardSet) {
        rule.lookup(set.name(family), identifier: set.identifier(family), from: NfExpressions.key)
        switch set {
        case .servers, .serverAddresses, .serverFragments: notToTheHost(rule)
        case .services, .serviceAddresses, .serviceFragments, .localAddresses, .hosts, .besideHost: break
        }
        rule.drop()
    }

    /// Go on only for packets that are not addressed to the host, alone or as one of many.
    private func notToTheHost(_ rule: NfExpressions) {
        let scratch = NfExpressions.scratch
        if asksRoutes {
            rule.destinationType(to: scratch)
            for type in [RTN_LOCAL, RTN_BROADCAST, RTN_ANYCAST, RTN_MULTICAST] {
                rule.compare(scratch, .notEqual, Self.nativeBytes(UInt32(type)))
            }
        } else {
            rule.payload(NFT_PAYLOAD_NETWORK_HEADER, offset: destination, length: width, to: NfExpressions.key)
            rule.lookup(
                GuardSet.hosts.name(family), identifier: GuardSet.hosts.identifier(family), from: NfExpressions.key,
                isIn: false)
            rule.payload(NFT_PAYLOAD_NETWORK_HEADER, offset: destination, length: 1, to: scratch)
            if family == .v4 { rule.mask(scratch, [0xf0]) }
            rule.compare(scratch, .notEqual, [family == .v4 ? 0xe0 : 0xff])
        }
    }

    /// A number as it lies in a register that the kernel filled in its own byte order.
    private static func nativeBytes(_ number: UInt32) -> [UInt8] {
        let big = (0..<4).map { UInt8(truncatingIfNeeded: number >> (24 - 8 * UInt32($0))) }
        return number.littleEndian == number ? big.reversed() : big
    }
}
