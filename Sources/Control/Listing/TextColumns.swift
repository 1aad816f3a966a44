/// Columns of text as `printf` makes them; what is too long runs over.
extension String {
    /// The text, filled up with blanks behind (`%-Ns`).
    func left(_ width: Int) -> String {
        let missing = width - utf8.count
        return missing > 0 ? self + String(repeating: " ", count: missing) : self
    }

    /// The text, filled up with blanks in front (`%Ns`).
    func right(_ width: Int) -> String {
        let missing = width - utf8.count
        return missing > 0 ? String(repeating: " ", count: missing) + self : self
    }
}

extension FixedWidthInteger {
    /// The number, filled up with blanks behind (`%-Nu`).
    func left(_ width: Int) -> String { String(self).left(width) }
}

/// A counter of `--stats` or `--rate`: a blank and eight places.
enum TrafficNumber {
    /// Up to eight digits as they are, then thousands (K), millions (M), thousand millions (G) and so on (T), in
    /// decimal steps and cut, not rounded; `isExact`: all digits.
    static func text(_ number: UInt64, isExact: Bool) -> String {
        if isExact || number < 100_000_000 { return " " + String(number).right(8) }
        let (scaled, unit) =
            switch number {
            case ..<1_000_000_000: (number / 1000, "K")
            case ..<100_000_000_000: (number / 1_000_000, "M")
            case ..<100_000_000_000_000: (number / 1_000_000_000, "G")
            default: (number / 1_000_000_000_000, "T")
            }
        return String(scaled).right(8) + unit
    }
}
