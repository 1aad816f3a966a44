import Glibc
import PacketIO
import Testing

@testable import Decapsulation

@Suite struct DecapsulationErrorTests {
    @Test func eachErrorIsOneLineThatSaysWhatToDo() {
        let errors: [(DecapsulationError, String)] = [
            (
                DecapsulationError("open a raw socket for protocol 4", errno: EPERM, needs: "CAP_NET_RAW"),
                "open a raw socket for protocol 4: not permitted; run as root or give the program the capability "
                    + "CAP_NET_RAW"
            ),
            (DecapsulationError("listen", errno: ENOBUFS, needs: ""), "listen: No buffer space available"),
            (
                .tun(.nameInUse("tun0")),
                "--tun: an interface tun0 is there already; choose another name, or remove it"
            ),
            (.portInUse(6080), "UDP port 6080 is in use; choose another with --gue-port"),
        ]
        for (error, text) in errors { #expect(error.description == text) }
    }
}
