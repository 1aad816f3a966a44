import CLinuxNet
import Glibc
public import Wire

/// Limits of a call. Not in the class: naming its metadata is more than the packet path may do.
private enum Limit {
    /// Frames of one system call.
    static let frames = 64
    /// How many errors of the socket are taken for frames that wait on it.
    static let errors = 4
    /// How often `transmit` waits for room in one batch before frames are given up.
    static let waits = 8
    /// How long it waits for the socket's buffer to drain, in nanoseconds: it ends when there is room.
    static let bufferWait: Int64 = 1_000_000
    /// How long it waits when the interface's queue is full, in nanoseconds: nothing tells when it no longer is.
    static let queueWait: Int64 = 50_000
}

extension PacketSocket {
    /// The most frames of one system call.
    public static var batch: Int { Limit.frames }

    /// Lend up to 64 received frames. See `Port.receive`.
    @_noAllocation @_noLocks
    public func receive(into frames: UnsafeMutableBufferPointer<Frame>) -> Int {
        let limit = min(frames.count, Limit.frames)
        let count =
            ring.count > 0 ? unsafe receiveByRing(into: frames, limit) : unsafe receiveByCalls(into: frames, limit)
        counters.received.add(count)
        return count
    }

    @_noAllocation @_noLocks
    private func receiveByCalls(into frames: UnsafeMutableBufferPointer<Frame>, _ limit: Int) -> Int {
        let messages = receiving.receive(from: socket.number, into: 0..<limit)
        guard messages > 0 else {
            // EINVAL: a frame whose offload the virtio-net header cannot say is consumed and lost. ENETDOWN and the like
            // tell something of the interface, not of a frame.
            if messages == -Int(EINVAL) { counters.receiveDrops.add(1) }
            return 0
        }
        var count = 0
        for slot in 0..<messages {
            if seesOutgoing, receiving.isOutgoing(slot) { continue }
            unsafe lendMessage(slot, frames, &count)
        }
        return count
    }

    @_noAllocation @_noLocks
    private func receiveByRing(into frames: UnsafeMutableBufferPointer<Frame>, _ limit: Int) -> Int {
        let lent = ring.lend(limit)
        let messages = lent.copied > 0 ? receiveCopied(lent.copied) : 0
        var message = 0
        var count = 0
        for slot in 0..<lent.count {
            let isOutgoing = seesOutgoing ? ring.isOutgoing(slot) : false
            if ring.isCopied(slot) {
                guard message < messages else {
                    counters.receiveDrops.add(1)
                    continue
                }
                if !isOutgoing { unsafe lendMessage(message, frames, &count) }
                message &+= 1
            } else if !isOutgoing {
                guard !ring.isCut(slot) else {
                    counters.receiveDrops.add(1)
                    continue
                }
                unsafe lend(ring.frame(slot), frames, &count)
            }
        }
        return count
    }

    /// Receive the frames that did not fit into their slots. They are on the socket in the order of these before the slots
    /// say so; what an interface that went down left there is an error before them.
    @_noAllocation @_noLocks
    private func receiveCopied(_ copied: Int) -> Int {
        var received = 0
        var errors = 0
        while received < copied, errors < Limit.errors {
            let messages = receiving.receive(from: socket.number, into: received..<copied)
            if messages > 0 { received &+= messages } else { errors &+= 1 }
        }
        return received
    }

    /// Lend what message `slot` received, unless it was cut.
    @_noAllocation @_noLocks
    private func lendMessage(_ slot: Int, _ frames: UnsafeMutableBufferPointer<Frame>, _ count: inout Int) {
        let length = receiving.length(slot) &- OffloadFacts.virtioHeaderLength
        guard length >= 0, !receiving.isCut(slot) else {
            counters.receiveDrops.add(1)
            return
        }
        var frame = buffers.frame(slot)
        frame.length = length
        unsafe lend(frame, frames, &count)
    }

    @_noAllocation @_noLocks
    private func lend(_ frame: Frame, _ frames: UnsafeMutableBufferPointer<Frame>, _ count: inout Int) {
        unsafe frames[count] = frame
        unsafe frames[count].offload = OffloadFacts(
            virtioHeader: UnsafeRawPointer(frame.bytes.pointer(at: -OffloadFacts.virtioHeaderLength)))
        count &+= 1
    }

    /// Send frames, in order. See `Port.transmit`. The 10 bytes before each frame are overwritten, so no two frames of a
    /// call may overlap there.
    @_noAllocation @_noLocks
    public func transmit(_ frames: UnsafeMutableBufferPointer<Frame>) {
        var first = 0
        while first < frames.count {
            let end = min(first &+ Limit.frames, frames.count)
            var prepared = 0
            for index in first..<end {
                let frame = unsafe frames[index]
                guard frame.start >= OffloadFacts.virtioHeaderLength else {
                    refuse(1, noHeadroom)
                    continue
                }
                unsafe frame.offload.writeVirtioHeader(
                    to: frame.bytes.pointer(at: -OffloadFacts.virtioHeaderLength))
                sending.cover(prepared, frame, length: frame.length &+ OffloadFacts.virtioHeaderLength)
                prepared &+= 1
            }
            send(prepared)
            first = end
        }
    }

    /// Send the first `count` messages of `sending`: all of them, or counted why not.
    @_noAllocation @_noLocks
    private func send(_ count: Int) {
        var next = 0
        var waits = Limit.waits
        while next < count {
            let sent = sending.send(to: socket.number, from: next, end: count)
            if sent > 0 {
                counters.transmitted.add(sent)
                next &+= sent
                continue
            }
            switch Int32(truncatingIfNeeded: -sent) {
            case EAGAIN, ENOBUFS:
                if waits > 0 {
                    waits &-= 1
                    waitForRoom(isBuffer: sent == -Int(EAGAIN))
                } else {
                    refuse(1, queueFull)
                    next &+= 1
                }
            case ENETDOWN, ENXIO, ENODEV:
                refuse(count &- next, interfaceDown)
                next = count
            case EMSGSIZE:
                refuse(1, tooBig)
                next &+= 1
            default:
                refuse(1, invalid)
                next &+= 1
            }
        }
    }

    /// Wait for room in the socket's buffer, or a moment for the interface's queue to drain.
    @_noAllocation @_noLocks
    private func waitForRoom(isBuffer: Bool) {
        guard isBuffer else {
            _ = CLinuxNet_poll(nil, 0, Limit.queueWait)
            return
        }
        var waiting = pollfd(fd: socket.number, events: Int16(POLLOUT), revents: 0)
        _ = unsafe CLinuxNet_poll(&waiting, 1, Limit.bufferWait)
    }

    @_noAllocation @_noLocks
    private func refuse(_ count: Int, _ reason: borrowing Counter) {
        reason.add(count)
        counters.transmitDrops.add(count)
    }
}
