import CLinuxNet

/// One nf_tables transaction: all of its messages take effect at once, or none does (`net/netfilter/nfnetlink.c`,
/// `nfnetlink_rcv_batch`). Everything is about one table of the netdev family.
final class NfTransaction {
    private let socket: NetlinkSocket
    private let table: String
    private let writer: MessageWriter
    private var last: UInt32 = 0

    init(_ socket: NetlinkSocket, table: String) {
        self.socket = socket
        self.table = table
        writer = socket.writer()
        writer.message(Int(NFNL_MSG_BATCH_BEGIN), flags: 0, header: Self.batchHeader)
    }

    /// Whether it has no messages yet.
    var isEmpty: Bool { last == 0 }

    private static var batchHeader: nfgenmsg {
        nfgenmsg(nfgen_family: 0, version: 0, res_id: UInt16(NFNL_SUBSYS_NFTABLES).bigEndian)
    }

    /// Add a message: `NFT_MSG_*`, its flags, the attribute that names the table, and what `body` adds.
    func add(_ type: nf_tables_msg_types, flags: Int32, table attribute: UInt16, _ body: (MessageWriter) -> Void) {
        let header = nfgenmsg(nfgen_family: UInt8(CLinuxNet_NFPROTO_NETDEV), version: 0, res_id: 0)
        let number = Int(NFNL_SUBSYS_NFTABLES) << 8 | Int(type.rawValue)
        writer.message(number, flags: flags | NLM_F_ACK, header: header) {
            writer.put(attribute, table)
            body(writer)
        }
        last = writer.sequence
    }

    /// Send it and wait for the kernel's word. Does nothing when it is empty.
    ///
    /// - Parameter object: For messages.
    func commit(_ object: String) throws(NetlinkError) {
        guard !isEmpty else { return }
        writer.message(Int(NFNL_MSG_BATCH_BEGIN) + 1, flags: 0, header: Self.batchHeader)
        // The batch goes out as one datagram; every message is acknowledged.
        socket.enlargeBuffers(2 * writer.count + (1 << 18))
        try socket.request(writer, last: last, call: "set up", object: object)
    }
}
