import Balancer
import Control
import Testing
import Wire

/// The machine's own names: of those only what every machine has, so that no name server is asked.
@Suite struct SystemResolverTests {
    @Test func knowsThisHost() {
        let resolver = SystemResolver()
        #expect(resolver.address(ofHost: "localhost") == IPAddress("127.0.0.1"))
        #expect(resolver.address(ofHost: String(repeating: "x", count: 300)) == nil)
        #expect(resolver.host(at: IPAddress(v4: 0x7f00_0001))?.hasPrefix("localhost") == true)
    }
}
