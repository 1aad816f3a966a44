import Foundation

/// A step of a recording (`order.json`). What the recording says came out of it is not read.
struct RecordedStep: Decodable {
    enum Operation: String, Decodable { case cmd, inject, sleep, snap, comment }

    /// Number, from 0.
    let number: Int
    /// What is done.
    let operation: Operation
    /// Seconds since the recording began; nil for comments.
    let time: Double?
    /// The command of `cmd`.
    let command: String?
    /// What the command of `cmd` read from standard input.
    let input: String?
    /// The interface of `inject`.
    let interface: String?
    /// The frame of `inject`: its place in the interface's capture.
    let frame: Int?
    /// The seconds of `sleep`.
    let seconds: Double?
    /// The label of `snap`.
    let label: String?

    enum CodingKeys: String, CodingKey {
        case number = "n", operation = "op", time = "t", command = "cmd", input = "stdin", interface = "if", frame,
            seconds = "secs", label
    }
}

/// A recording: a directory with a topology, steps in order, and the frames that went in.
struct Recording {
    let topology: Topology
    let steps: [RecordedStep]
    let directory: URL

    /// Read `topology.json` and `order.json` of a directory.
    init(_ path: String) throws {
        directory = URL(fileURLWithPath: path)
        topology = try Topology(path: directory.appendingPathComponent("topology.json").path)
        let file = directory.appendingPathComponent("order.json").path
        let data = try readFile(file)
        do {
            steps = try JSONDecoder().decode([RecordedStep].self, from: data)
        } catch {
            throw ReplayError("\(file): \(Self.explain(error, data))")
        }
        for (place, step) in steps.enumerated() { try Self.check(step, place: place, file: file) }
    }

    /// The capture with the frames that went into an interface.
    func capture(of interface: String) -> String {
        directory.appendingPathComponent("in-\(interface).pcap").path
    }

    private static func check(_ step: RecordedStep, place: Int, file: String) throws {
        func need(_ isThere: Bool, _ field: String) throws {
            guard isThere else { throw ReplayError("\(file): step \(place) has no \"\(field)\"") }
        }
        try need(step.number == place, "n\": \(place), \"")
        switch step.operation {
        case .cmd: try need(step.command != nil, "cmd")
        case .inject: try need(step.interface != nil && step.frame != nil, "if\" or \"frame")
        case .sleep: try need(step.seconds != nil, "secs")
        case .snap: try need(step.label != nil, "label")
        case .comment: return
        }
        try need(step.time != nil, "t")
    }

    /// What is wrong with the JSON in `data`, in a line that says where.
    static func explain(_ error: any Error, _ data: Data) -> String {
        guard let error = error as? DecodingError else { return "\(error)" }
        func place(_ context: DecodingError.Context) -> String {
            let path = context.codingPath.map { $0.intValue.map { "[\($0)]" } ?? $0.stringValue }
            return path.isEmpty ? "" : "at \(path.joined(separator: ".")): "
        }
        switch error {
        case .keyNotFound(let key, let context): return place(context) + "\"\(key.stringValue)\" is missing"
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
            return syntaxError(data) ?? place(context) + context.debugDescription
        @unknown default: return "\(error)"
        }
    }

    /// Where `data` ceases to be JSON. The decoder does not say, on Linux; the older parser names the byte.
    private static func syntaxError(_ data: Data) -> String? {
        do {
            _ = try JSONSerialization.jsonObject(with: data)
            return nil
        } catch {
            let reason = (error as NSError).userInfo["NSDebugDescription"] as? String ?? "not JSON"
            let words = reason.split { !$0.isNumber }
            let offset = words.last.flatMap { Int($0) } ?? data.count
            let line = 1 + data.prefix(offset).count { $0 == UInt8(ascii: "\n") }
            return "line \(line): not JSON: \(reason)"
        }
    }
}

/// A file's bytes, or an error that names it.
func readFile(_ path: String) throws -> Data {
    do {
        return try Data(contentsOf: URL(fileURLWithPath: path))
    } catch {
        let reason = ((error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError)?.localizedDescription
        throw ReplayError("cannot read \(path): \(reason ?? error.localizedDescription)")
    }
}
