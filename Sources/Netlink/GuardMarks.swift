import Balancer
import CLinuxNet
import Wire

/// Writes the chains that know marked packets: the rules in reverse order, the first one that matches says whether the
/// packet is dropped or left to the host.
struct GuardMarks {
    let transaction: NfTransaction
    /// The director's interfaces, by slot.
    let interfaces: [String]

    /// The chain of a family, to which the family's other chain leads at its end.
    static func chain(_ family: AddressFamily) -> String { family == .v4 ? "marked4" : "marked6" }

    /// Put these in the place of what the chains hold.
    func replace(_ marked: [GuardedMark]) {
        for family in [AddressFamily.v4, .v6] {
            transaction.add(NFT_MSG_DELRULE, flags: 0, table: code(NFTA_RULE_TABLE)) { writer in
                writer.put(code(NFTA_RULE_CHAIN), Self.chain(family))
            }
            for mark in marked.reversed() where mark.rule.family == family { add(mark, family) }
        }
    }

    private func add(_ mark: GuardedMark, _ family: AddressFamily) {
        let hasPorts = mark.rule.sourcePort != nil || mark.rule.destinationPort != nil
        // A later fragment has no port: it goes with the first one.
        for isFragment in hasPorts && mark.isOurs ? [false, true] : [false] {
            transaction.add(NFT_MSG_NEWRULE, flags: NLM_F_CREATE | NLM_F_APPEND, table: code(NFTA_RULE_TABLE)) {
                writer in
                writer.put(code(NFTA_RULE_CHAIN), Self.chain(family))
                writer.nest(code(NFTA_RULE_EXPRESSIONS)) {
                    write(mark, family, NfExpressions(writer: writer), isFragment: isFragment)
                }
            }
        }
    }

    private func write(_ mark: GuardedMark, _ family: AddressFamily, _ rule: NfExpressions, isFragment: Bool) {
        let marking = mark.rule
        if let slot = marking.interface, interfaces.indices.contains(slot) {
            rule.interface(to: NfExpressions.key)
            let name = Array(interfaces[slot].utf8.prefix(15))
            rule.compare(NfExpressions.key, .equal, name + [UInt8](repeating: 0, count: 16 - name.count))
        }
        let offsets: (source: UInt32, destination: UInt32) = family == .v4 ? (12, 16) : (8, 24)
        if let prefix = marking.source { compare(prefix, marking.sourceLength, rule, offset: offsets.source) }
        if let prefix = marking.destination {
            compare(prefix, marking.destinationLength, rule, offset: offsets.destination)
        }
        if let transportProtocol = marking.transportProtocol {
            rule.transportProtocol(to: NfExpressions.scratch)
            rule.compare(NfExpressions.scratch, .equal, [transportProtocol])
        }
        if isFragment {
            rule.laterFragment(family)
        } else {
            for (port, offset) in [(marking.sourcePort, UInt32(0)), (marking.destinationPort, 2)] {
                guard let port else { continue }
                rule.payload(NFT_PAYLOAD_TRANSPORT_HEADER, offset: offset, length: 2, to: NfExpressions.scratch)
                rule.compare(NfExpressions.scratch, .equal, [UInt8(port >> 8), UInt8(truncatingIfNeeded: port)])
            }
        }
        if mark.isOurs { rule.drop() } else { rule.leaveChain() }
    }

    private func compare(_ prefix: IPAddress, _ length: Int, _ rule: NfExpressions, offset: UInt32) {
        let bits = prefix.family.bits
        guard length > 0 else { return }
        rule.payload(
            NFT_PAYLOAD_NETWORK_HEADER, offset: offset, length: UInt32(bits / 8), to: NfExpressions.key)
        if length < bits {
            let ones = prefix.isV4 ? IPAddress(v4: .max) : IPAddress(high: .max, low: .max)
            rule.mask(NfExpressions.key, ones.masked(length).bytes)
        }
        rule.compare(NfExpressions.key, .equal, prefix.masked(length).bytes)
    }
}
