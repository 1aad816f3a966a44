import Foundation
import TestSupport

/// A copy of a recording without its answers, as the judge stages it: what a replay may know.
struct StagedRecording {
    /// What stands in the answers' place.
    enum Answers {
        /// Emptied.
        case empty
        /// Wrong, of the right type.
        case garbage
    }

    private static let lists = ["out", "conns", "dests"]
    private static let texts = ["stdout", "stderr"]

    let folder: TemporaryFolder
    var path: String { folder.url.path }

    init(_ name: String, in recordings: URL = TestSupport.Recording.vectors, answers: Answers = .empty) throws {
        folder = try TemporaryFolder()
        let source = recordings.appendingPathComponent(name)
        for file in try FileManager.default.contentsOfDirectory(atPath: source.path)
        where file == "topology.json" || file == "rules" || file.hasPrefix("in-") {
            try FileManager.default.copyItem(
                at: source.appendingPathComponent(file), to: folder.url.appendingPathComponent(file))
        }
        let data = try Data(contentsOf: source.appendingPathComponent("order.json"))
        var steps = try JSONSerialization.jsonObject(with: data) as? [[String: Any]] ?? []
        for place in steps.indices {
            for key in Self.lists where steps[place][key] != nil {
                steps[place][key] = answers == .empty ? [] : [["if": "eth9", "frame": 4711]]
            }
            for key in Self.texts where steps[place][key] != nil {
                steps[place][key] = answers == .empty ? "" : "nonsense"
            }
            if steps[place]["rc"] != nil { steps[place]["rc"] = answers == .empty ? 0 : 99 }
        }
        try JSONSerialization.data(withJSONObject: steps)
            .write(to: folder.url.appendingPathComponent("order.json"))
        if answers == .garbage {
            for file in ["out-eth0.pcap", "out-eth1.pcap", "list.txt", "trace.txt", "notes.md"] {
                try folder.write("nonsense", file)
            }
        }
    }

    /// Change a file's text.
    func edit(_ name: String, _ change: (String) -> String) throws {
        let file = folder.url.appendingPathComponent(name)
        try folder.write(change(try String(contentsOf: file, encoding: .utf8)), name)
    }
}
