public import Balancer
public import Foundation
import Wire

/// What `fairlead drain` asks the daemon: to begin a drain, or how one stands.
public struct DrainRequest: Codable, Sendable {
    /// Where it is sent.
    public static let route = "/drain"
    /// The most holdouts that a reply lists.
    public static let mostHoldouts = 1000

    /// The real server, in ipvsadm's words: `-t VIP:PORT -r RIP:PORT`.
    public var target: [String]
    /// Seconds until the deadline; nil: no drain is begun, and the one at hand is shown.
    public var seconds: Double?
    /// `reset` or `reassign`.
    public var then: String
    /// Holdouts to list.
    public var most: Int

    /// From its parts.
    public init(target: [String], seconds: Double?, then: String, most: Int) {
        self.target = target
        self.seconds = seconds
        self.then = then
        self.most = most
    }
}

/// How a drain stands.
public struct DrainReply: Codable, Sendable {
    /// One connection that is still open.
    public struct Holdout: Codable, Hashable, Sendable {
        /// `TCP`, `UDP` or `SCTP`.
        public var transport: String
        /// Address and port.
        public var client: String
        /// The state as `-Lc` names it.
        public var state: String
        /// Seconds since it was opened.
        public var ageSeconds: Int
        /// Bytes (IP total length) both ways.
        public var bytes: UInt64
    }

    /// Why there is no drain; nil where there is one, and then the others are set.
    public var error: String?
    /// `waiting`, `cutting`, `done` or `cancelled`.
    public var phase = ""
    /// Seconds to the deadline.
    public var remainingSeconds = 0.0
    /// Connections that were open when it began.
    public var first = 0
    /// Connections that are open now.
    public var open = 0
    /// Connections that were open at the deadline.
    public var cut = 0
    /// Of these, those that ended without a reset.
    public var silent = 0
    /// `reset` or `reassign`.
    public var then = ""
    /// Open connections, the oldest first.
    public var holdouts: [Holdout] = []

    init(error: String) { self.error = error }

    init(_ status: DrainStatus) {
        phase = status.phase.rawValue
        remainingSeconds = Double(status.remainingMilliseconds) / 1000
        first = status.first
        open = status.open
        cut = status.cut
        silent = status.silent
        then = status.ending.rawValue
        var names = EndpointNames(resolver: nil)
        holdouts = status.holdouts.map {
            Holdout(
                transport: IPProtocol.listedName($0.transportProtocol), client: names.text($0.client, nil),
                state: $0.state, ageSeconds: $0.ageSeconds, bytes: $0.bytes)
        }
    }
}

extension DrainRequest {
    /// Carry a request out. The caller has the rules to itself.
    public static func answer(_ body: Data, _ engine: Engine, resolver: any NameResolver) -> Data {
        let reply: DrainReply
        do {
            reply = try JSONDecoder().decode(DrainRequest.self, from: body).carryOut(engine, resolver)
        } catch {
            reply = DrainReply(error: "not a drain request: \(error)")
        }
        return (try? JSONEncoder().encode(reply)) ?? Data()
    }

    private func carryOut(_ engine: Engine, _ resolver: any NameResolver) -> DrainReply {
        let command: Command
        do throws(UsageError) {
            command = try CommandParser(program: "fairlead drain", resolver: resolver).parse(["-d"] + target)
        } catch {
            return DrainReply(error: error.message.trimmingCharacters(in: .whitespacesAndNewlines))
        }
        guard case .deleteDestination(let destination, let service) = command else {
            return DrainReply(error: "name a virtual service and one of its real servers")
        }
        if let seconds {
            guard let ending = DrainEnding(rawValue: then) else {
                return DrainReply(error: "`\(then)' is no way to end a drain: reset or reassign")
            }
            guard seconds >= 0, seconds <= Double(CommandDraft.maximumTimeout) else {
                return DrainReply(error: "a deadline lies between 0 s and 31 days ahead")
            }
            do throws(RuleError) {
                try engine.drain(
                    destination, of: service, milliseconds: UInt64(seconds * 1000), then: ending)
            } catch {
                return DrainReply(error: error.message)
            }
        }
        let most = max(0, min(most, Self.mostHoldouts))
        guard let status = engine.drainStatus(destination, of: service, most: most) else {
            return DrainReply(error: "this real server is not being drained")
        }
        return DrainReply(status)
    }
}
