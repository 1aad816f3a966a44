import Glibc
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
                .nameInUse("tun0"),
                "an interface tun0 is there already; choose another name with --tun, or remove it"
            ),
            (.badName(""), "\"\" cannot name an interface; --tun takes 1 to 15 characters"),
            (.noTunDevices, "no /dev/net/tun: load the kernel's tun module (modprobe tun)"),
            (
                .deviceFileClosed,
                "/dev/net/tun: permission denied; run as root, or let users open it (mode 0666, as udev makes it)"
            ),
            (.portInUse(6080), "UDP port 6080 is in use; choose another with --gue-port"),
        ]
        for (error, text) in errors { #expect(error.description == text) }
    }

    @Test(arguments: ["", "a-name-of-sixteen", "a/b", "a b"]) func aBadNameIsRefused(name: String) {
        #expect(throws: DecapsulationError.badName(name)) { _ = try TunDevice(name: name) }
    }
}
