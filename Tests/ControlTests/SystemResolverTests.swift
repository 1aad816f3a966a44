import Balancer
import Control
import Testing
import Wire

/// The machine's own names: of those only what every machine has.
@Suite struct SystemResolverTests {
    @Test func knowsThisHostAndTheWellKnownPorts() {
        let resolver = SystemResolver()
        #expect(resolver.address(ofHost: "localhost") == IPAddress("127.0.0.1"))
        #expect(resolver.address(ofHost: "no-such-host.invalid") == nil)
        #expect(resolver.host(at: IPAddress(v4: 0x7f00_0001))?.hasPrefix("localhost") == true)
    }
}
