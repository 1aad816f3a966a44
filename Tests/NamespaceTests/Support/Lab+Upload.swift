import Testing

extension Lab {
    /// Send random data from the client to each of `urls` in turn, in super-frames where its interface makes them. The
    /// servers tell the digest of what came (`Scripts.dualServer`): it must be that of what was sent.
    func uploadsArrive(
        at urls: [String], megabytes: Int, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let body = file("body")
        try await must("client", "dd if=/dev/urandom of=\(body) bs=1M count=\(megabytes) status=none")
        let digest = try await must("client", "sha256sum \(body)").prefix { $0 != " " }
        for url in urls {
            let told = try await run("client", ["curl", "-sS", "--max-time", "50", "-T", body, url])
            #expect(told.lines.first == String(digest), "\(url): \(told)", sourceLocation: sourceLocation)
        }
    }
}
