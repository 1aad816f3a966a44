import Glibc
import Testing

@testable import PacketIO

@Suite struct PortErrorTests {
    @Test func eachErrorIsOneLineThatSaysWhatToDo() {
        let errors: [(PortError, String)] = [
            (.noSuchInterface("eth9"), "interface eth9 does not exist here; `ip -brief link` lists those that do"),
            (
                .notEthernet("tun0", type: 65534),
                "interface tun0 does not carry Ethernet frames (hardware type 65534); choose one that does"
            ),
            (
                PortError("open packet socket on eth0", errno: EPERM),
                "open packet socket on eth0: not permitted; run as root or give the program the capability CAP_NET_RAW"
            ),
            (PortError("bind packet socket on eth0", errno: ENETDOWN), "bind packet socket on eth0: Network is down"),
        ]
        for (error, text) in errors { #expect(error.description == text) }
    }
}
