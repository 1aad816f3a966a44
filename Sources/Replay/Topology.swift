import Balancer
import Foundation
import Wire

/// The director's network as a recording's `topology.json` describes it.
struct Topology {
    private struct File: Decodable {
        struct Interface: Decodable {
            let mac: String
            let mtu: Int
            let addrs: [String]
        }
        struct Neighbor: Decodable {
            let mac: String
            let `if`: String
        }
        let interfaces: [String: Interface]
        let routes: [String]
        let neighbours: [String: Neighbor]
        let sysctls_set: [String: Value]?
    }

    /// A number or a text.
    private enum Value: Decodable {
        case text(String)
        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let number = try? container.decode(Int.self) {
                self = .text(String(number))
            } else {
                self = .text(try container.decode(String.self))
            }
        }
    }

    /// Interfaces in the order of their names, which is the order of their slots.
    private(set) var interfaces: [NetworkInterface] = []
    /// Routes beside the connected ones, as `ip route add` takes them.
    private(set) var routes: [String]
    private(set) var neighbors: [Neighbor] = []
    /// Settings that differ from the defaults, by name.
    let settings: [(name: String, value: String)]

    init(path: String) throws {
        let data = try readFile(path)
        let file: File
        do {
            file = try JSONDecoder().decode(File.self, from: data)
        } catch {
            throw ReplayError("\(path): \(Recording.explain(error, data))")
        }
        settings = (file.sysctls_set ?? [:]).sorted { $0.key < $1.key }.map { entry in
            guard case .text(let value) = entry.value else { return (entry.key, "") }
            return (entry.key, value)
        }
        routes = file.routes
        let off = Set(settings.filter { $0.value == "0" }.map(\.name))
        for (slot, name) in file.interfaces.keys.sorted().enumerated() {
            guard let interface = file.interfaces[name] else { continue }
            guard let mac = MACAddress(interface.mac) else {
                throw ReplayError("\(path): interface \(name): \"\(interface.mac)\" is no MAC address")
            }
            let addresses = try interface.addrs.map { text in
                guard let address = InterfaceAddress(text) else {
                    throw ReplayError("\(path): interface \(name): \"\(text)\" is no address with a prefix length")
                }
                return address
            }
            // The kernel sends redirects unless both the interface's and the common switch are off.
            let isSilent =
                off.contains("net.ipv4.conf.all.send_redirects") && off.contains("net.ipv4.conf.\(name).send_redirects")
            interfaces.append(
                NetworkInterface(
                    slot: slot, name: name, kernelIndex: UInt32(slot + 1), mac: mac, mtu: interface.mtu,
                    addresses: addresses, sendsRedirects: !isSilent))
        }
        guard !interfaces.isEmpty else { throw ReplayError("\(path): no interface") }
        for (text, neighbor) in file.neighbours.sorted(by: { $0.key < $1.key }) {
            guard let address = IPAddress(text), let mac = MACAddress(neighbor.mac) else {
                throw ReplayError("\(path): neighbour \"\(text)\" at \"\(neighbor.mac)\" is none")
            }
            guard let slot = interfaces.firstIndex(where: { $0.name == neighbor.if }) else {
                throw ReplayError("\(path): neighbour \(text) is on \(neighbor.if), which is not among the interfaces")
            }
            neighbors.append(Neighbor(interface: slot, address: address, mac: mac))
        }
    }

    /// Add a route.
    mutating func add(route: String) { routes.append(route) }

    /// The routes and neighbours as the packet path reads them.
    func snapshot() throws -> RoutingSnapshot {
        do {
            return try RoutingBuilder(interfaces: interfaces, routeTexts: routes, neighbors: neighbors).build()
        } catch {
            throw ReplayError("\(error)")
        }
    }
}
