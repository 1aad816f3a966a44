import Testing

@testable import PacketIO

@Suite struct FilterAssemblerTests {
    /// A conditional jump over `distance` instructions goes to the right place either way, near or far.
    @Test(arguments: [0, 1, 200, 254, 255, 256, 257, 300, 3000])
    func conditionalJumpsReachAnyDistance(distance: Int) throws {
        for isTrueFar in [true, false] {
            for value: UInt32 in [5, 6] {
                var assembler = FilterAssembler()
                let far = assembler.label()
                assembler.emit(FilterOperation.loadConstant, value)
                assembler.branch(
                    FilterOperation.isEqual, 5, whenTrue: isTrueFar ? far : nil, whenFalse: isTrueFar ? nil : far)
                for _ in 0..<distance { assembler.emit(FilterOperation.loadConstant, 0) }
                assembler.emit(FilterOperation.end, 1)
                assembler.place(far)
                assembler.emit(FilterOperation.end, 2)
                let verdict = try FilterMachine(program: assembler.assembled()).run([])
                #expect(verdict == ((value == 5) == isTrueFar ? 2 : 1))
            }
        }
    }

    @Test func bothTargetsMayBeFar() throws {
        for value: UInt32 in [4, 5, 6] {
            var assembler = FilterAssembler()
            let more = assembler.label()
            let others = assembler.label()
            assembler.emit(FilterOperation.loadConstant, value)
            assembler.branch(FilterOperation.isGreater, 4, whenTrue: more, whenFalse: others)
            for _ in 0..<400 { assembler.emit(FilterOperation.end, 9) }
            assembler.place(others)
            assembler.emit(FilterOperation.end, 1)
            assembler.place(more)
            assembler.emit(FilterOperation.end, 2)
            #expect(try FilterMachine(program: assembler.assembled()).run([]) == (value > 4 ? 2 : 1))
        }
    }
}
