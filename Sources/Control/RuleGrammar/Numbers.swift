/// Numbers as ipvsadm reads them: by `strtol(3)` in base 10.
enum RuleNumber {
    /// What `strtol` makes of the whole text: blanks in front, a sign, digits; nil when anything else is there, or
    /// when the number does not fit 64 bits.
    static func long(_ text: String) -> Int64? {
        var digits = Substring(text).utf8.drop { $0 == 0x20 || (0x09...0x0d).contains($0) }
        let isNegative = digits.first == UInt8(ascii: "-")
        if isNegative || digits.first == UInt8(ascii: "+") { digits = digits.dropFirst() }
        guard !digits.isEmpty else { return nil }
        var number: Int64 = 0
        for digit in digits {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
            let (product, overflow) = number.multipliedReportingOverflow(by: 10)
            let value = Int64(digit - UInt8(ascii: "0"))
            let (sum, carry) = product.addingReportingOverflow(isNegative ? -value : value)
            guard !overflow, !carry else { return nil }
            number = sum
        }
        return number
    }

    /// The number that a text begins with, as `atoi(3)` has it: 0 when there is none.
    static func leadingNumber(_ text: String) -> Int64 {
        let blanks = text.utf8.prefix { $0 == 0x20 || (0x09...0x0d).contains($0) }.count
        let rest = text.utf8.dropFirst(blanks)
        let sign = rest.first == UInt8(ascii: "-") || rest.first == UInt8(ascii: "+") ? 1 : 0
        let digits = rest.dropFirst(sign).prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }.count
        return long(String(text.utf8.prefix(blanks + sign + digits)) ?? "") ?? 0
    }

    /// A number within a range; nil otherwise.
    static func number(_ text: String, in range: ClosedRange<Int64>) -> Int64? {
        guard let number = long(text), range.contains(number) else { return nil }
        return number
    }

    /// Whether the text has no character but digits (true for an empty one).
    static func isDigits(_ text: String) -> Bool {
        text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    }

    /// An IPv4 address in the forms of `inet_aton(3)`: one to four parts, each decimal, octal (`0…`) or hexadecimal
    /// (`0x…`), the last one filling what is left.
    static func internetAddress(_ text: some StringProtocol) -> UInt32? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard (1...4).contains(parts.count) else { return nil }
        var address: UInt64 = 0
        for (index, part) in parts.enumerated() {
            guard let number = number(ofPart: part) else { return nil }
            if index < parts.count - 1 {
                guard number <= 0xff else { return nil }
                address |= number << UInt64(24 - 8 * index)
            } else {
                guard number < UInt64(1) << UInt64(32 - 8 * index) else { return nil }
                address |= number
            }
        }
        return UInt32(address)
    }

    private static func number(ofPart text: some StringProtocol) -> UInt64? {
        guard let first = text.utf8.first, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else { return nil }
        if text.hasPrefix("0x") || text.hasPrefix("0X") { return UInt64(text.dropFirst(2), radix: 16) }
        return UInt64(text, radix: text.utf8.count > 1 && first == UInt8(ascii: "0") ? 8 : 10)
    }
}
