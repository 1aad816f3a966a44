public import Balancer
import CLinuxNet
import Glibc
import Synchronization
import SystemPackage

/// Keeps the host's own stack from also handling what the director owns: an nf_tables table of the netdev family that
/// drops it at the ingress of the director's interfaces, behind the packet sockets, which still get every frame.
///
/// The table belongs to the guard's socket (`NFT_TABLE_F_OWNER`): nobody else can change it, `nft list` shows it, and
/// the kernel removes it when the socket is closed, however the process ends. Everything happens in the network namespace
/// of the thread that made the guard; its methods may be called on any thread.
public final class Guard: Sendable {
    /// The table's name.
    public let table: String
    private let interfaces: [String]
    private let state: Mutex<State>

    private struct State {
        var socket: NetlinkSocket?
        /// What the kernel's sets hold.
        var applied: Set<GuardElement> = []
        /// What its chains of marked packets hold.
        var marked: [GuardedMark] = []
        /// The interfaces' kernel indices by slot, as they were hooked.
        var hooked: [UInt32]
        var asksRoutes: Bool
    }

    /// Make the table, which drops nothing yet.
    ///
    /// - Parameters:
    ///   - interfaces: The director's interfaces, by slot.
    ///   - table: The table's name; one with the process's number unless given.
    ///   - asksRoutes: Whether the kernel may be asked which packets are addressed to the host; nil: when it can.
    /// - Throws: `missingNfTables` when the kernel cannot do it, `noSuchInterface`, or what the kernel said.
    public init(
        interfaces: [String], table: String? = nil, asksRoutes: Bool? = nil
    ) throws(NetlinkError) {
        self.table = table ?? "fairlead_\(getpid())"
        self.interfaces = interfaces
        var indices: [UInt32] = []
        for name in interfaces {
            let index = unsafe if_nametoindex(name)
            guard index != 0 else { throw .noSuchInterface(name) }
            indices.append(index)
        }
        let socket: NetlinkSocket
        do throws(NetlinkError) {
            socket = try NetlinkSocket(bus: NETLINK_NETFILTER, name: "nf_tables")
        } catch {
            throw error.errno == .protocolNotSupported ? .missingNfTables("nfnetlink") : error
        }
        let answered: Bool
        do throws(NetlinkError) {
            try Self.create(socket, self.table, interfaces, asksRoutes: asksRoutes ?? true)
            answered = asksRoutes ?? true
        } catch {
            guard asksRoutes == nil, error.errno == .noSuchFileOrDirectory else { throw Self.explained(error) }
            do throws(NetlinkError) {
                try Self.create(socket, self.table, interfaces, asksRoutes: false)
            } catch {
                throw Self.explained(error)
            }
            answered = false
        }
        state = Mutex(State(socket: socket, hooked: indices, asksRoutes: answered))
    }

    /// Whether the kernel tells by itself which packets are addressed to the host; if not, `hostAddresses` do.
    public var asksRoutes: Bool { state.withLock { $0.asksRoutes } }

    private static func create(
        _ socket: NetlinkSocket, _ table: String, _ interfaces: [String], asksRoutes: Bool
    ) throws(NetlinkError) {
        let transaction = NfTransaction(socket, table: table)
        let writer = GuardTable(transaction: transaction, asksRoutes: asksRoutes)
        writer.create()
        for (slot, name) in interfaces.enumerated() { writer.attach(slot: slot, name: name) }
        try transaction.commit("the nf_tables table \(table)")
    }

    /// What an error of the first transaction means.
    private static func explained(_ error: NetlinkError) -> NetlinkError {
        switch error.errno {
        case .notSupportedOnSocket, .addressFamilyNotSupported, .notSupported: .missingNfTables("nf_tables (netdev)")
        case .noSuchFileOrDirectory: .missingNfTables("an nf_tables expression the guard needs")
        default: error
        }
    }

    /// Elements of one transaction: the kernel carries it out without letting go of the processor, and packets would wait
    /// for more than some hundred microseconds.
    private static let elementsAtOnce = 300

    /// Let exactly this be dropped from now on. A change of up to 300 elements is one transaction: no packet meets a part of
    /// it. A larger one is several, first what is new and then what goes.
    ///
    /// - Throws: What the kernel said; of the change, what went before is in force.
    public func update(_ traffic: GuardedTraffic) throws(NetlinkError) {
        let wanted = elements(of: traffic)
        let (new, gone) = state.withLock { state in
            (Self.elements(of: wanted, notIn: state.applied), Self.elements(of: state.applied, notIn: wanted))
        }
        try change(new, gone, traffic.marked)
    }

