import Testing

@testable import Balancer

@Suite struct SettingTests {
    @Test func namesLeadBack() {
        for setting in Setting.allCases {
            #expect(Setting(name: setting.name) == setting)
            #expect(Setting(name: "net.ipv4.vs." + setting.name) == setting)
            #expect(Setting(name: "net/ipv4/vs/" + setting.name) == setting)
        }
        #expect(Set(Setting.allCases.map(\.name)).count == Setting.allCases.count)
        for wrong in ["", "vs.conntrack", "net.ipv4.conntrack", "net.ipv4.vs.", "no_such", "connReuseMode"] {
            #expect(Setting(name: wrong) == nil)
        }
    }

    @Test(arguments: [
        (Setting.connReuseMode, "conn_reuse_mode", Int32(1)), (.amDroprate, "am_droprate", 10),
        (.expireNodestConn, "expire_nodest_conn", 0), (.secureTcp, "secure_tcp", 0), (.pmtuDisc, "pmtu_disc", 1),
        (.lblcExpiration, "lblc_expiration", 86_400), (.sloppyTcp, "sloppy_tcp", 0),
    ])
    func defaultsAreTheKernels(setting: Setting, name: String, value: Int32) {
        #expect(setting.name == name && setting.defaultValue == value)
    }

    @Test func inertOnesSaySo() {
        #expect(Setting.syncVersion.reasonItIsInert != nil && Setting.conntrack.reasonItIsInert != nil)
        #expect(Setting.connReuseMode.reasonItIsInert == nil && Setting.secureTcp.reasonItIsInert == nil)
    }
}
