import CLinuxNet
import Glibc
public import Wire

/// Limits of a call.
private enum Limit {
    /// Frames of one `receive`.
    static var frames: UInt32 {
        @_noAllocation @_noLocks get { 64 }
    }
    /// How often `transmit` asks the kernel to go on: it takes 32 frames a call (`net/xdp/xsk.c`, `TX_BATCH_SIZE`).
    static var kicks: Int {
        @_noAllocation @_noLocks get { 96 }
    }
}

extension XDPSocket {
    /// Lend up to 64 received frames. See `Port.receive`.
    @_noAllocation @_noLocks
    public func receive(into frames: UnsafeMutableBufferPointer<Frame>) -> Int {
        giveBackLent()
        let first = receiving.consumed
        let count = min(receiving.waiting, min(Limit.frames, UInt32(truncatingIfNeeded: frames.count)))
        for number in 0..<count {
            let descriptor = receiving.descriptor(first &+ number)
            var frame = self.frames.frame(descriptor.addr, length: descriptor.len)
            frame.offload.recognizePartialChecksum(in: frame.bytes)
            unsafe frames[Int(number)] = frame
        }
        lent = count
        counters.received.add(Int(count))
        return Int(count)
    }

    /// Put the chunks of the last batch into the fill ring, and their descriptors back to the kernel.
    @_noAllocation @_noLocks
    private func giveBackLent() {
        if lent > 0 {
            let first = receiving.consumed
            let filled = filling.produced
            for number in 0..<lent {
                let address = receiving.descriptor(first &+ number).addr & ~UInt64(XDPFrames.chunk &- 1)
                filling.write(filled &+ number, address: address)
            }
            receiving.release(first &+ lent)
            filling.publish(filled &+ lent)
            lent = 0
        }
        if filling.needsWakeup { _ = CLinuxNet_kickReceive(socket.number) }
    }

    /// Send frames, in order. See `Port.transmit`.
    @_noAllocation @_noLocks
    public func transmit(_ frames: UnsafeMutableBufferPointer<Frame>) {
        takeCompleted()
        var next = sending.produced
        var queued = 0
        for index in 0..<frames.count {
            let frame = unsafe frames[index]
            guard frame.length <= XDPFrames.chunk &- 256, !frame.offload.isSuperFrame, makeRoom(next) else {
                counters.transmitDrops.add(1)
                continue
            }
            let address = free.take()
            self.frames.copy(frame, to: address)
            sending.write(next, xdp_desc(addr: address, len: UInt32(truncatingIfNeeded: frame.length), options: 0))
            next &+= 1
            queued &+= 1
        }
        sending.publish(next)
        kick()
        counters.transmitted.add(queued)
    }

    /// Whether a chunk and a descriptor are free, if need be after the kernel has sent what it has.
    @_noAllocation @_noLocks
    private func makeRoom(_ next: UInt32) -> Bool {
        if free.count > 0 { return true }
        sending.publish(next)
        kick()
        takeCompleted()
        return free.count > 0
    }

    /// Have the kernel send what is queued. A kernel that copies sends within the call; one that does not says when it
    /// wants to be asked.
    @_noAllocation @_noLocks
    private func kick() {
        var kicks = Limit.kicks
        while sending.pending > 0, sending.needsWakeup, kicks > 0 {
            let status = CLinuxNet_kickTransmit(socket.number)
            guard status == 0 || status == -EAGAIN || status == -EBUSY || status == -ENOBUFS else { return }
            kicks &-= 1
        }
    }

    /// Take back the chunks that were sent.
    @_noAllocation @_noLocks
    private func takeCompleted() {
        let first = completing.consumed
        let count = completing.waiting
        guard count > 0 else { return }
        for number in 0..<count { free.give(completing.address(first &+ number)) }
        completing.release(first &+ count)
    }
}
