import Foundation

@testable import Configuration

/// Files that tests read.
enum Examples {
    static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    static func text(_ path: String) throws -> String {
        try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)
    }

    /// A file that is refused.
    struct Bad: Sendable, CustomStringConvertible {
        /// After `services:` unless it says otherwise.
        var yaml: String
        var line: Int
        /// Part of the message.
        var says: String
        /// Whether the schema refuses it too: what depends on other keys, only the reader sees.
        var isAgainstSchema = true
        var description: String { says }
    }

    static let bad: [Bad] = [
        Bad(
            yaml: "services: []\nservice: []",
            line: 2, says: "unknown key \"service\" in the file; did you mean \"services\"?"),
        Bad(yaml: "interfaces: [a]", line: 1, says: "services is missing"),
        Bad(
            yaml: "interfaces: [a, a]\nservices: []",
            line: 1, says: "interface a is given twice", isAgainstSchema: false),
        Bad(yaml: "interfaces: [{mtu: 1500}]\nservices: []", line: 1, says: "an interface needs a name"),
        Bad(yaml: "interfaces: [{name: a, mtu: 20}]\nservices: []", line: 1, says: "mtu is 20, but takes 68 to 65535"),
        Bad(yaml: "interfaces: [{name: a, networks: [x]}]\nservices: []", line: 1, says: "\"x\" is no network"),
        Bad(yaml: "marks: [{dst: 1.2.3.4, marc: 5}]\nservices: []", line: 1, says: "did you mean \"mark\"?"),
        Bad(yaml: "marks: [{dst: 1.2.3.4}]\nservices: []", line: 1, says: "mark is missing"),
        Bad(yaml: "marks: [{dst: 1.2.3.4, mark: 0}]\nservices: []", line: 1, says: "mark is 0, but takes"),
        Bad(yaml: "marks: [{mark: 5}]\nservices: []", line: 1, says: "give dst or src"),
        Bad(
            yaml: "marks: [{dst: 1.2.3.4/24, mark: 5}]\nservices: []",
            line: 1, says: "dst 1.2.3.4/24: bits are set behind the prefix; 1.2.3.0/24 has none",
            isAgainstSchema: false),
        Bad(
            yaml: "marks: [{dst: 1.2.3.4, src: \"::1\", mark: 5}]\nservices: []", line: 1, says: "different families",
            isAgainstSchema: false),
        Bad(
            yaml: "marks: [{dst: 1.2.3.4, dport: 80, mark: 5}]\nservices: []", line: 1,
            says: "sport and dport want proto tcp, udp or sctp", isAgainstSchema: false),
        Bad(
            yaml: "marks:\n- {dst: 1.2.3.4, mark: 5}\n- {mark: 5, dst: 1.2.3.4}\nservices: []", line: 3,
            says: "the same mark rule twice", isAgainstSchema: false),
        Bad(yaml: "marks: [{dst: 1.2.3.4, proto: tpc, mark: 5}]\nservices: []", line: 1, says: "proto tpc: tcp, udp"),
        Bad(yaml: "workers: 0\nservices: []", line: 1, says: "workers is 0, but takes 1 to 64"),
        Bad(yaml: "workers: \"2\"\nservices: []", line: 1, says: "workers must be a whole number, not \"2\""),
        Bad(yaml: "timeouts: {tcp: 9, tpc_fin: 3}\nservices: []", line: 1, says: "did you mean \"tcp_fin\"?"),
        Bad(yaml: "settings: {conn_reuse_mod: 1}\nservices: []", line: 1, says: "did you mean \"conn_reuse_mode\"?"),
        Bad(yaml: "settings: {drop_entry: -1}\nservices: []", line: 1, says: "drop_entry is -1, but takes from 0 on"),
        Bad(
            yaml: "pools: {p: [198.18.2.300]}\nservices: []",
            line: 1, says: "\"198.18.2.300\" is no address", isAgainstSchema: false),
        Bad(yaml: "pools: {p: [198.18.2.1, 198.18.2.1]}\nservices: []", line: 1, says: "198.18.2.1 is in pool p twice"),
        Bad(yaml: "services:\n  address: 198.18.10.80:80", line: 2, says: "services must be a list, not a mapping"),
        service("adress: 198.18.10.80:80", says: "did you mean \"address\"?"),
        service("scheduler: rr", says: "a service needs an address"),
        service("address: 198.18.10.80", says: "\"198.18.10.80\" is no address with a port"),
        service("address: 198.18.10.80:70000", says: "is no address with a port", isAgainstSchema: false),
        service("address: [a, b]", says: "a service's address must be text, not a list"),
        service("address: 198.18.10.80:0", says: "port 0 stands for every port", isAgainstSchema: false),
        service("address: 224.0.0.1:80", says: "no address that clients can connect to", isAgainstSchema: false),
        service(
            "address: 198.18.10.80:80\nscheduler: wrrr",
            line: 3, says: "unknown scheduler \"wrrr\"; did you mean \"wrr\"?"),
        service("address: 198.18.10.80:80\nscheduler: 5", line: 3, says: "scheduler must be text"),
        service(
            "address: 198.18.10.80:80\nprotocol: icmp",
            line: 3, says: "unknown protocol \"icmp\"; known are: tcp, udp, sctp"),
        service(
            "address: 198.18.10.80:80\nscheduler: rr\nflags: [port]",
            line: 4, says: "scheduler rr has no flag \"port\"", isAgainstSchema: false),
        service(
            "address: 198.18.10.80:80\nscheduler: rr\ntable_size: 251",
            line: 4, says: "takes no table_size", isAgainstSchema: false),
        service(
            "address: 198.18.10.80:80\nscheduler: maglev\ntable_size: 250",
            line: 4, says: "table_size of maglev is one of 251"),
        service(
            "address: 198.18.10.80:80\npersistence: {time: 3}",
            line: 3, says: "unknown key \"time\" in persistence; known are: timeout, prefix"),
        service(
            "address: 198.18.10.80:80\npersistence: {prefix: 33}",
            line: 3, says: "prefix is 33, but takes 0 to 32", isAgainstSchema: false),
        service(
            "address: 198.18.10.80:80\none_packet: true",
            line: 3, says: "one_packet is for protocol udp only", isAgainstSchema: false),
        service(
            "address: 198.18.10.80:80\none_packet: yes",
            line: 3, says: "one_packet must be true or false, not \"yes\"", isAgainstSchema: false),
        service(
            "address: 198.18.10.80:80\nprotocol: udp\nclient_address: toa",
            line: 4, says: "this client_address is for protocol tcp only", isAgainstSchema: false),
        service("fwmark: 7\naddress: 198.18.10.80:80", line: 3, says: "a fwmark or address, not both"),
        service("fwmark: 0", says: "fwmark is 0, but takes from 1 on"),
        service(
            "address: 198.18.10.80:80\nfamily: ipv4",
            line: 3, says: "family belongs to a fwmark", isAgainstSchema: false),
        service(
            "address: 198.18.10.80:80\npool: egde",
            line: 3, says: "there is no pool \"egde\"", isAgainstSchema: false),
        service(
            "address: 198.18.10.80:80\ndestinations: [10.0.0.1]",
            says: "needs a method: nat, dr, tunnel or fullnat", isAgainstSchema: false),
        service("address: 198.18.10.80:80\nmethod: masq\ndestinations: []", line: 3, says: "unknown method \"masq\""),
        destination("{adres: 10.0.0.1}", says: "unknown key \"adres\" in a destination"),
        destination("{weight: 1}", says: "a destination needs an address"),
        destination("server1", says: "\"server1\" is no address"),
        destination("{address: 10.0.0.1, weight: -1}", says: "weight is -1, but takes from 0 on"),
        destination(
            "{address: 10.0.0.1, upper_threshold: 1, lower_threshold: 2}",
            says: "lower_threshold 2 is above upper_threshold 1", isAgainstSchema: false),
        destination(
            "{address: 10.0.0.1, tunnel: {kind: ipip}}",
            says: "tunnel options are for the method tunnel only", isAgainstSchema: false),
        destination(
            "{address: 10.0.0.1, method: tunnel, tunnel: {kind: gue}}",
            says: "a gue tunnel needs a port", isAgainstSchema: false),
        destination(
            "{address: 10.0.0.1, method: tunnel, tunnel: {checksum: full}}",
            says: "ipip takes none", isAgainstSchema: false),
        destination("0.0.0.0", says: "no address that a packet can be sent to", isAgainstSchema: false),
        destination("\"2001:db8::1\"", says: "is of another family than the service", isAgainstSchema: false),
        destination(
            "{address: 10.0.0.1, method: fullnat}",
            says: "needs a pool with a local address", isAgainstSchema: false),
    ]

    private static func service(
        _ body: String, line: Int = 2, says: String, isAgainstSchema: Bool = true
    ) -> Bad {
        let lines = body.split(separator: "\n").enumerated().map { ($0 == 0 ? "  - " : "    ") + $1 }
        return Bad(
            yaml: "services:\n" + lines.joined(separator: "\n"), line: line, says: says,
            isAgainstSchema: isAgainstSchema)
    }

    private static func destination(_ text: String, says: String, isAgainstSchema: Bool = true) -> Bad {
        service(
            "address: 198.18.10.80:80\nmethod: nat\ndestinations:\n  - \(text)", line: 5, says: says,
            isAgainstSchema: isAgainstSchema)
    }
}
