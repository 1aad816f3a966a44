import Foundation
import TestSupport
import Testing

@testable import Replay

/// A recording that is cut or corrupt is refused with one line that names the file, and the step or frame.
@Suite struct RecordingTests {
    /// The line of the error that a replay ends with.
    private func refusal(_ staged: StagedRecording) throws -> String {
        let output = try TemporaryFolder()
        do {
            try RecordingReplay.run(staged.path, output: output.url.path)
        } catch {
            let text = "\(error)"
            #expect(!text.contains("\n"))
            return text
        }
        Issue.record("nothing was refused")
        return ""
    }

    private func refusal(_ file: String, _ change: (String) -> String) throws -> String {
        let staged = try StagedRecording("nat-port")
        try staged.edit(file, change)
        return try refusal(staged)
    }

    @Test(arguments: ["topology.json", "order.json"])
    func missingFile(name: String) throws {
        let staged = try StagedRecording("nat-port")
        try FileManager.default.removeItem(atPath: staged.folder.path(name))
        let text = try refusal(staged)
        #expect(text.contains(staged.folder.path(name)))
        #expect(text.contains("cannot read"))
    }

    @Test func missingFolder() throws {
        let output = try TemporaryFolder()
        #expect(throws: ReplayError.self) {
            try RecordingReplay.run(output.path("nothing"), output: output.url.path)
        }
    }

    @Test(arguments: ["topology.json", "order.json"])
    func brokenJSON(name: String) throws {
        let text = try refusal(name) { String($0.prefix($0.count / 2)) }
        #expect(text.contains(name))
        #expect(text.contains(": line "), "it says where: \(text)")
    }

    @Test func stepWithoutField() throws {
        for (field, operation) in [
            ("cmd", "cmd"), ("frame", "inject"), ("secs", "sleep"), ("label", "snap"), ("t", "inject"),
        ] {
            let staged = try StagedRecording("nat-port")
            let place = try remove(field, ofFirst: operation, staged)
            let text = try refusal(staged)
            #expect(text.contains("order.json: step \(place) has no") && text.contains("\"\(field)\""), "\(text)")
        }
    }

    @Test func stepThatIsNone() throws {
        let text = try refusal("order.json") {
            $0.replacingOccurrences(of: "\"snap\"", with: "\"dance\"")
        }
        #expect(text.contains("order.json") && text.contains("dance"))
    }

    @Test func frameBeyondTheCapture() throws {
        let staged = try StagedRecording("nat-port")
        let place = try change("frame", to: 4711, ofFirst: "inject", staged)
        let text = try refusal(staged)
        #expect(text.contains("step \(place) injects frame 4711") && text.contains("in-eth0.pcap"))
    }

    @Test func unknownInterface() throws {
        let staged = try StagedRecording("nat-port")
        let place = try change("if", to: "eth7", ofFirst: "inject", staged)
        #expect(try refusal(staged).contains("step \(place) injects into eth7"))
    }

    /// pcap files cut within a frame's bytes and within its header, and one that is none.
    @Test(arguments: [1, 60])
    func cutCapture(bytes: Int) throws {
        let staged = try StagedRecording("nat-port")
        let file = staged.folder.url.appendingPathComponent("in-eth0.pcap")
        let whole = try Data(contentsOf: file)
        try whole.dropLast(bytes).write(to: file)
        let frames = try TestSupport.Recording(named: "nat-port").input("eth0").frames
        // 16 bytes of header before each frame.
        let lost = bytes < 16 + (frames.last?.count ?? 0) ? 1 : 2
        let text = try refusal(staged)
        #expect(text.contains("in-eth0.pcap: frame \(frames.count + 1 - lost): "), "\(text)")
        try Data("nonsense".utf8).write(to: file)
        #expect(try refusal(staged).contains("in-eth0.pcap"))
    }

    @Test func topologyThatMakesNoSense() throws {
        for (from, to) in [
            ("02:00:00:00:01:01", "02:00:00"), ("192.0.2.1/24", "192.0.2.1/33"), ("\"10.0.2.254\": {", "\"10.0.2\": {"),
            ("default via 192.0.2.254", "default around 192.0.2.254"), ("\"interfaces\"", "\"faces\""),
        ] {
            let text = try refusal("topology.json") { $0.replacingOccurrences(of: from, with: to) }
            #expect(!text.isEmpty, "\(to)")
        }
    }

    // MARK: Editing steps

    private func change(_ field: String, to value: Any?, ofFirst operation: String, _ staged: StagedRecording) throws
        -> Int
    {
        let file = staged.folder.url.appendingPathComponent("order.json")
        var steps = try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [[String: Any]] ?? []
        var place = steps.firstIndex { $0["op"] as? String == operation }
        if place == nil {
            // Not every recording sleeps.
            steps.append(["n": steps.count, "op": operation, "t": steps.last?["t"] ?? 0])
            place = steps.count - 1
        }
        let found = try #require(place)
        steps[found][field] = value
        try JSONSerialization.data(withJSONObject: steps).write(to: file)
        return found
    }

    private func remove(_ field: String, ofFirst operation: String, _ staged: StagedRecording) throws -> Int {
        try change(field, to: nil, ofFirst: operation, staged)
    }
}
