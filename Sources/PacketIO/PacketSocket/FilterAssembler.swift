/// Puts a classic BPF program together from instructions and labels.
///
/// A conditional jump reaches 255 instructions only; one that must go farther gets a `ja` of its own behind it, which
/// reaches everything. All jumps go forward, as the kernel demands.
struct FilterAssembler {
    /// A place in the program, named before it is known.
    struct Label: Hashable {
        fileprivate let index: Int
    }

    private enum Item {
        case plain(code: UInt16, operand: UInt32)
        case jump(Label)
        /// A target of nil is the next instruction.
        case branch(code: UInt16, operand: UInt32, whenTrue: Label?, whenFalse: Label?)
        case place(Label)
    }

    /// Which targets of a conditional jump are reached through a `ja`.
    private struct Reach {
        var trueIsFar = false
        var falseIsFar = false
        var size: Int { 1 + (trueIsFar ? 1 : 0) + (falseIsFar ? 1 : 0) }
    }

    private var items: [Item] = []
    private var labels = 0

    /// A new label, to be placed later.
    mutating func label() -> Label {
        labels += 1
        return Label(index: labels - 1)
    }

    /// The next instruction is where `label` is.
    mutating func place(_ label: Label) { items.append(.place(label)) }

    /// An instruction that does not jump.
    mutating func emit(_ code: UInt16, _ operand: UInt32 = 0) { items.append(.plain(code: code, operand: operand)) }

    /// Go to `label`.
    mutating func jump(_ label: Label) { items.append(.jump(label)) }

    /// Compare A with `operand` by the operation `code` and go to either label, or on where it is nil.
    mutating func branch(
        _ code: UInt16, _ operand: UInt32, whenTrue: Label? = nil, whenFalse: Label? = nil
    ) {
        items.append(.branch(code: code, operand: operand, whenTrue: whenTrue, whenFalse: whenFalse))
    }

    /// The program. Its length may be more than the kernel takes.
    func assembled() -> [FilterInstruction] {
        var reaches = [Reach](repeating: Reach(), count: items.count)
        var positions = positions(reaches)
        while lengthen(&reaches, positions) { positions = self.positions(reaches) }
        return instructions(reaches, positions)
    }

    /// Where each label is, given what the jumps before it take.
    private func positions(_ reaches: [Reach]) -> [Int] {
        var positions = [Int](repeating: 0, count: labels)
        var position = 0
        for (item, reach) in zip(items, reaches) {
            switch item {
            case .plain, .jump: position += 1
            case .branch: position += reach.size
            case .place(let label): positions[label.index] = position
            }
        }
        return positions
    }

    /// Give a `ja` to each target that is too far. False when there was none: the program fits.
    private func lengthen(_ reaches: inout [Reach], _ positions: [Int]) -> Bool {
        var isChanged = false
        var position = 0
        for (index, item) in items.enumerated() {
            switch item {
            case .plain, .jump: position += 1
            case .place: break
            case .branch(_, _, let whenTrue, let whenFalse):
                let next = position + 1
                position += reaches[index].size
                if let whenTrue, !reaches[index].trueIsFar, positions[whenTrue.index] - next > 255 {
                    reaches[index].trueIsFar = true
                    isChanged = true
                }
                if let whenFalse, !reaches[index].falseIsFar, positions[whenFalse.index] - next > 255 {
                    reaches[index].falseIsFar = true
                    isChanged = true
                }
            }
        }
        return isChanged
    }

    private func instructions(_ reaches: [Reach], _ positions: [Int]) -> [FilterInstruction] {
        var program: [FilterInstruction] = []
        func distance(_ label: Label) -> Int {
            let distance = positions[label.index] - program.count - 1
            precondition(distance >= 0, "a jump goes backwards")
            return distance
        }
        for (item, reach) in zip(items, reaches) {
            switch item {
            case .plain(let code, let operand):
                program.append(FilterInstruction(code: code, operand: operand))
            case .jump(let label):
                program.append(FilterInstruction(code: FilterOperation.jump, operand: UInt32(distance(label))))
            case .branch(let code, let operand, let whenTrue, let whenFalse):
                let onward = reach.size - 1
                let yes = reach.trueIsFar ? 0 : whenTrue.map(distance) ?? onward
                let no = reach.falseIsFar ? (reach.trueIsFar ? 1 : 0) : whenFalse.map(distance) ?? onward
                program.append(
                    FilterInstruction(code: code, whenTrue: UInt8(yes), whenFalse: UInt8(no), operand: operand))
                for case let label? in [reach.trueIsFar ? whenTrue : nil, reach.falseIsFar ? whenFalse : nil] {
                    program.append(FilterInstruction(code: FilterOperation.jump, operand: UInt32(distance(label))))
                }
            case .place:
                break
            }
        }
        return program
    }
}
