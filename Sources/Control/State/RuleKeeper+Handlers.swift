import Foundation

extension RuleKeeper {
    /// The routes of the control socket that it answers.
    public var handlers: [String: ControlServer.Handler] {
        [
            RuleRequests.plan: { [self] body in Self.answer(body) { plan($0).shown(asText: $0.asText) } },
            RuleRequests.apply: { [self] body in await Self.answer(body) { await apply($0).shown(asText: $0.asText) } },
            RuleRequests.rollback: { [self] body in
                await Self.answer(body) { await rollback($0).shown(asText: $0.asText) }
            },
            RuleRequests.history: { [self] _ in Self.encode(history()) },
            RuleRequests.export: { [self] _ in Data(export().utf8) },
        ]
    }

    private static func answer<Request: Decodable>(
        _ body: Data, _ reply: (Request) async -> RuleRequests.Reply
    ) async -> Data {
        do {
            return encode(await reply(try JSONDecoder().decode(Request.self, from: body)))
        } catch {
            return encode(RuleRequests.Reply(errors: ["the request cannot be read"]))
        }
    }

    private static func answer<Request: Decodable>(_ body: Data, _ reply: (Request) -> RuleRequests.Reply) -> Data {
        do {
            return encode(reply(try JSONDecoder().decode(Request.self, from: body)))
        } catch {
            return encode(RuleRequests.Reply(errors: ["the request cannot be read"]))
        }
    }

    private static func encode(_ value: some Encodable) -> Data { (try? JSONEncoder().encode(value)) ?? Data() }
}
