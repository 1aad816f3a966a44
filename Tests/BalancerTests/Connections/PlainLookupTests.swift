import TestSupport
import Testing
import Wire

@testable import Balancer

@Suite struct PlainLookupTests {
    private func packet(_ key: FlowKey) throws -> PlainPacket {
        let builder = PacketBuilder.tcp(
            from: Endpoint(key.source, key.sourcePort), to: Endpoint(key.destination, key.destinationPort), .ack)
        return try #require(PlainPacket(plainV4: HeapPacket(builder.frame()).bytes))
    }

    /// What a glimpse of the key's hash leads to.
    private func find(
        _ table: ConnectionTable, _ key: FlowKey, by packet: PlainPacket
    ) -> (entry: ConnectionEntry, isRequest: Bool)? {
        let glimpse = table.glimpse(table.hash(key))
        return table.find(packet, glimpse).map { ($0, glimpse.isRequest) }
    }

    private func find(
        _ table: ConnectionTable, _ key: FlowKey, by packet: WidePlainPacket
    ) -> (entry: ConnectionEntry, isRequest: Bool)? {
        let glimpse = table.glimpse(table.hash(key))
        return table.find(packet, glimpse).map { ($0, glimpse.isRequest) }
    }

    /// What is found is what `find` finds; what lies in an overflow line is left to it.
    @Test func agreesWithTheFullLookup() throws {
        let bed = OneWorkerTable()
        for number in 0..<60 { _ = bed.add(.numbered(number)) }
        var found = 0
        for number in 0..<80 {
            for key in [EntryFieldsKey.request(number), EntryFieldsKey.reply(number)] {
                let full = bed.table.found(key)
                guard let plain = find(bed.table, key, by: try packet(key)) else { continue }
                #expect(full?.index == plain.entry.index && (full?.direction == .request) == plain.isRequest)
                found += 1
            }
        }
        #expect(found > 60 && found < 120)
    }

    @Test func otherMethodsAndKindsAreLeftToTheFullLookup() throws {
        for (method, finds) in [
            (ForwardingMethod.masquerading, true), (.directRouting, true), (.tunneling, false), (.localNode, false),
            (.fullNAT, true),
        ] {
            let bed = OneWorkerTable(entries: 1024)
            _ = bed.add(.numbered(1, method))
            let key = EntryFieldsKey.request(1)
            #expect((find(bed.table, key, by: try packet(key)) != nil) == finds, "\(method)")
        }
        let bed = OneWorkerTable(entries: 1024)
        var fields = EntryFields.numbered(1)
        fields.kind.insert(.localDestination)
        _ = bed.add(fields)
        let key = EntryFieldsKey.request(1)
        #expect(bed.table.found(key) != nil)
        #expect(find(bed.table, key, by: try packet(key)) == nil)
    }

    /// A server answers the local address, and not the client.
    @Test func aFullNATServersPacketsComeToTheLocalAddress() throws {
        let bed = OneWorkerTable(entries: 1024)
        let entry = try #require(bed.make(.numbered(1, .fullNAT)))
        let local = LocalEndpoint(address: IPAddress(v4: 0x0a00_02c8), port: 1024)
        entry.bind(FullNATBinding(local: local))
        guard case .inserted = bed.table.insert(entry) else {
            Issue.record("not inserted")
            return
        }
        let key = FlowKey.between("10.0.2.11:8080", Endpoint(local.address, local.port))
        let found = try #require(find(bed.table, key, by: try packet(key)))
        #expect(found.entry.index == entry.index && !found.isRequest)
        #expect(found.entry.plainAddresses(isRequest: false) == 0xcb00_7150_c633_6400)
        #expect(found.entry.plainAddresses(isRequest: true) == 0x0a00_02c8_0a00_020b)
        #expect(found.entry.plainPorts(isRequest: false) == 80 << 16 | 1025)
        #expect(found.entry.plainPorts(isRequest: true) == 1024 << 16 | 8080)
        for other in [FlowKey.between("10.0.2.11:8080", Endpoint(local.address, 1025)), EntryFieldsKey.reply(1)] {
            // The hash is the right one, the packet not.
            #expect(find(bed.table, key, by: try packet(other)) == nil)
        }
    }

