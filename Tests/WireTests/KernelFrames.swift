import TestSupport

/// Frames that Linux 6.1 sent or was sent, copied from the recordings that each is named for.
enum KernelFrames {
    /// nat-rr-tcp, into eth0: a SYN from a client.
    static let tcpRequest = hexadecimal(
        """
        0200000001010200000001fe0800 45000028100140004006c449c6336401cb007150
        9c400050000003e8000000005002faf0adf30000
        """)
    /// nat-rr-tcp, out of eth1: the same after NAT, TTL 63.
    static let tcpForwarded = hexadecimal(
        """
        02000000020d0200000002010800 45000028100140003f06f58dc63364010a00020d
        9c400050000003e8000000005002faf0de370000
        """)
    /// nat-rr-udp, out of eth1: a datagram of six bytes after NAT.
    static let udpForwarded = hexadecimal(
        """
        02000000020d0200000002010800 45000022100140003f11f588c63364010a00020d
        9c400035000edd02717565727930
        """)
    /// no-server, out of eth0: port unreachable about a TCP SYN.
    static let portUnreachable = hexadecimal(
        """
        0200000001fe0200000001010800 45c00044a55e000040016e15cb007150c6336401 0303639d00000000
        45000028100140004006c449c6336401cb007150 9c400050000003e8000000005002faf0adf30000
        """)
    /// no-server6, out of eth0: port unreachable about a TCP SYN.
    static let portUnreachableV6 = hexadecimal(
        """
        0200000001fe02000000010186dd 600051fe00443a40 20010db8008000000000000000000080
        20010db8ffff00000000000000000001 01043bd000000000
        6000000000140640 20010db8ffff00000000000000000001 20010db8008000000000000000000080
        9c400050000003e8000000005002faf0b8060000
        """)
    /// nat-sctp, out of eth1: INIT after NAT.
    static let sctpForwarded = hexadecimal(
        """
        02000000020d0200000002010800 45000034100140003f84f503c63364010a00020d
        9c4000500000000057a07f91 01000014 000011110000ffff0001000100000001
        """)
    /// nat6, out of eth1: a SYN after NAT.
    static let tcpForwardedV6 = hexadecimal(
        """
        02000000020d02000000020186dd 600000000014063f 20010db8ffff00000000000000000001
        20010db8000200000000000000000013 9c400050000003e8000000005002faf0b8f10000
        """)
    /// frag6-dr, into eth0: the first 78 bytes of the first fragment of a UDP datagram.
    static let fragmentV6 = hexadecimal(
        """
        0200000001010200000001fe86dd 6000000005b02c40 20010db8ffff00000000000000000001
        20010db8008000000000000000000080 1100000111111111 9c4000350968d149 0001020304050607
        """)
    /// tun-rr-tcp, out of eth1: a SYN in an outer IPv4 header.
    static let tunneled = hexadecimal(
        """
        0200000002fe0200000002010800 4500003c000040003f041cb10a0002010a00090d
        45000028100140003f06c549c6336401cb007150 9c400050000003e8000000005002faf0adf30000
        """)
}

extension [UInt8] {
    /// The IP packet of an Ethernet frame.
    var packet: [UInt8] { Array(dropFirst(14)) }
}
