import CLinuxNet
import Wire

/// Writes the guard's table, a part at a time, into a transaction.
///
/// The table has one base chain for each interface, which leads to a chain for each family; those look the packet up in
/// the sets of `GuardSet` and drop it. Everything else is left alone: the base chains accept.
struct GuardTable {
    /// Before any other ingress chain, so that no other rule sees what the director owns.
    private static let priority: Int32 = -500
    /// Elements a message: the longest take some 60 bytes, and a list's length has 16 bits.
    private static let elementsAMessage = 500

    let transaction: NfTransaction
    /// Whether the kernel can tell by itself that a packet is addressed to the host.
    let asksRoutes: Bool

    /// The table, its sets and the families' chains. The table goes when the socket that makes it is closed.
    func create() {
        transaction.add(NFT_MSG_NEWTABLE, flags: NLM_F_CREATE | NLM_F_EXCL, table: code(NFTA_TABLE_NAME)) { writer in
            writer.putBE(code(NFTA_TABLE_FLAGS), UInt32(NFT_TABLE_F_OWNER.rawValue))
        }
        for family in [AddressFamily.v4, .v6] {
            for set in GuardSet.allCases { create(set, family) }
            let chain = Self.chain(family)
            for name in [GuardMarks.chain(family), chain] {
                transaction.add(NFT_MSG_NEWCHAIN, flags: NLM_F_CREATE, table: code(NFTA_CHAIN_TABLE)) { writer in
                    writer.put(code(NFTA_CHAIN_NAME), name)
                }
            }
            let rules = GuardRules(family: family, asksRoutes: asksRoutes)
            for rule in rules.all { add(to: chain, rule) }
            add(to: chain) { $0.jump(GuardMarks.chain(family)) }
        }
    }

    /// The chain that every interface's chain leads to for packets of a family.
    private static func chain(_ family: AddressFamily) -> String { family == .v4 ? "owned4" : "owned6" }

    /// The base chain of the interface in `slot`.
    private static func chain(slot: Int) -> String { "ingress\(slot)" }

    private func create(_ set: GuardSet, _ family: AddressFamily) {
        transaction.add(NFT_MSG_NEWSET, flags: NLM_F_CREATE, table: code(NFTA_SET_TABLE)) { writer in
            writer.put(code(NFTA_SET_NAME), set.name(family))
            writer.putBE(code(NFTA_SET_ID), set.identifier(family))
            writer.putBE(code(NFTA_SET_KEY_TYPE), set.shape.displayType(family))
            writer.putBE(code(NFTA_SET_KEY_LEN), set.shape.length(family))
        }
    }

    private func add(to chain: String, _ rule: (NfExpressions) -> Void) {
        transaction.add(NFT_MSG_NEWRULE, flags: NLM_F_CREATE | NLM_F_APPEND, table: code(NFTA_RULE_TABLE)) { writer in
            writer.put(code(NFTA_RULE_CHAIN), chain)
            writer.nest(code(NFTA_RULE_EXPRESSIONS)) { rule(NfExpressions(writer: writer)) }
        }
    }

    /// Hook an interface.
    func attach(slot: Int, name: String) {
        let chain = Self.chain(slot: slot)
        transaction.add(NFT_MSG_NEWCHAIN, flags: NLM_F_CREATE, table: code(NFTA_CHAIN_TABLE)) { writer in
            writer.put(code(NFTA_CHAIN_NAME), chain)
            writer.put(code(NFTA_CHAIN_TYPE), "filter")
            writer.nest(code(NFTA_CHAIN_HOOK)) {
                writer.putBE(code(NFTA_HOOK_HOOKNUM), UInt32(CLinuxNet_NF_NETDEV_INGRESS))
                writer.putBE(code(NFTA_HOOK_PRIORITY), UInt32(bitPattern: Self.priority))
                writer.put(code(NFTA_HOOK_DEV), name)
            }
            writer.putBE(code(NFTA_CHAIN_POLICY), UInt32(CLinuxNet_NF_ACCEPT))
        }
        for (family, etherType) in [(AddressFamily.v4, [UInt8(0x08), 0x00]), (.v6, [0x86, 0xdd])] {
            // The frame's own type rather than the packet's: a tagged frame belongs to a VLAN's interface, not to us.
            add(to: chain) { rule in
                rule.payload(NFT_PAYLOAD_LL_HEADER, offset: 12, length: 2, to: NfExpressions.scratch)
                rule.compare(NfExpressions.scratch, .equal, etherType)
                rule.jump(Self.chain(family))
            }
        }
    }

    /// Unhook an interface.
    func detach(slot: Int) {
        let chain = Self.chain(slot: slot)
        transaction.add(NFT_MSG_DELRULE, flags: 0, table: code(NFTA_RULE_TABLE)) { writer in
            writer.put(code(NFTA_RULE_CHAIN), chain)
        }
        transaction.add(NFT_MSG_DELCHAIN, flags: 0, table: code(NFTA_CHAIN_TABLE)) { writer in
            writer.put(code(NFTA_CHAIN_NAME), chain)
        }
    }

    /// Add elements.
    func insert(_ elements: ArraySlice<GuardElement>) { change(NFT_MSG_NEWSETELEM, flags: NLM_F_CREATE, elements) }

    /// Take elements away.
    func remove(_ elements: ArraySlice<GuardElement>) { change(NFT_MSG_DELSETELEM, flags: 0, elements) }

    private func change(_ type: nf_tables_msg_types, flags: Int32, _ elements: ArraySlice<GuardElement>) {
        struct Place: Hashable {
            let set: GuardSet
            let family: AddressFamily
        }
        for (place, members) in Dictionary(
            grouping: elements, by: { Place(set: $0.set, family: $0.endpoint.address.family) })
        {
            for start in stride(from: 0, to: members.count, by: Self.elementsAMessage) {
                let part = members[start..<min(start + Self.elementsAMessage, members.count)]
                transaction.add(type, flags: flags, table: code(NFTA_SET_ELEM_LIST_TABLE)) { writer in
                    writer.put(code(NFTA_SET_ELEM_LIST_SET), place.set.name(place.family))
                    writer.nest(code(NFTA_SET_ELEM_LIST_ELEMENTS)) {
                        for element in part { Self.put(element, writer) }
                    }
                }
            }
        }
    }

    private static func put(_ element: GuardElement, _ writer: MessageWriter) {
        writer.nest(code(NFTA_LIST_ELEM)) {
            writer.nest(code(NFTA_SET_ELEM_KEY)) { writer.put(code(NFTA_DATA_VALUE), element.key) }
        }
    }
}
