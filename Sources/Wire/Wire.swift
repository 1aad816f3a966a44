// Wire: bytes <-> fields. Nothing here knows what load balancing is.
//
// A header is a *view*: a struct over `PacketBytes` with its field offsets as named constants, one getter and one
// setter a field. A view made by `init?(_:)` has checked its length once; from then on no accessor traps. Setters that
// touch a checksummed field keep the checksums right by adjusting them (RFC 1624), which is the rewrite API of this
// project. Emitting into a fresh buffer goes through `init(unchecked:)` and plain setters.
//
// Read in order: PacketBytes, NetworkOrder, IPAddress, Checksum, Ethernet, ARP, IPv4, TCP, UDP, ICMP, Frame; then IPv6,
// ICMPv6, NeighborDiscovery, SCTP.
//
// All of it may be called from functions that are annotated `@_noAllocation @_noLocks`, in debug builds too. That is why
// constants are computed (a `static let` is a lazily initialised global to other modules), why `load` has two forms
// instead of a default argument, and why `==` is written out where the packet path compares.
