import Wire

/// Reads Services, EndpointSlices and Endpoints as `kubectl get -o yaml` or `-o json` prints them: single objects, Lists,
/// several documents in one text. Objects of other kinds are passed over.
struct ManifestReader {
    private(set) var objects = ClusterObjects()
    /// Where each object was found.
    private var places: [String: String] = [:]

    /// Take in the text of one file.
    mutating func read(_ text: String, name: String) throws(KubernetesError) {
        for document in try DocumentReader.documents(in: text, source: DocumentValue.Source(name: name)) {
            guard try !document.fields().isEmpty else { continue }
            guard let kind = document["kind"] else {
                throw document.failure("kind is missing; Service, EndpointSlice, Endpoints or List is expected")
            }
            try take(document, kind: try kind.text(), version: try document["apiVersion"]?.text())
        }
    }

    private mutating func take(
        _ object: DocumentValue, kind: String, version: String?
    ) throws(KubernetesError) {
        switch (kind, version) {
        case ("List", _), ("ServiceList", _), ("EndpointSliceList", _), ("EndpointsList", _):
            guard let items = object["items"] else { return }
            // The API server leaves out in a typed list what its kind says already.
            let implied = kind == "List" ? nil : String(kind.dropLast(4))
            for item in try items.elements() {
                guard let itemKind = try item["kind"]?.text() ?? implied else {
                    throw item.failure("kind is missing")
                }
                try take(item, kind: itemKind, version: try item["apiVersion"]?.text() ?? version)
            }
        // Knative has a kind Service, too.
        case ("Service", nil), ("Service", "v1"):
            let name = try name(of: object, kind)
            objects.services.append(try ServiceReader.read(object, name: name))
        case ("EndpointSlice", _):
            _ = try name(of: object, kind)
            if let group = try EndpointReader.slice(object) { objects.endpoints.append(group) }
        case ("Endpoints", nil), ("Endpoints", "v1"):
            objects.endpoints += try EndpointReader.subsets(object, service: try name(of: object, kind))
        default: break
        }
    }

    /// Namespace and name; throws when the object was there before.
    private mutating func name(of object: DocumentValue, _ kind: String) throws(KubernetesError) -> ObjectName {
        guard let metadata = object["metadata"], let name = try metadata["name"]?.text() else {
            throw object.failure("\(kind) without metadata.name")
        }
        let found = ObjectName(try metadata["namespace"]?.text() ?? "default", name)
        let place = object.source.name + (object.line.map { " line \($0)" } ?? "")
        if let before = places.updateValue(place, forKey: "\(kind) \(found)") {
            throw object.failure("\(kind) \(found) is there already, in \(before); give one state of the cluster")
        }
        return found
    }
}

extension DocumentValue {
    /// The elements of a field; none when it is missing or null.
    func list(_ name: String) throws(KubernetesError) -> [DocumentValue] { try self[name]?.elements() ?? [] }

    /// An address.
    func address() throws(KubernetesError) -> IPAddress {
        let text = try text()
        guard let address = IPAddress(text) else { throw failure("an address is expected, not \(text)") }
        return address
    }

    /// TCP, UDP or SCTP as `IPProtocol`; TCP where nothing is given.
    func transportProtocol(_ name: String) throws(KubernetesError) -> UInt8 {
        guard let value = self[name] else { return IPProtocol.tcp }
        switch try value.text() {
        case "TCP": return IPProtocol.tcp
        case "UDP": return IPProtocol.udp
        case "SCTP": return IPProtocol.sctp
        default: throw value.failure("TCP, UDP or SCTP is expected, not \(try value.text())")
        }
    }
}