    /// Two connections whose servers' packets look the same: the newer one's are meant, which `find` knows.
    @Test func equalReplyKeysAreLeftToTheFullLookup() throws {
        let bed = OneWorkerTable(entries: 1024)
        _ = bed.add(.numbered(1))
        let key = EntryFieldsKey.reply(1)
        #expect(find(bed.table, key, by: try packet(key))?.isRequest == false)
        let fields = EntryFields.numbered(1)
        _ = bed.add(
            .of(
                Endpoint(fields.client.address, fields.client.port), "203.0.113.81:80",
                Endpoint(fields.destination.address, fields.destination.port)))
        #expect(bed.table.found(key)?.index == 1)
        #expect(find(bed.table, key, by: try packet(key)) == nil)
    }

    /// Between the glimpse and the lookup another packet of the batch may have opened or ended a connection.
    @Test func aGlimpseOfAHomeThatChangedLeadsNowhere() throws {
        let bed = OneWorkerTable(entries: 1024)
        let entry = try #require(bed.add(.numbered(1)))
        let key = EntryFieldsKey.reply(1)
        let before = bed.table.glimpse(bed.table.hash(key))
        #expect(before.isOfOne && before.index == entry.index && !before.isRequest)
        #expect(bed.table.find(try packet(key), before)?.index == entry.index)
        let fields = EntryFields.numbered(1)
        _ = bed.add(
            .of(
                Endpoint(fields.client.address, fields.client.port), "203.0.113.81:80",
                Endpoint(fields.destination.address, fields.destination.port)))
        #expect(bed.table.find(try packet(key), before) == nil, "the newer one's is meant")

        let request = EntryFieldsKey.request(1)
        let living = bed.table.glimpse(bed.table.hash(request))
        #expect(living.isOfOne && living.isRequest)
        #expect(bed.table.remove(entry))
        #expect(bed.table.find(try packet(request), living) == nil, "it has ended")
        #expect(!bed.table.glimpse(bed.table.hash(request)).isOfOne)
        #expect(!Glimpse.nothing.isOfOne && !Glimpse.of(1).isOfOne && Glimpse.of(1).hash == 1)
    }

    /// Of IPv6 on both sides: NAT's packets of both ways, and what clients send by direct routing.
    @Test func findsWideEntries() throws {
        let (client, virtual, server): (Endpoint, Endpoint, Endpoint) = (
            "[2001:db8:ffff::1]:40000", "[2001:db8:80::80]:80", "[2001:db8:2::11]:8080"
        )
        for (method, isFound) in [
            (ForwardingMethod.masquerading, (true, true)), (.directRouting, (true, false)),
            (.tunneling, (false, false)),
            (.fullNAT, (false, false)),
        ] {
            let bed = OneWorkerTable(entries: 1024)
            _ = bed.add(.of(client, virtual, server, method))
            for (key, isFound, isRequest) in [
                (FlowKey.between(client, virtual), isFound.0, true), (.between(server, client), isFound.1, false),
            ] {
                let found = find(bed.table, key, by: try widePacket(key))
                #expect((found != nil) == isFound && (found == nil || found?.isRequest == isRequest), "\(method)")
                // The hash is the right one, the packet not.
                for other in [
                    FlowKey.between(Endpoint(key.source, 1), Endpoint(key.destination, key.destinationPort)),
                    .between(
                        Endpoint(key.source, key.sourcePort), Endpoint(.parse("2001:db8::99"), key.destinationPort)),
                    .between(
                        Endpoint(.parse("2001:db8::99"), key.sourcePort), Endpoint(key.destination, key.destinationPort)
                    ),
                ] {
                    #expect(find(bed.table, key, by: try widePacket(other)) == nil)
                }
            }
        }
    }

    /// An IPv6 service with an IPv4 server.
    @Test func mixedFamiliesAreLeftToTheFullLookup() throws {
        let bed = OneWorkerTable(entries: 1024)
        _ = bed.add(.of("[2001:db8:ffff::1]:40000", "[2001:db8:80::80]:80", "10.0.2.11:8080", .fullNAT))
        let key = FlowKey.between("[2001:db8:ffff::1]:40000", "[2001:db8:80::80]:80")
        #expect(bed.table.found(key) != nil)
        #expect(find(bed.table, key, by: try widePacket(key)) == nil)
    }

    private func widePacket(_ key: FlowKey) throws -> WidePlainPacket {
        let builder = PacketBuilder.tcp(
            from: Endpoint(key.source, key.sourcePort), to: Endpoint(key.destination, key.destinationPort), .ack)
        let heap = HeapPacket(builder.frame())
        return try withExtendedLifetime(heap) { try #require(WidePlainPacket(plainV6: heap.bytes)) }
    }
}
