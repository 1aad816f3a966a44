import Balancer
import Control
import Foundation
import PacketIO
import Wire

/// Replays captures: their own timestamps drive the clock, rules and topology stay as they are.
public enum CaptureReplay {
    /// Run frames through the rules and write what left each interface to `output`, at the time of its cause.
    /// - Parameters:
    ///   - rules: a file of lines as `ipvsadm -S` writes them; # begins a comment.
    ///   - topology: a file as a recording's `topology.json`.
    ///   - captures: files by the name of the interface their frames come in by.
    public static func run(
        rules: String, topology path: String, captures: [(interface: String, path: String)], output directory: String
    ) throws {
        let topology = try Topology(path: path)
        let session = try Session(topology)
        let names = topology.interfaces.map(\.name)
        let output = try ReplayOutput(directory: directory, interfaces: names)
        try load(rules, CommandRunner(session))
        let readers = try captures.map { capture in
            guard let slot = names.firstIndex(of: capture.interface) else {
                throw ReplayError(
                    "--in \(capture.interface)=…: no such interface; the topology has \(names.joined(separator: ", "))")
            }
            return (slot: slot, reader: try CaptureReader(path: capture.path))
        }
        var start: CaptureTimestamp?
        while let (place, time) = try earliest(readers.map(\.reader)) {
            let begin = start ?? time
            start = begin
            session.transmit = { try output.write($0, interface: $1, at: time) }
            try session.advance(to: milliseconds(from: begin, to: time))
            guard let frame = try readers[place].reader.next() else { break }
            try session.inject(frame.bytes, interface: readers[place].slot)
        }
        try output.close(withListings: false)
    }

    private static func load(_ path: String, _ runner: CommandRunner) throws {
        let text = String(decoding: try readFile(path), as: UTF8.self)
        for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let words = CommandRunner.split(String(line))
            guard let first = words.first, !first.hasPrefix("#") else { continue }
            let command = first.hasPrefix("-") ? "ipvsadm " + line : String(line)
            if let result = try runner.run(command), result.status != 0 {
                let reason = result.standardError.split(separator: "\n").first.map(String.init) ?? ""
                throw ReplayError("\(path) line \(number + 1) `\(line)`: \(reason)")
            }
        }
    }

    /// The reader whose next frame is the oldest.
    private static func earliest(_ readers: [CaptureReader]) throws -> (Int, CaptureTimestamp)? {
        var best: (Int, CaptureTimestamp)?
        for (place, reader) in readers.enumerated() {
            guard let time = try reader.nextTimestamp() else { continue }
            if let current = best, current.1 <= time { continue }
            best = (place, time)
        }
        return best
    }

    private static func milliseconds(from start: CaptureTimestamp, to end: CaptureTimestamp) -> UInt64 {
        let seconds = end.seconds - start.seconds
        return UInt64(max(0, seconds * 1000 + (end.nanoseconds - start.nanoseconds) / 1_000_000))
    }
}
