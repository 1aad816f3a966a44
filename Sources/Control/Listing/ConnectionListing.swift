import Balancer
import Wire

/// The text of `-Lc`: connection entries and persistence templates.
enum ConnectionListing {
    /// Title and lines, in the table's order.
    static func lines(
        _ connections: [ConnectionStatus], _ request: ListRequest, resolver: any NameResolver
    ) -> String {
        var names = EndpointNames(resolver: request.isNumeric ? nil : resolver)
        var text = "IPVS connection entries\npro expire state       source             virtual            destination"
        text += request.columns == .persistentConnections ? "        pe name          pe_data\n" : "\n"
        for connection in connections {
            let transportProtocol = connection.transportProtocol
            text += IPProtocol.listedName(transportProtocol).left(3) + " "
            text += expiry(connection.remainingSeconds).left(6) + " " + connection.state.left(11) + " "
            text += names.text(connection.client, transportProtocol).left(18) + " "
            text += names.text(connection.virtual, transportProtocol).left(18) + " "
            text += names.text(connection.destination, transportProtocol) + "\n"
        }
        return text
    }

    /// Minutes and seconds.
    private static func expiry(_ seconds: Int) -> String {
        let seconds = max(seconds, 0)
        return (seconds < 600 ? "0" : "") + "\(seconds / 60):" + (seconds % 60 < 10 ? "0" : "") + "\(seconds % 60)"
    }
}
