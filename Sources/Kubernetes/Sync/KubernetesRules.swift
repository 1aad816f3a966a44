import Balancer
public import Control
public import Foundation
import Synchronization

/// The daemon's side of `fairlead kube`: it remembers which rules are a cluster's, and brings a table to what is asked
/// for. Any thread; the caller holds the table's lock.
///
/// What is remembered goes with the daemon, as the rules do. Rules that outlived it (`run --rules`) are recognised when they
/// are exactly what would have been made.
public final class KubernetesRules: Sendable {
    private let owned = Mutex(OwnedRules())

    /// Nothing is ours yet.
    public init() {}

    /// Carry out a request.
    ///
    /// - Parameters:
    ///   - body: A `SyncRequest` as JSON.
    ///   - table: The rules.
    ///   - set: Carries out a setting of `net.ipv4.vs`, given as `NAME=VALUE`.
    public func answer(_ body: Data, _ table: any RuleTable, set: (String) throws -> Void) -> SyncReply {
        var reply = SyncReply()
        do {
            let request = try JSONDecoder().decode(SyncRequest.self, from: body)
            try carryOut(request, table, set, &reply)
        } catch let error as KubernetesError {
            reply.error = error.description
        } catch {
            reply.error = "the daemon does not understand the request"
        }
        return reply
    }

    private func carryOut(
        _ request: SyncRequest, _ table: any RuleTable, _ set: (String) throws -> Void, _ reply: inout SyncReply
    ) throws {
        var desired: [DesiredService] = []
        for service in request.services { desired.append(try service.desired()) }
        var options = SyncOptions()
        options.adopts = request.adopts
        options.excludedPrefixes = request.excluded.compactMap { AddressPrefix($0) }
        var plan = owned.withLock {
            SyncPlan(desired: desired, table: table.services(), owned: $0, options: options)
        }
        reply.changes = plan.changes.count
        reply.draining = plan.draining
        reply.remarks = plan.remarks
        guard !request.isDryRun else {
            reply.lines = plan.changes.map(\.description)
            return
        }
        for setting in request.settings { try set(setting) }
        setTimeouts(request.timeouts, table)
        table.changeRules {
            for change in plan.changes {
                do throws(RuleError) {
                    try change.apply(to: table)
                } catch {
                    plan.owned.forget(change)
                    reply.changes -= 1
                    let remark = change.refused(error)
                    if !reply.remarks.contains(remark) { reply.remarks.append(remark) }
                }
            }
        }
        owned.withLock { [owned = plan.owned] in $0 = owned }
    }

    private func setTimeouts(_ seconds: [UInt32], _ table: any RuleTable) {
        guard seconds.count == 3, seconds.contains(where: { $0 > 0 }) else { return }
        var timeouts = table.timeouts
        if seconds[0] > 0 { timeouts.tcp = seconds[0] }
        if seconds[1] > 0 { timeouts.tcpFin = seconds[1] }
        if seconds[2] > 0 { timeouts.udp = seconds[2] }
        table.timeouts = timeouts
    }
}

extension RuleChange {
    /// Make the change.
    fileprivate func apply(to table: any RuleTable) throws(RuleError) {
        switch self {
        case .addService(let service): try table.addService(service)
        case .editService(let service): try table.editService(service)
        case .removeService(let key): try table.removeService(key)
        case .addDestination(let destination, let key): try table.addDestination(destination, to: key)
        case .editDestination(let destination, let key): try table.editDestination(destination, of: key)
        case .removeDestination(let destination, let key): try table.removeDestination(destination, of: key)
        case .addLocalAddress(let address, let key): try table.addLocalAddress(address, to: key)
        case .removeLocalAddress(let address, let key): try table.removeLocalAddress(address, of: key)
        }
    }
}

extension RuleChange {
    /// What is to be said of a change that was refused; the same for every service where it is one address that cannot
    /// be used.
    fileprivate func refused(_ error: RuleError) -> String {
        guard case .addLocalAddress(let address, _) = self else { return "`\(self)` was refused: \(error.message)" }
        return "connections cannot be masqueraded as \(address): \(error.message)"
    }
}

extension OwnedRules {
    /// A change that would have made something ours was refused.
    fileprivate mutating func forget(_ change: RuleChange) {
        switch change {
        case .addService(let service):
            destinations[service.key] = nil
            localAddresses[service.key] = nil
        case .addDestination(let destination, let key): destinations[key]?.remove(destination.key)
        case .addLocalAddress(let address, let key): localAddresses[key]?.remove(address)
        default: break
        }
    }
}
