import Balancer
import Configuration
import Wire

/// One step of applying a plan.
enum RuleOperation {
    case addService(VirtualService)
    case editService(VirtualService, from: VirtualService)
    case removeService(ServiceKey)
    case addDestination(Destination, ServiceKey)
    case editDestination(Destination, from: Destination, ServiceKey)
    case removeDestination(DestinationKey, ServiceKey)
    case addLocalAddress(IPAddress, ServiceKey)
    case removeLocalAddress(IPAddress, ServiceKey)
    case setMarks([NamedMark], from: [NamedMark])

    func carryOut(on engine: Engine) throws(RuleRefusal) {
        if case .setMarks(let marks, _) = self { return try engine.setMarks(marks) }
        do throws(RuleError) {
            try change(engine)
        } catch {
            throw RuleRefusal("\(subject): \(error.reason)")
        }
    }

    private func change(_ engine: Engine) throws(RuleError) {
        switch self {
        case .addService(let service): try engine.addService(service)
        case .editService(let service, _): try engine.editService(service)
        case .removeService(let key): try engine.removeService(key)
        case .addDestination(let destination, let key): try engine.addDestination(destination, to: key)
        case .editDestination(let destination, _, let key): try engine.editDestination(destination, of: key)
        case .removeDestination(let destination, let key): try engine.removeDestination(destination, of: key)
        case .addLocalAddress(let address, let key): try engine.addLocalAddress(address, to: key)
        case .removeLocalAddress(let address, let key): try engine.removeLocalAddress(address, of: key)
        case .setMarks: break
        }
    }

    /// Undo it. Removals come last in a plan and are refused for nothing that the steps before them do, so they are never
    /// undone.
    func undo(on engine: Engine) {
        switch self {
        case .addService(let service): try? engine.removeService(service.key)
        case .editService(_, let old): try? engine.editService(old)
        case .addDestination(let destination, let key): try? engine.removeDestination(destination.key, of: key)
        case .editDestination(_, let old, let key): try? engine.editDestination(old, of: key)
        case .addLocalAddress(let address, let key): try? engine.removeLocalAddress(address, of: key)
        case .setMarks(_, let old): try? engine.setMarks(old)
        case .removeService, .removeDestination, .removeLocalAddress: break
        }
    }

    /// What it is about, for messages.
    var subject: String {
        switch self {
        case .addService(let service), .editService(let service, _): service.key.title
        case .removeService(let key): key.title
        case .addDestination(let destination, let key), .editDestination(let destination, _, let key):
            "\(key.title), real server \(destination.key.title)"
        case .removeDestination(let destination, let key): "\(key.title), real server \(destination.title)"
        case .addLocalAddress(let address, let key), .removeLocalAddress(let address, let key):
            "\(key.title), local address \(address)"
        case .setMarks: "marks"
        }
    }
}

/// Why rules were not applied; nothing has changed.
public struct RuleRefusal: Error, Hashable, Sendable, CustomStringConvertible {
    /// What was refused and why.
    public var description: String

    init(_ description: String) { self.description = description }
}

extension Engine {
    /// Carry all steps out, or none: in force together, in one publication. Control thread.
    func apply(_ operations: [RuleOperation]) throws(RuleRefusal) {
        try changeRules { () throws(RuleRefusal) in
            for (place, operation) in operations.enumerated() {
                do throws(RuleRefusal) {
                    try operation.carryOut(on: self)
                } catch {
                    for done in operations[..<place].reversed() { done.undo(on: self) }
                    throw error
                }
            }
        }
    }

    /// The interfaces' names by slot, where the network is known.
    private var interfaceNames: [String] { network?().interfaces.map(\.name) ?? [] }

    /// The rules that mark packets, with the names of their interfaces.
    var namedMarks: [NamedMark] {
        let names = interfaceNames
        return markRules.map { NamedMark($0, interfaces: names) }
    }

    /// Put these rules in the place of those there are, or refuse all of them.
    func setMarks(_ marks: [NamedMark]) throws(RuleRefusal) {
        let names = interfaceNames
        var rules: [MarkRule] = []
        for mark in marks {
            guard let rule = mark.resolved(names) else {
                throw RuleRefusal(
                    "mark \(mark): \(mark.interface ?? "") is not one of the director's interfaces, "
                        + names.joined(separator: ", "))
            }
            rules.append(rule)
        }
        do throws(MarkError) {
            try replaceMarks(rules)
        } catch {
            throw RuleRefusal("marks: \(MarkRule.capacity) rules are the most, and none twice")
        }
    }

    /// All that the rules say now, marks, timeouts and settings included. Control thread.
    var ruleState: RuleState {
        var state = RuleState(marks: namedMarks, timeouts: timeouts)
        for setting in Setting.allCases where setting.reasonItIsInert == nil {
            state.settings[setting] = settings[setting]
        }
        forEachRule { service, destinations, localAddresses in
            state.services.append(
                RuleState.Service(
                    service: service, destinations: destinations.reversed(), localAddresses: localAddresses))
        }
        return state
    }
}

extension RuleError {
    /// In words for people who wrote a file.
    var reason: String {
        switch self {
        case .tableFull: "there is no room for more services or destinations (deleted ones keep theirs for 2 minutes)"
        case .outOfRange: "a weight or threshold is out of range"
        case .invalidArgument: "the kernel would refuse it: an address that is not unicast, or a prefix length"
        default: message
        }
    }
}
