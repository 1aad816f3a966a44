import CLinuxNet

/// One instruction of a classic BPF program, laid out as the kernel's `struct sock_filter` (linux/filter.h).
public struct FilterInstruction: Hashable, Sendable {
    /// Class, size and mode, or operation.
    public var code: UInt16
    /// Instructions to skip when a condition holds.
    public var whenTrue: UInt8
    /// Instructions to skip when it does not.
    public var whenFalse: UInt8
    /// The constant, offset, scratch word or distance.
    public var operand: UInt32

    /// From its parts.
    public init(code: UInt16, whenTrue: UInt8 = 0, whenFalse: UInt8 = 0, operand: UInt32) {
        self.code = code
        self.whenTrue = whenTrue
        self.whenFalse = whenFalse
        self.operand = operand
    }
}

/// The operations that our filters use, by their `code` (linux/bpf_common.h). A is the accumulator, X the index register,
/// M the sixteen scratch words; loads convert from network order.
enum FilterOperation {
    /// A = the 4, 2 or 1 bytes at the offset.
    static let loadWord = UInt16(BPF_LD | BPF_W | BPF_ABS)
    static let loadHalf = UInt16(BPF_LD | BPF_H | BPF_ABS)
    static let loadByte = UInt16(BPF_LD | BPF_B | BPF_ABS)
    /// A = the 4, 2 or 1 bytes at X + the offset.
    static let loadWordIndexed = UInt16(BPF_LD | BPF_W | BPF_IND)
    static let loadHalfIndexed = UInt16(BPF_LD | BPF_H | BPF_IND)
    static let loadByteIndexed = UInt16(BPF_LD | BPF_B | BPF_IND)
    /// A = the constant.
    static let loadConstant = UInt16(BPF_LD | BPF_IMM)
    /// A = M[operand].
    static let loadScratch = UInt16(BPF_LD | BPF_MEM)
    /// A = the frame's length.
    static let loadLength = UInt16(BPF_LD | BPF_W | BPF_LEN)
    /// X = 4 * (the byte at the offset & 15): an IPv4 header's length.
    static let loadHeaderLength = UInt16(BPF_LDX | BPF_B | BPF_MSH)
    /// M[operand] = A.
    static let store = UInt16(BPF_ST)
    /// X = A.
    static let moveToIndex = UInt16(BPF_MISC | BPF_TAX)
    /// A -= X, A |= X, A <<= the constant.
    static let subtractIndex = UInt16(BPF_ALU | BPF_SUB | BPF_X)
    static let orIndex = UInt16(BPF_ALU | BPF_OR | BPF_X)
    static let shiftLeft = UInt16(BPF_ALU | BPF_LSH | BPF_K)
    /// Skip forward.
    static let jump = UInt16(BPF_JMP | BPF_JA)
    /// Compare A with the constant: equal, greater, greater or equal, any common bit.
    static let isEqual = UInt16(BPF_JMP | BPF_JEQ | BPF_K)
    static let isGreater = UInt16(BPF_JMP | BPF_JGT | BPF_K)
    static let isAtLeast = UInt16(BPF_JMP | BPF_JGE | BPF_K)
    static let hasAnyBit = UInt16(BPF_JMP | BPF_JSET | BPF_K)
    /// End: how many bytes of the frame to keep.
    static let end = UInt16(BPF_RET | BPF_K)

    /// Offsets that mean facts of the frame outside its bytes (`SKF_AD_*`): kind of packet, presence of a VLAN tag.
    static let packetType = UInt32(bitPattern: SKF_AD_OFF + SKF_AD_PKTTYPE)
    static let hasVLANTag = UInt32(bitPattern: SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT)
}
