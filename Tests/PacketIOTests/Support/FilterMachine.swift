@testable import PacketIO

/// Runs a classic BPF program as the kernel does (Documentation/networking/filter.rst), for comparison with a model.
struct FilterMachine {
    /// Facts of a frame that are not in its bytes.
    struct Context {
        var packetType: UInt32 = 0
        var hasVLANTag = false
    }

    enum Failure: Error, Equatable { case badInstruction(Int), unwrittenScratch(Int), runsOffTheEnd }

    let program: [FilterInstruction]

    /// Bytes to keep of `frame`: 0 rejects it. A load outside of the frame rejects.
    func run(_ frame: [UInt8], _ context: Context = Context()) throws -> UInt32 {
        var a: UInt32 = 0
        var x: UInt32 = 0
        var scratch = [UInt32?](repeating: nil, count: 16)
        var pc = 0
        func load(_ offset: UInt32, _ size: Int) -> UInt32? {
            if offset == FilterOperation.packetType { return context.packetType }
            if offset == FilterOperation.hasVLANTag { return context.hasVLANTag ? 1 : 0 }
            let start = Int(offset)
            guard start + size <= frame.count else { return nil }
            return frame[start..<start + size].reduce(0) { $0 << 8 | UInt32($1) }
        }
        while pc < program.count {
            let instruction = program[pc]
            let k = instruction.operand
            pc += 1
            func branch(_ holds: Bool) { pc += Int(holds ? instruction.whenTrue : instruction.whenFalse) }
            func get(_ offset: UInt32, _ size: Int) -> Bool {
                guard let value = load(offset, size) else { return false }
                a = value
                return true
            }
            switch instruction.code {
            case 0x20: if !get(k, 4) { return 0 }
            case 0x28: if !get(k, 2) { return 0 }
            case 0x30: if !get(k, 1) { return 0 }
            case 0x40: if !get(x &+ k, 4) { return 0 }
            case 0x48: if !get(x &+ k, 2) { return 0 }
            case 0x50: if !get(x &+ k, 1) { return 0 }
            case 0x80: a = UInt32(frame.count)
            case 0x00: a = k
            case 0x60:
                guard let word = scratch[Int(k)] else { throw Failure.unwrittenScratch(pc - 1) }
                a = word
            case 0xb1:
                guard let byte = load(k, 1) else { return 0 }
                x = 4 * (byte & 15)
            case 0x02: scratch[Int(k)] = a
            case 0x07: x = a
            case 0x1c: a = a &- x
            case 0x4c: a |= x
            case 0x64: a <<= k
            case 0x05: pc += Int(k)
            case 0x15: branch(a == k)
            case 0x25: branch(a > k)
            case 0x35: branch(a >= k)
            case 0x45: branch(a & k != 0)
            case 0x06: return k
            default: throw Failure.badInstruction(pc - 1)
            }
        }
        throw Failure.runsOffTheEnd
    }
}
