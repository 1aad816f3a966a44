import CLinuxNet
import Wire

/// The expressions of one nf_tables rule, in the order the kernel evaluates them: each either loads registers or ends
/// the rule when it does not match (`net/netfilter/nf_tables_core.c`).
struct NfExpressions {
    /// A comparison.
    enum Comparison: UInt32 {
        case equal = 0
        case notEqual = 1
        case atLeast = 5
    }

    /// The first of the 32-bit registers: keys are put together from here on.
    static let key = UInt32(NFT_REG32_00.rawValue)
    /// A register that keys do not reach.
    static let scratch = UInt32(NFT_REG32_15.rawValue)

    let writer: MessageWriter

    private func add(_ name: String, _ body: () -> Void) {
        writer.nest(code(NFTA_LIST_ELEM)) {
            writer.put(code(NFTA_EXPR_NAME), name)
            writer.nest(code(NFTA_EXPR_DATA), body)
        }
    }

    /// Load `length` bytes of the packet; no match where it is too short.
    func payload(_ base: nft_payload_bases, offset: UInt32, length: UInt32, to register: UInt32) {
        add("payload") {
            writer.putBE(code(NFTA_PAYLOAD_DREG), register)
            writer.putBE(code(NFTA_PAYLOAD_BASE), base.rawValue)
            writer.putBE(code(NFTA_PAYLOAD_OFFSET), offset)
            writer.putBE(code(NFTA_PAYLOAD_LEN), length)
        }
    }

    /// Load the transport protocol, found behind IPv6 extension headers too.
    func transportProtocol(to register: UInt32) {
        add("meta") {
            writer.putBE(code(NFTA_META_DREG), register)
            writer.putBE(code(NFTA_META_KEY), NFT_META_L4PROTO.rawValue)
        }
    }

    /// Load bytes of an IPv6 extension header; no match where there is none.
    func extensionHeader(_ type: UInt8, offset: UInt32, length: UInt32, to register: UInt32) {
        add("exthdr") {
            writer.putBE(code(NFTA_EXTHDR_DREG), register)
            writer.put(code(NFTA_EXTHDR_TYPE), [type])
            writer.putBE(code(NFTA_EXTHDR_OFFSET), offset)
            writer.putBE(code(NFTA_EXTHDR_LEN), length)
        }
    }

    /// Load what kind of destination the host's routes see in the packet's destination address (`RTN_*`).
    func destinationType(to register: UInt32) {
        add("fib") {
            writer.putBE(code(NFTA_FIB_DREG), register)
            writer.putBE(code(NFTA_FIB_RESULT), UInt32(NFT_FIB_RESULT_ADDRTYPE.rawValue))
            writer.putBE(code(NFTA_FIB_FLAGS), UInt32(NFTA_FIB_F_DADDR.rawValue))
        }
    }

    /// Load the name of the interface that the packet came by, 16 bytes.
    func interface(to register: UInt32) {
        add("meta") {
            writer.putBE(code(NFTA_META_DREG), register)
            writer.putBE(code(NFTA_META_KEY), NFT_META_IIFNAME.rawValue)
        }
    }

    /// Go on only for a fragment that is not the first one: an offset that is not 0 (RFC 791 §3.1, RFC 8200 §4.5).
    func laterFragment(_ family: AddressFamily) {
        let offset = Self.scratch
        if family == .v4 {
            payload(NFT_PAYLOAD_NETWORK_HEADER, offset: 6, length: 2, to: offset)
            mask(offset, [0x1f, 0xff])
        } else {
            extensionHeader(IPProtocol.fragment, offset: 2, length: 2, to: offset)
            mask(offset, [0xff, 0xf8])
        }
        compare(offset, .notEqual, [0, 0])
    }

    /// Keep only the bits of `mask`.
    func mask(_ register: UInt32, _ mask: [UInt8]) {
        add("bitwise") {
            writer.putBE(code(NFTA_BITWISE_SREG), register)
            writer.putBE(code(NFTA_BITWISE_DREG), register)
            writer.putBE(code(NFTA_BITWISE_LEN), UInt32(mask.count))
            writer.nest(code(NFTA_BITWISE_MASK)) { writer.put(code(NFTA_DATA_VALUE), mask) }
            writer.nest(code(NFTA_BITWISE_XOR)) {
                writer.put(code(NFTA_DATA_VALUE), [UInt8](repeating: 0, count: mask.count))
            }
        }
    }

    /// Go on only when a register compares so.
    func compare(_ register: UInt32, _ comparison: Comparison, _ value: [UInt8]) {
        add("cmp") {
            writer.putBE(code(NFTA_CMP_SREG), register)
            writer.putBE(code(NFTA_CMP_OP), comparison.rawValue)
            writer.nest(code(NFTA_CMP_DATA)) { writer.put(code(NFTA_DATA_VALUE), value) }
        }
    }

    /// Go on only when the key from `register` is in a set; `isIn` false: when it is not.
    func lookup(_ set: String, identifier: UInt32, from register: UInt32, isIn: Bool = true) {
        add("lookup") {
            writer.put(code(NFTA_LOOKUP_SET), set)
            writer.putBE(code(NFTA_LOOKUP_SET_ID), identifier)
            writer.putBE(code(NFTA_LOOKUP_SREG), register)
            if !isIn { writer.putBE(code(NFTA_LOOKUP_FLAGS), UInt32(NFT_LOOKUP_F_INV.rawValue)) }
        }
    }

    /// Drop the packet.
    func drop() {
        verdict { writer.putBE(code(NFTA_VERDICT_CODE), UInt32(CLinuxNet_NF_DROP)) }
    }

    /// Go back to the chain that led here.
    func leaveChain() {
        verdict { writer.putBE(code(NFTA_VERDICT_CODE), UInt32(bitPattern: NFT_RETURN.rawValue)) }
    }

    /// Go on in another chain, and come back.
    func jump(_ chain: String) {
        verdict {
            writer.putBE(code(NFTA_VERDICT_CODE), UInt32(bitPattern: NFT_JUMP.rawValue))
            writer.put(code(NFTA_VERDICT_CHAIN), chain)
        }
    }

    private func verdict(_ body: () -> Void) {
        add("immediate") {
            writer.putBE(code(NFTA_IMMEDIATE_DREG), UInt32(NFT_REG_VERDICT.rawValue))
            writer.nest(code(NFTA_IMMEDIATE_DATA)) { writer.nest(code(NFTA_DATA_VERDICT), body) }
        }
    }
}
