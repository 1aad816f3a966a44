import Foundation
import PacketIO
import Wire

/// What a replay writes: a capture for every interface, listings, and what each command answered.
final class ReplayOutput {
    struct Command: Encodable {
        let n: Int
        let rc: Int
        let stdout: String
        let stderr: String
    }

    private let directory: URL
    private let captures: [CaptureWriter]
    private var listings: [String] = []
    private var commands: [Command] = []
    private var stamp: (step: Int, count: Int64) = (-1, 0)

    /// Make the directory, and an empty capture for each interface.
    init(directory path: String, interfaces: [String]) throws {
        directory = URL(fileURLWithPath: path)
        do {
            try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        } catch {
            throw ReplayError("cannot make \(path): \(error.localizedDescription)")
        }
        let directory = directory
        captures = try interfaces.map {
            try CaptureWriter(path: directory.appendingPathComponent("out-\($0).pcap").path)
        }
    }

    /// A frame that left an interface in a step of a recording: its second is the step, its microseconds count up.
    func write(_ bytes: PacketBytes, interface: Int, step: Int) throws {
        stamp = stamp.step == step ? (step, stamp.count + 1) : (step, 1)
        try write(bytes, interface: interface, at: CaptureTimestamp(seconds: Int64(step), microseconds: stamp.count))
    }

    /// A frame that left an interface at a time.
    func write(_ bytes: PacketBytes, interface: Int, at time: CaptureTimestamp) throws {
        try captures[interface].write(bytes, at: time)
    }

    /// A listing under its heading.
    func add(listing: String, heading: String) { listings.append("===== \(heading)\n\(listing)") }

    /// What a command answered.
    func add(_ command: Command) { commands.append(command) }

    /// Write the files out.
    func close(withListings: Bool) throws {
        for capture in captures { try capture.close() }
        if withListings {
            try put(listings.joined(separator: "\n"), "list.txt")
            let encoder = JSONEncoder()
            // Sorted, since the order of keys would otherwise differ from run to run.
            encoder.outputFormatting = [.withoutEscapingSlashes, .sortedKeys]
            let lines = try commands.map { String(decoding: try encoder.encode($0), as: UTF8.self) }
            try put("[\n" + lines.joined(separator: ",\n") + "\n]\n", "commands.json")
        }
    }

    private func put(_ text: String, _ name: String) throws {
        let file = directory.appendingPathComponent(name)
        do {
            try Data(text.utf8).write(to: file)
        } catch {
            throw ReplayError("cannot write \(file.path): \(error.localizedDescription)")
        }
    }
}
