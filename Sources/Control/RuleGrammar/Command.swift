public import Balancer
public import Wire

/// One invocation of ipvsadm, understood.
public enum Command: Hashable, Sendable {
    /// `-A`.
    case addService(ServiceRequest)
    /// `-E`.
    case editService(ServiceRequest)
    /// `-D`.
    case deleteService(ServiceKey)
    /// `-C`.
    case clear
    /// `-a`.
    case addDestination(Destination, service: ServiceKey)
    /// `-e`.
    case editDestination(Destination, service: ServiceKey)
    /// `-d`.
    case deleteDestination(DestinationKey, service: ServiceKey)
    /// `-L`; also an empty command line.
    case list(ListRequest)
    /// `-Z`; nil: every service.
    case zero(ServiceKey?)
    /// `--set`, in seconds; 0 leaves that one as it is.
    case setTimeouts(Timeouts)
    /// `-S`.
    case save(SaveRequest)
    /// `-R`: each line of standard input is one invocation.
    case restore
    /// `--start-daemon`.
    case startDaemon
    /// `--stop-daemon`.
    case stopDaemon
    /// `--add-laddr`.
    case addLocalAddress(IPAddress, service: ServiceKey)
    /// `--del-laddr`.
    case deleteLocalAddress(IPAddress, service: ServiceKey)
    /// `--get-laddr`; nil: of every service.
    case listLocalAddresses(ServiceKey?)
    /// `-h`.
    case help
    /// `--version`.
    case version
}

/// A service as a command line states it, before the table has had its say.
public struct ServiceRequest: Hashable, Sendable {
    /// What the service is known by.
    public var key: ServiceKey
    /// The scheduler's name, known or not.
    public var schedulerName: String
    /// Flags of the scheduler.
    public var schedulerFlags: SchedulerFlags = []
    /// Seconds of persistence; nil: none.
    public var persistenceTimeout: UInt32?
    /// What counts as one client (`-M`).
    public var netmask: Netmask
    /// `-o`.
    public var isOnePacket = false
    /// `--pe`; nil: none.
    public var persistenceEngine: String?
    /// `--toa`, `--proxy-protocol`.
    public var clientAddress = ClientAddressCarrier.none
    /// `--source-rate`; nil: none.
    public var sourceRate: SourceRate?
    /// `--conn-timeout`; nil: none.
    public var timeouts: Timeouts?
    /// `--table-size`; 0: the scheduler's own.
    public var tableSize = 0
}

/// The part of a client's address that counts for persistence.
public enum Netmask: Hashable, Sendable {
    /// An IPv4 mask, in host order.
    case v4(UInt32)
    /// The length of an IPv6 prefix.
    case v6(Int)

    /// The length of the prefix; nil for an IPv4 mask with a hole, which ipvsadm takes but no one means.
    var prefixLength: Int? {
        switch self {
        case .v4(let mask):
            let length = (~mask).leadingZeroBitCount
            return mask == (length == 0 ? 0 : ~UInt32(0) << UInt32(32 - length)) ? length : nil
        case .v6(let length): return length
        }
    }
}

/// What `-L` is to show.
public struct ListRequest: Hashable, Sendable {
    /// The subject.
    public enum Subject: Hashable, Sendable {
        /// Every service.
        case services
        /// One service.
        case service(ServiceKey)
        /// `-c`: connection entries.
        case connections
        /// `--timeout`.
        case timeouts
        /// `--daemon`: the state of connection synchronisation, which there is none of.
        case daemon
    }

    /// The columns of a listing of services; where several are asked for, the first of these wins.
    public enum Columns: Hashable, Sendable {
        /// `--stats`.
        case statistics
        /// `--rate`.
        case rates
        /// `--thresholds`.
        case thresholds
        /// `--persistent-conn`.
        case persistentConnections
        /// `--tun-info`.
        case tunnels
        /// None of these: forwarding method, weight, active and inactive connections.
        case standard
    }

    /// What to list.
    public var subject: Subject = .services
    /// Which columns.
    public var columns: Columns = .standard
    /// `-n`: no names.
    public var isNumeric = false
    /// `--nosort`: in the table's order.
    public var isUnsorted = false
    /// `--exact`: all digits of large numbers.
    public var isExact = false
}

/// What `-S` is to write.
public struct SaveRequest: Hashable, Sendable {
    /// `-n`: no names.
    public var isNumeric = false
    /// `--thresholds`: `-x` and `-y` too, which the kernel's tool leaves out. Ours alone.
    public var includesThresholds = false
}
