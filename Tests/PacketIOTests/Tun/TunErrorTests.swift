import Glibc
import Testing

@testable import PacketIO

@Suite struct TunErrorTests {
    @Test func eachErrorIsOneLineThatSaysWhatToDo() {
        let errors: [(TunError, String)] = [
            (.nameInUse("tun0"), "an interface tun0 is there already; choose another name, or remove it"),
            (.badName(""), "\"\" cannot name an interface; a name has 1 to 15 characters"),
            (.noTunDevices, "no /dev/net/tun: load the kernel's tun module (modprobe tun)"),
            (
                .deviceFileClosed,
                "/dev/net/tun: permission denied; run as root, or let users open it (mode 0666, as udev makes it)"
            ),
            (
                .notPermitted("tun0"),
                "make the TUN device tun0: not permitted; run as root or give the program the capability "
                    + "CAP_NET_ADMIN"
            ),
            (.system("tun0", errno: ENOBUFS), "make the TUN device tun0: No buffer space available"),
        ]
        for (error, text) in errors { #expect(error.description == text) }
    }
}