    /// Let this be dropped too from now on, beside what `update` was given last, at the cost of what is new.
    ///
    /// - Throws: As `update`.
    public func include(_ traffic: GuardedTraffic) throws(NetlinkError) {
        let wanted = elements(of: traffic)
        try change(state.withLock { Self.elements(of: wanted, notIn: $0.applied) }, [], nil)
    }

    private func elements(of traffic: GuardedTraffic) -> Set<GuardElement> {
        var traffic = traffic
        if asksRoutes { traffic.hostAddresses = [] }
        return traffic.elements
    }

    /// Not `subtracting`, which goes through all that it subtracts.
    private static func elements(
        of elements: Set<GuardElement>, notIn others: Set<GuardElement>
    ) -> ArraySlice<GuardElement> {
        elements.reduce(into: []) { found, element in
            if !others.contains(element) { found.append(element) }
        }
    }

    /// Add and take away in as many transactions as it takes; with nil the marks stay as they are.
    private func change(
        _ new: ArraySlice<GuardElement>, _ gone: ArraySlice<GuardElement>, _ marked: [GuardedMark]?
    ) throws(NetlinkError) {
        var (new, gone) = (new, gone)
        while new.count + gone.count > Self.elementsAtOnce {
            let added = new.prefix(Self.elementsAtOnce)
            let removed = added.isEmpty ? gone.prefix(Self.elementsAtOnce) : []
            try changeAtOnce(added, removed, nil)
            (new, gone) = (new.dropFirst(added.count), gone.dropFirst(removed.count))
        }
        try changeAtOnce(new, gone, marked)
    }

    private func changeAtOnce(
        _ new: ArraySlice<GuardElement>, _ gone: ArraySlice<GuardElement>, _ marked: [GuardedMark]?
    ) throws(NetlinkError) {
        try change { state, transaction in
            let writer = GuardTable(transaction: transaction, asksRoutes: state.asksRoutes)
            writer.remove(gone)
            writer.insert(new)
            if let marked, state.marked != marked {
                GuardMarks(transaction: transaction, interfaces: interfaces).replace(marked)
            }
            return {
                for element in gone { $0.applied.remove(element) }
                for element in new { $0.applied.insert(element) }
                if let marked { $0.marked = marked }
            }
        }
    }

    /// Hook interfaces that were made anew under their names since they were hooked; to be called when the routing
    /// monitor has something to tell.
    ///
    /// - Parameter interfaces: `RoutingSnapshot.interfaces`.
    public func follow(_ interfaces: [NetworkInterface]) throws(NetlinkError) {
        for interface in interfaces where interface.kernelIndex != 0 {
            let isNew = state.withLock { state in
                state.hooked.indices.contains(interface.slot) && state.hooked[interface.slot] != interface.kernelIndex
            }
            guard isNew else { continue }
            // The chain went with the interface, or (since Linux 6.16) waits for one of that name.
            try? change { state, transaction in
                GuardTable(transaction: transaction, asksRoutes: state.asksRoutes).detach(slot: interface.slot)
                return { _ in }
            }
            try change { state, transaction in
                let writer = GuardTable(transaction: transaction, asksRoutes: state.asksRoutes)
                writer.attach(slot: interface.slot, name: interface.name)
                return { $0.hooked[interface.slot] = interface.kernelIndex }
            }
        }
    }

    /// Remove the table: the host's stack sees everything again. Later calls do nothing.
    public func close() {
        state.withLock { $0.socket = nil }
    }

    /// Run one transaction and, when the kernel took it, what `body` returned.
    private func change(
        _ body: (borrowing State, NfTransaction) -> (inout State) -> Void
    ) throws(NetlinkError) {
        let failure: NetlinkError? = state.withLock { state in
            guard let socket = state.socket else { return nil }
            let transaction = NfTransaction(socket, table: table)
            let accept = body(state, transaction)
            do throws(NetlinkError) {
                try transaction.commit("the nf_tables table \(table)")
                accept(&state)
                return nil
            } catch {
                return error
            }
        }
        if let failure { throw failure }
    }
}
