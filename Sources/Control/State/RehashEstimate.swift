import Balancer
import Configuration

/// How many clients a change of a service sends to another real server with their next connection, where the scheduler
/// chooses by the client's address.
struct RehashEstimate {
    /// What becomes of the table, and how many established connections it is about; nil: nothing, or no such scheduler.
    let result: (rehash: RulePlan.Rehash, established: Int)?

    init(_ status: ServiceStatus, _ wanted: RuleState.Service) {
        let (old, new) = (status.service, wanted.service)
        // Newest first, as the engine will hold them: what is new comes in front.
        let before = status.destinations.map(\.destination)
        let wantedByKey = Dictionary(
            wanted.destinations.map { ($0.key, $0) }, uniquingKeysWith: { first, _ in first })
        let known = Set(before.map(\.key))
        let after =
            wanted.destinations.filter { !known.contains($0.key) }.reversed()
            + before.compactMap { wantedByKey[$0.key] }
        let keptActive = status.destinations.filter { wantedByKey[$0.destination.key] != nil }
        let hashing: Set<SchedulerKind> = [.sh, .dh, .mh, .maglev, .rendezvous]
        guard hashing.contains(old.scheduler) || hashing.contains(new.scheduler), !before.isEmpty else {
            result = nil
            return
        }
        guard old.scheduler == new.scheduler, old.tableSize == new.tableSize, old.schedulerFlags == new.schedulerFlags
        else {
            result = (
                RulePlan.Rehash(scheduler: new.scheduler.name, places: 0, moved: 1, unavoidable: 0),
                keptActive.reduce(0) { $0 + $1.established(of: new.key) }
            )
            return
        }
        if new.scheduler == .rendezvous {
            result = Self.rendezvous(new.key, before, after, keptActive)
        } else {
            result = Self.table(new, before, after, keptActive)
        }
    }

    private static func table(
        _ service: VirtualService, _ before: [Destination], _ after: [Destination], _ kept: [DestinationStatus]
    ) -> (RulePlan.Rehash, Int)? {
        guard
            let disruption = service.scheduler.tableDisruption(
                from: before, to: after, tableSize: service.tableSize), disruption.moved > 0
        else { return nil }
        let established = kept.reduce(0.0) { sum, status in
            let key = status.destination.key
            guard let owned = disruption.owned[key], owned > 0 else { return sum }
            return sum + Double(status.established(of: service.key)) * Double(disruption.lost[key] ?? 0) / Double(owned)
        }
        let places = Double(disruption.places)
        return (
            RulePlan.Rehash(
                scheduler: service.scheduler.name, places: disruption.places,
                moved: Double(disruption.moved) / places, unavoidable: Double(disruption.unavoidable) / places),
            Int(established.rounded())
        )
    }

    /// Rendezvous hashing moves what the new shares ask for and no more.
    private static func rendezvous(
        _ service: ServiceKey, _ before: [Destination], _ after: [Destination], _ kept: [DestinationStatus]
    ) -> (RulePlan.Rehash, Int)? {
        let (old, new) = (shares(before), shares(after))
        let moved = old.reduce(0.0) { $0 + max(0, $1.value - (new[$1.key] ?? 0)) }
        guard moved > 0 else { return nil }
        let established = kept.reduce(0.0) { sum, status in
            let key = status.destination.key
            guard let share = old[key], share > 0 else { return sum }
            return sum + Double(status.established(of: service)) * max(0, share - (new[key] ?? 0)) / share
        }
        return (
            RulePlan.Rehash(
                scheduler: SchedulerKind.rendezvous.name, places: 0, moved: moved, unavoidable: moved),
            Int(established.rounded())
        )
    }

    private static func shares(_ destinations: [Destination]) -> [DestinationKey: Double] {
        let sum = destinations.reduce(0.0) { $0 + Double($1.weight) }
        guard sum > 0 else { return [:] }
        return Dictionary(
            destinations.map { ($0.key, Double($0.weight) / sum) }, uniquingKeysWith: { first, _ in first })
    }
}
