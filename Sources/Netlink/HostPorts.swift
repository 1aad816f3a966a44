/// The ports that Linux gives connections which the host opens itself.
public enum HostPorts {
    /// Those of this network namespace: `net.ipv4.ip_local_port_range`, which holds for IPv6 too, without
    /// `net.ipv4.ip_local_reserved_ports`. Of a list longer than 256 bytes the first ones count. Any thread.
    public static var automatic: [ClosedRange<UInt16>] {
        func text(_ name: String) -> String { String(decoding: readFile("/proc/sys/net/ipv4/\(name)"), as: UTF8.self) }
        return ranges(range: text("ip_local_port_range"), reserved: text("ip_local_reserved_ports"))
    }

    /// The same of the settings' texts: `32768\t60999` and `8080,9148-9150`.
    static func ranges(range: String, reserved: String) -> [ClosedRange<UInt16>] {
        let ends = range.split(whereSeparator: \.isWhitespace).compactMap { UInt16($0) }
        guard ends.count == 2, ends[0] <= ends[1] else { return [] }
        var left = [ends[0]...ends[1]]
        for part in reserved.split(whereSeparator: { $0 == "," || $0.isWhitespace }) {
            let ends = part.split(separator: "-").compactMap { UInt16($0) }
            guard let first = ends.first, let last = ends.last, first <= last else { continue }
            left = left.flatMap { without(first...last, $0) }
        }
        return left
    }

    /// What is left of `range` without `gap`.
    private static func without(_ gap: ClosedRange<UInt16>, _ range: ClosedRange<UInt16>) -> [ClosedRange<UInt16>] {
        guard gap.overlaps(range) else { return [range] }
        var left: [ClosedRange<UInt16>] = []
        if range.lowerBound < gap.lowerBound { left.append(range.lowerBound...(gap.lowerBound - 1)) }
        if range.upperBound > gap.upperBound { left.append((gap.upperBound + 1)...range.upperBound) }
        return left
    }
}
