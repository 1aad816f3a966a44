import Foundation

/// A drain in lines for people.
public enum DrainView {
    /// The one line that says how it stands.
    public static func line(_ reply: DrainReply) -> String {
        switch reply.phase {
        case "waiting":
            let left = count(reply.open, "connection", "connections")
            return "\(left) of \(reply.first) open, \(duration(reply.remainingSeconds)) to the deadline"
        case "cutting": return "deadline: \(count(reply.open, "connection", "connections")) being ended (\(reply.then))"
        case "cancelled": return "cancelled: the real server was given a weight, or deleted"
        default: return end(reply)
        }
    }

    private static func end(_ reply: DrainReply) -> String {
        guard reply.cut > 0 else {
            return switch reply.first {
            case 0: "drained: no connection was open"
            case 1: "drained: the one connection ended by itself"
            default: "drained: all \(reply.first) connections ended by themselves"
            }
        }
        let ended = "drained: \(reply.cut) of \(reply.first) connections were ended at the deadline"
        guard reply.then == "reset" else { return ended }
        return ended + ", \(reply.cut - reply.silent) by reset, \(reply.silent) without a word"
    }

    /// The line, and the holdouts under a heading.
    public static func table(_ reply: DrainReply) -> [String] {
        var lines = [line(reply)]
        guard !reply.holdouts.isEmpty else { return lines }
        lines.append(row("Prot", "Client", "State", "Age", "Bytes"))
        for holdout in reply.holdouts {
            lines.append(
                row(
                    holdout.transport, holdout.client, holdout.state, duration(Double(holdout.ageSeconds)),
                    size(holdout.bytes)))
        }
        if reply.open > reply.holdouts.count { lines.append("and \(reply.open - reply.holdouts.count) more") }
        return lines
    }

    private static func row(_ cells: String...) -> String {
        let widths = [4, 28, 11, 8, 0]
        return zip(cells, widths).map { $0.left($1) }.joined(separator: " ").trimmingCharacters(in: .whitespaces)
    }

    private static func count(_ number: Int, _ one: String, _ many: String) -> String {
        "\(number) \(number == 1 ? one : many)"
    }

    /// Seconds as `12 s`, `3 min 05 s` or `2 h 07 min`.
    static func duration(_ seconds: Double) -> String {
        let whole = Int(seconds.rounded(.up))
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        if whole < 60 { return "\(whole) s" }
        if whole < 3600 { return "\(whole / 60) min \(two(whole % 60)) s" }
        return "\(whole / 3600) h \(two(whole % 3600 / 60)) min"
    }

    /// Bytes as `812 B`, `1.2 kB`, `3.4 MB`, `5.6 GB`.
    static func size(_ bytes: UInt64) -> String {
        guard bytes >= 1000 else { return "\(bytes) B" }
        var value = Double(bytes)
        var unit = ""
        for next in ["kB", "MB", "GB", "TB"] where value >= 999.95 {
            value /= 1000
            unit = next
        }
        let tenths = Int((value * 10).rounded())
        return "\(tenths / 10).\(tenths % 10) \(unit)"
    }

    /// Seconds of `30`, `30s`, `500ms`, `5m`, `2h`; nil for anything else.
    public static func seconds(_ text: String) -> Double? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard let number = Double(digits), digits.count <= 9 else { return nil }
        switch text.dropFirst(digits.count) {
        case "", "s": return number
        case "ms": return number / 1000
        case "m", "min": return number * 60
        case "h": return number * 3600
        default: return nil
        }
    }
}
