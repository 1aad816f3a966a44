// Balancer: the model and the decisions, pure. It sees bytes, a clock and snapshots; it makes no system call, takes no
// lock and allocates nothing on the packet path, which is why the same code runs live, on recordings and in tests.
//
// Read in order: Services (what the rules say), Schedulers (which destination), Connections (what is remembered),
// Transports (how a connection ages), Forwarding (how a packet is rewritten), Routing (where it leaves), Replies (what we
// say ourselves), Statistics (what is counted).
