import Foundation

/// The little of HTTP/1.1 (RFC 9112) that the control socket needs: one request, one reply, then the connection ends.
enum HTTPMessage {
    /// The most that a request line and its header fields may take, in bytes.
    static let largestHead = 16 << 10

    /// A request's first line and the length of its body.
    struct Head: Hashable {
        /// The route, what follows a `?` left out.
        var path: String
        /// The body's length in bytes; 0 when no header says.
        var contentLength: Int
    }

    /// Where the head ends and the body begins; nil while the empty line is missing.
    static func bodyStart(in data: Data) -> Int? {
        data.range(of: Data("\r\n\r\n".utf8))?.upperBound
    }

    /// Read a head; nil when it is none, or its body's length is not plainly given.
    static func head(_ data: Data) -> Head? {
        let lines = String(decoding: data, as: UTF8.self).components(separatedBy: "\r\n")
        let words = (lines.first ?? "").split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 3, words[2].hasPrefix("HTTP/1."), words[1].hasPrefix("/") else { return nil }
        var length: Int?
        for line in lines.dropFirst() where !line.isEmpty {
            guard let colon = line.firstIndex(of: ":") else { return nil }
            let value = line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
            switch line[..<colon].lowercased() {
            case "content-length":
                guard length == nil, RuleNumber.isDigits(value), let number = Int(value) else { return nil }
                length = number
            case "transfer-encoding": return nil
            default: break
            }
        }
        let path = words[1].prefix { $0 != "?" }
        return Head(path: String(path), contentLength: length ?? 0)
    }

    /// A reply that ends the connection.
    static func reply(_ status: String, body: Data = Data()) -> Data {
        let head =
            "HTTP/1.1 \(status)\r\nContent-Type: application/json\r\nContent-Length: \(body.count)\r\n"
            + "Connection: close\r\n\r\n"
        return Data(head.utf8) + body
    }
}
