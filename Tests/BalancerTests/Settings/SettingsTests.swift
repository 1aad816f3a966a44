import Testing

@testable import Balancer

@Suite struct SettingsTests {
    @Test func beginAtTheKernelsDefaults() {
        let settings = Settings()
        for setting in Setting.allCases { #expect(settings[setting] == setting.defaultValue) }
        for state in TCPState.allCases {
            #expect(settings.view.tcpTimeout(state.rawValue) == Ticks.seconds(state.defaultTimeout))
        }
        for state in SCTPState.allCases {
            #expect(settings.view.sctpTimeout(state.rawValue) == Ticks.seconds(state.defaultTimeout))
        }
        #expect(settings.view.udpTimeout == Ticks.seconds(300))
    }

    @Test func workersSeeWhatIsSet() {
        let settings = Settings()
        let view = settings.view
        for (place, setting) in Setting.allCases.enumerated() { settings[setting] = Int32(place) + 100 }
        for (place, setting) in Setting.allCases.enumerated() { #expect(view[setting] == Int32(place) + 100) }
        withExtendedLifetime(settings) {}
    }

    /// BEHAVIOUR.md 1 (8): tcpfin is FIN_WAIT only, TIME_WAIT stays at 120 s.
    @Test func timeoutsChangeThreeStates() {
        let settings = Settings()
        settings.timeouts = Timeouts(tcp: 11, tcpFin: 12, udp: 13)
        for state in TCPState.allCases {
            let seconds: UInt32 = state == .established ? 11 : state == .finWait ? 12 : state.defaultTimeout
            #expect(settings.view.tcpTimeout(state.rawValue) == Ticks.seconds(seconds))
        }
        #expect(settings.view.udpTimeout == Ticks.seconds(13))
        #expect(settings.timeouts == Timeouts(tcp: 11, tcpFin: 12, udp: 13))
    }
}
