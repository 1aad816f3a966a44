import Foundation
import Testing

@testable import Control

@Suite struct HTTPMessageTests {
    @Test func aHeadIsReadUpToItsEmptyLine() throws {
        let data = Data("POST /ipvsadm?x=1 HTTP/1.1\r\nHost: a\r\nCONTENT-LENGTH:  12 \r\n\r\nbody".utf8)
        let start = try #require(HTTPMessage.bodyStart(in: data))
        #expect(data[start...] == Data("body".utf8))
        #expect(HTTPMessage.head(data[..<start]) == HTTPMessage.Head(path: "/ipvsadm", contentLength: 12))
        #expect(HTTPMessage.bodyStart(in: data[..<(start - 1)]) == nil)
    }

    @Test func withoutALengthThereIsNoBody() {
        #expect(HTTPMessage.head(Data("GET /status HTTP/1.0\r\n\r\n".utf8))?.contentLength == 0)
    }

    @Test(arguments: [
        "", "GET\r\n\r\n", "GET / FTP/1.1\r\n\r\n", "GET  HTTP/1.1\r\n\r\n", "GET x HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "POST / HTTP/1.1\r\nContent-Length: 1x\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", "POST / HTTP/1.1\r\nnonsense\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", "\u{1}\u{2}\r\n\r\n",
    ]) func whatIsNoPlainHeadIsRefused(text: String) {
        #expect(HTTPMessage.head(Data(text.utf8)) == nil)
    }
}
