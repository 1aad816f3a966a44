import CLinuxNet
import Foundation
import Glibc
import Synchronization
import Wire

@testable import PacketIO

/// A thread that carries every frame between two packet sockets, as a bridge would.
final class Forwarder: Sendable {
    /// What passed.
    struct Totals: Sendable {
        var frames = 0
        var superFrames = 0
        var partialChecksums = 0
        var longest = 0
        var datagramSuperFrames = 0
    }

    let ports: [PacketSocket]
    private let event: Int32
    private let isStopped = Atomic<Bool>(false)
    private let seen = Mutex(Totals())
    private let ended = DispatchSemaphore(value: 0)

    init(_ left: PacketSocket, _ right: PacketSocket) {
        ports = [left, right]
        event = CLinuxNet_openEvent()
        Thread { [self] in
            forward()
            close(event)
            ended.signal()
        }.start()
    }

    /// What passed so far.
    var totals: Totals { seen.withLock { $0 } }

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
                to.transmit(frames)
            }
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
