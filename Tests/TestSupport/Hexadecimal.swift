/// The bytes of hexadecimal text such as `4500 0028`; white space is skipped. Anything else ends the test run.
public func hexadecimal(_ text: String) -> [UInt8] {
    let digits = text.filter { !$0.isWhitespace }
    return stride(from: 0, to: digits.utf8.count, by: 2).map { offset in
        let start = digits.index(digits.startIndex, offsetBy: offset)
        guard let byte = UInt8(digits[start...].prefix(2), radix: 16) else {
            preconditionFailure("not hexadecimal: \(text)")
        }
        return byte
    }
}
