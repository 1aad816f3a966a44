import Foundation

/// A recording of the real kernel, as `Tests/Vectors` holds them: what went in and, for the judge's eyes, what came out.
public struct Recording: Sendable {
    /// A frame that came out.
    public struct Output: Hashable, Sendable, Decodable {
        /// Its interface.
        public let interface: String
        /// Its place in `out-INTERFACE.pcap`, from 0.
        public let frame: Int

        private enum CodingKeys: String, CodingKey {
            case interface = "if"
            case frame
        }
    }

    /// What a step did.
    public enum Action: Hashable, Sendable {
        /// A command was run on the director, with its input, status and output.
        case command(String, input: String?, status: Int, output: String, error: String)
        /// A frame was sent into an interface: its place in `in-INTERFACE.pcap`, from 0.
        case inject(interface: String, frame: Int)
        /// Time passed, in seconds.
        case sleep(Double)
        /// Listings were taken.
        case snapshot(label: String)
        /// A remark.
        case comment(String)
    }

    /// One step.
    public struct Step: Hashable, Sendable {
        /// Its number, from 0.
        public let number: Int
        /// Seconds since the bed began; nil for a comment.
        public let time: Double?
        /// What it did.
        public let action: Action
        /// What came out before the next step.
        public let outputs: [Output]
        /// The connection entries afterwards; nil where they were not noted.
        public let connections: [String]?
        /// The servers with their counts afterwards; nil where they were not noted.
        public let destinations: [String]?
    }

    /// Its folder.
    public let directory: URL
    /// Its steps in order.
    public let steps: [Step]

    /// The folder of the project's recordings.
    public static var vectors: URL {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Vectors", isDirectory: true)
    }

    /// The names of the project's recordings, sorted.
    public static var names: [String] {
        let entries = (try? FileManager.default.contentsOfDirectory(atPath: vectors.path)) ?? []
        return entries.filter {
            FileManager.default.fileExists(atPath: vectors.appendingPathComponent($0 + "/order.json").path)
        }.sorted()
    }

    /// Read one of the project's recordings.
    public init(named name: String) throws {
        try self.init(directory: Self.vectors.appendingPathComponent(name, isDirectory: true))
    }

    /// Read a recording.
    public init(directory: URL) throws {
        self.directory = directory
        let order = try Data(contentsOf: directory.appendingPathComponent("order.json"))
        steps = try JSONDecoder().decode([Step].self, from: order)
    }

    /// The frames that were sent into an interface.
    public func input(_ interface: String) throws -> CaptureFile {
        try CaptureFile(path: directory.appendingPathComponent("in-\(interface).pcap").path)
    }

    /// The frames that came out of an interface.
    public func output(_ interface: String) throws -> CaptureFile {
        try CaptureFile(path: directory.appendingPathComponent("out-\(interface).pcap").path)
    }
}

extension Recording.Step: Decodable {
    private enum CodingKeys: String, CodingKey {
        case number = "n"
        case time = "t"
        case operation = "op"
        case command = "cmd"
        case input = "stdin"
        case status = "rc"
        case output = "stdout"
        case error = "stderr"
        case interface = "if"
        case frame
        case seconds = "secs"
        case label
        case text
        case outputs = "out"
        case connections = "conns"
        case destinations = "dests"
    }

    /// From one step of `order.json`.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        number = try values.decode(Int.self, forKey: .number)
        time = try values.decodeIfPresent(Double.self, forKey: .time)
        outputs = try values.decodeIfPresent([Recording.Output].self, forKey: .outputs) ?? []
        connections = try values.decodeIfPresent([String].self, forKey: .connections)
        destinations = try values.decodeIfPresent([String].self, forKey: .destinations)
        switch try values.decode(String.self, forKey: .operation) {
        case "cmd":
            action = .command(
                try values.decode(String.self, forKey: .command),
                input: try values.decodeIfPresent(String.self, forKey: .input),
                status: try values.decode(Int.self, forKey: .status),
                output: try values.decode(String.self, forKey: .output),
                error: try values.decode(String.self, forKey: .error))
        case "inject":
            action = .inject(
                interface: try values.decode(String.self, forKey: .interface),
                frame: try values.decode(Int.self, forKey: .frame))
        case "sleep":
            action = .sleep(try values.decode(Double.self, forKey: .seconds))
        case "snap":
            action = .snapshot(label: try values.decode(String.self, forKey: .label))
        case "comment":
            action = .comment(try values.decode(String.self, forKey: .text))
        case let operation:
            throw DecodingError.dataCorruptedError(
                forKey: .operation, in: values, debugDescription: "unknown step \(operation)")
        }
    }
}
