import CLinuxNet
import Foundation
import Glibc
import Synchronization
import Wire

@testable import PacketIO

/// What passed a `Forwarder`.
struct ForwarderTotals: Sendable {
    var frames = 0
    var superFrames = 0
    var partialChecksums = 0
    var longest = 0
    var datagramSuperFrames = 0
}

/// A thread that carries every frame between two ports, as a bridge would.
final class Forwarder<Interface: PacketIO.Port & Sendable>: Sendable {
    let ports: [Interface]
    private let event: Int32
    private let isStopped = Atomic<Bool>(false)
    private let seen = Mutex(ForwarderTotals())
    private let ended = DispatchSemaphore(value: 0)

    init(_ left: Interface, _ right: Interface) {
        ports = [left, right]
        event = CLinuxNet_openEvent()
        Thread { [self] in
            forward()
            close(event)
            ended.signal()
        }.start()
    }

    /// What passed so far.
    var totals: ForwarderTotals { seen.withLock { $0 } }

    /// Stop the thread and wait for it; false when it does not end. Once only.
    func stop() -> Bool {
        isStopped.store(true, ordering: .relaxed)
        CLinuxNet_signalEvent(event)
        return ended.wait(timeout: .now() + 10) == .success
    }

    private func forward() {
        let slots = FrameSlots()
        while !isStopped.load(ordering: .relaxed) {
            var waiting = (ports.compactMap(\.descriptor) + [event]).map {
                pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
            }
            _ = CLinuxNet_poll(&waiting, UInt32(waiting.count), -1)
            for (from, to) in [(ports[0], ports[1]), (ports[1], ports[0])] {
                let count = from.receive(into: slots.slots)
                guard count > 0 else { continue }
                let frames = UnsafeMutableBufferPointer(rebasing: slots.slots[..<count])
                note(frames)
                if !to.capabilities.carriesPartialChecksums { complete(frames) }
                to.transmit(frames)
            }
        }
    }

    private func complete(_ frames: UnsafeMutableBufferPointer<Frame>) {
        for frame in frames where frame.offload.needsChecksum {
            // A UDP checksum is 6 bytes into its header, a TCP one 16.
            TransportChecksum.complete(
                frame.bytes.dropping(Int(frame.offload.checksumStart)), at: Int(frame.offload.checksumOffset),
                isUDP: frame.offload.checksumOffset == 6)
        }
    }

    private func note(_ frames: UnsafeMutableBufferPointer<Frame>) {
        seen.withLock { totals in
            for frame in frames {
                totals.frames += 1
                totals.longest = max(totals.longest, frame.length)
                if frame.offload.isSuperFrame { totals.superFrames += 1 }
                if frame.offload.needsChecksum { totals.partialChecksums += 1 }
                if frame.offload.segmentation == OffloadFacts.Segmentation.udpL4 { totals.datagramSuperFrames += 1 }
            }
        }
    }
}
