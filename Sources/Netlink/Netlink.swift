// Netlink: what the host's kernel knows and does, over libmnl. It fills the routing snapshots of `Balancer/Routing` and
// keeps them current, has neighbours resolved, and keeps the host's stack silent for what the director owns.
//
// Read in order: NetlinkSocket (one socket, one thread), MessageWriter and NetlinkMessage (bytes), RoutingReader (dumps
// and changes), RoutingMonitor (a thread around it), NeighborProbe, Guard. Nothing here runs on the packet path.
