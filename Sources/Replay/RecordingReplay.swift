import Balancer
import Control
import Dataplane
import Foundation
import PacketIO
import Wire

/// Replays a recording: its steps in order, each at its time, under a virtual clock.
public enum RecordingReplay {
    /// The listings of a snapshot, in order.
    static let listings = [
        "-Ln", "-Ln --stats", "-Ln --rate", "-Lnc", "-Ln --timeout", "-Ln --thresholds", "-Ln --persistent-conn", "-Sn",
    ]

    /// Run the recording in `directory` and write what came of it to `output`.
    public static func run(_ directory: String, output path: String) throws {
        let recording = try Recording(directory)
        let session = try Session(recording.topology)
        let names = recording.topology.interfaces.map(\.name)
        let output = try ReplayOutput(directory: path, interfaces: names)
        let frames = try names.map { try self.frames(recording.capture(of: $0)) }
        let commands = CommandRunner(session)
        for (place, step) in recording.steps.enumerated() {
            guard let time = step.time else { continue }
            session.transmit = { frame, interface in
                if isLeftOut(frame) { return }
                try output.write(frame, interface: interface, step: step.number)
            }
            try session.advance(to: UInt64(time * 1000))
            switch step.operation {
            case .comment: continue
            case .cmd:
                guard let command = step.command else { continue }
                if let result = try commands.run(command, input: step.input ?? "") {
                    output.add(
                        ReplayOutput.Command(
                            n: step.number, rc: Int(result.status), stdout: result.standardOutput,
                            stderr: result.standardError))
                }
            case .inject:
                try inject(step, place, names, frames, session, recording)
            case .sleep:
                try session.advance(to: UInt64((time + (step.seconds ?? 0)) * 1000))
            case .snap:
                for listing in listings {
                    let result = commands.ipvsadm(listing.split(separator: " ").map(String.init))
                    let status = result.status == 0 ? "" : " (rc \(result.status))"
                    output.add(
                        listing: result.standardOutput + result.standardError,
                        heading: "[\(step.label ?? "")] ipvsadm \(listing)\(status)")
                }
            }
        }
        try output.close(withListings: true)
    }

    /// Whether recordings leave a frame out: the recorder takes every IPv6 packet that begins with hop-by-hop options for
    /// one of multicast listener discovery, which is the host's own.
    private static func isLeftOut(_ frame: PacketBytes) -> Bool {
        guard let ethernet = EthernetHeader(frame), ethernet.type == EtherType.ipv6,
            let header = IPv6Header(ethernet.payload)
        else { return false }
        return header.nextHeader == IPProtocol.hopByHop
    }

    private static func inject(
        _ step: RecordedStep, _ place: Int, _ names: [String], _ frames: [[[UInt8]]], _ session: Session,
        _ recording: Recording
    ) throws {
        guard let name = step.interface, let number = step.frame else { return }
        guard let slot = names.firstIndex(of: name) else {
            throw ReplayError("order.json: step \(place) injects into \(name), which is not among the interfaces")
        }
        guard frames[slot].indices.contains(number) else {
            throw ReplayError(
                "order.json: step \(place) injects frame \(number) of \(recording.capture(of: name)), which has \(frames[slot].count)"
            )
        }
        try session.inject(frames[slot][number], interface: slot)
    }

    /// All frames of a capture; none where there is no such file.
    private static func frames(_ path: String) throws -> [[UInt8]] {
        guard FileManager.default.fileExists(atPath: path) else { return [] }
        let reader = try CaptureReader(path: path)
        var frames: [[UInt8]] = []
        while let frame = try reader.next() { frames.append(frame.bytes) }
        return frames
    }
}
