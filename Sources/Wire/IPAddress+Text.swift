extension IPAddress: CustomStringConvertible, LosslessStringConvertible {
    /// From `10.0.2.1` or `2001:db8::1` (RFC 4291 §2.2, an IPv4 tail included); nil for anything else.
    public init?(_ text: String) {
        self.init(parsing: text[...])
    }

    /// As the initialiser from a string.
    public init?(parsing text: Substring) {
        if text.utf8.contains(UInt8(ascii: ":")) {
            guard let words = Self.words(text) else { return nil }
            var high: UInt64 = 0
            var low: UInt64 = 0
            for index in 0..<4 {
                high = high << 16 | UInt64(words[index])
                low = low << 16 | UInt64(words[index + 4])
            }
            self.init(high: high, low: low)
        } else {
            guard let number = Self.dotted(text) else { return nil }
            self.init(v4: number)
        }
    }

    private static func dotted(_ text: Substring) -> UInt32? {
        var number: UInt32 = 0
        var part: UInt32 = 0
        var digits = 0
        var parts = 1
        for character in text.utf8 {
            switch character {
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                digits += 1
                part = part * 10 + UInt32(character - UInt8(ascii: "0"))
                guard digits <= 3, part <= 255 else { return nil }
            case UInt8(ascii: "."):
                guard digits > 0, parts < 4 else { return nil }
                number = number << 8 | part
                (part, digits, parts) = (0, 0, parts + 1)
            default: return nil
            }
        }
        return digits > 0 && parts == 4 ? number << 8 | part : nil
    }

    private static func dotted(_ number: UInt32) -> String {
        var text: [UInt8] = []
        text.reserveCapacity(15)
        for shift in [24, 16, 8, 0] as [UInt32] {
            let part = UInt8(truncatingIfNeeded: number >> shift)
            if part >= 100 { text.append(part / 100 + UInt8(ascii: "0")) }
            if part >= 10 { text.append(part / 10 % 10 + UInt8(ascii: "0")) }
            text.append(part % 10 + UInt8(ascii: "0"))
            if shift > 0 { text.append(UInt8(ascii: ".")) }
        }
        return String(decoding: text, as: UTF8.self)
    }

    private static func words(_ text: Substring) -> [UInt16]? {
        var text = text
        var tail: [UInt16] = []
        if text.contains("."), let colon = text.lastIndex(of: ":") {
            guard let number = dotted(text[text.index(after: colon)...]) else { return nil }
            tail = [UInt16(number >> 16), UInt16(truncatingIfNeeded: number)]
            text = text[...colon]
            if !text.hasSuffix("::") { text = text.dropLast() }
        }
        func group(_ part: Substring) -> [UInt16]? {
            guard !part.isEmpty else { return [] }
            var words: [UInt16] = []
            for piece in part.split(separator: ":", omittingEmptySubsequences: false) {
                // The standard library's parser would take a sign for a digit.
                guard (1...4).contains(piece.utf8.count), piece.first?.isHexDigit == true,
                    let word = UInt16(piece, radix: 16)
                else { return nil }
                words.append(word)
            }
            return words
        }
        guard let gap = text.range(of: "::") else {
            guard let words = group(text), words.count + tail.count == 8 else { return nil }
            return words + tail
        }
        guard let front = group(text[..<gap.lowerBound]), let back = group(text[gap.upperBound...]),
            front.count + back.count + tail.count < 8
        else { return nil }
        return front + [UInt16](repeating: 0, count: 8 - front.count - back.count - tail.count) + back + tail
    }

    /// As `10.0.2.1` or, in the form of RFC 5952, `2001:db8::1`.
    public var description: String {
        if isV4 { return Self.dotted(v4) }
        let words = (0..<8).map { index -> UInt16 in
            UInt16(truncatingIfNeeded: (index < 4 ? high : low) >> UInt64(16 * (3 - index % 4)))
        }
        var best = 0..<0
        var index = 0
        while index < 8 {
            var end = index
            while end < 8, words[end] == 0 { end += 1 }
            if end - index > best.count, end - index > 1 { best = index..<end }
            index = max(end, index + 1)
        }
        func hexadecimal(_ part: ArraySlice<UInt16>) -> String {
            part.map { String($0, radix: 16) }.joined(separator: ":")
        }
        guard !best.isEmpty else { return hexadecimal(words[...]) }
        return hexadecimal(words[..<best.lowerBound]) + "::" + hexadecimal(words[best.upperBound...])
    }
}

extension Substring {
    fileprivate func range(of gap: String) -> Range<Index>? {
        var index = startIndex
        while index < endIndex {
            if self[index...].hasPrefix(gap) { return index..<self.index(index, offsetBy: gap.count) }
            index = self.index(after: index)
        }
        return nil
    }
}
