import Testing

@testable import Kubernetes

@Suite struct NearestNameTests {
    @Test(arguments: [
        ("schedular", "scheduler"), ("Scheduler", "scheduler"), ("shceduler", "scheduler"), ("mod", "mode"),
        ("excludeCIDR", "excludeCIDRs"),
    ])
    func mistypedNamesFindTheirs(name: String, meant: String) {
        #expect(NearestName.of(name, among: ["mode", "scheduler", "excludeCIDRs", "strictARP"]) == meant)
    }

    @Test(arguments: ["", "x", "replicas"])
    func nothingNearIsNothing(name: String) {
        #expect(NearestName.of(name, among: ["mode", "scheduler", "excludeCIDRs"]) == nil)
    }

    @Test func ofEquallyNearOnesTheFirstInTheAlphabet() {
        #expect(NearestName.of("max", among: ["mix", "may"]) == "may")
    }
}
