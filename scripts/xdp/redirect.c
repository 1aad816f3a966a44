// What an interface with an XDPSocket does with a frame: redirect it to the socket of its queue when Fairlead owns it, pass
// it to the host otherwise. The same choice as SocketFilter's (Sources/PacketIO/PacketSocket/FilterProgram.swift), from
// two maps that follow the rules:
//
//   endpoints   protocol, port (0: every port), address -> IS_VIRTUAL (of destinations), IS_SERVER (of sources)
//   addresses   address -> the bits below
//   sockets     queue -> AF_XDP socket
//
// IPv4 addresses are keys as IPv4-mapped IPv6 addresses (RFC 4291 section 2.5.5.2). All maps are made by the loader; the
// variables below only name them. Compiled by scripts/xdp/build.
#include <linux/bpf.h>
#include <stddef.h>
#include <stdint.h>

#define SECTION(name) __attribute__((section(name), used))
#define ALWAYS_INLINE static inline __attribute__((always_inline))

// Functions of the kernel, by number (linux/bpf.h, BPF_FUNC_*).
static void *(*const lookup)(void *map, const void *key) = (void *)BPF_FUNC_map_lookup_elem;
static long (*const redirectToMap)(void *map, uint64_t key, uint64_t otherwise) = (void *)BPF_FUNC_redirect_map;

char endpoints SECTION("maps");
char addresses SECTION("maps");
char sockets SECTION("maps");

enum {
    // In endpoints.
    IS_VIRTUAL = 1,
    IS_SERVER = 2,
    // In addresses, by destination: every packet; fragments, ICMP, packets without ports, and those to an endpoint that
    // is a virtual one; ARP and solicitations.
    WANTS_ALL = 1,
    WANTS_REST = 2,
    WANTS_RESOLUTION = 4,
    // In addresses, by source: fragments and packets without ports.
    SENDS_REST = 8,
    // In addresses, by the destination that an ICMP error quotes.
    WANTS_ERRORS = 16,
    // In addresses: one of the host's own. What a real server sends to it is an answer to the host, not to a client.
    IS_HOST = 32,
    // In addresses, by destination: packets to the ports from FIRST_PORT_BESIDE_HOST on.
    WANTS_UPPER_PORTS = 64,
};

enum {
    TYPE_IPV4 = 0x0800,
    TYPE_ARP = 0x0806,
    TYPE_IPV6 = 0x86dd,
    ICMP = 1,
    TCP = 6,
    UDP = 17,
    ICMPV6 = 58,
    SCTP = 132,
    ETHERNET_LENGTH = 14,
    // LocalPortRing.firstPortBesideHost
    FIRST_PORT_BESIDE_HOST = 61000,
};

struct address {
    uint32_t words[4];
};

struct endpoint {
    uint16_t protocol;
    uint16_t port; // network order
    struct address address;
};

struct packet {
    const uint8_t *data;
    const uint8_t *end;
};

ALWAYS_INLINE uint16_t half(const uint8_t *at) { return at[0] << 8 | at[1]; }

ALWAYS_INLINE struct address addressV4(const uint8_t *at) {
    struct address address = {{0, 0, __builtin_bswap32(0xffff), *(const uint32_t *)at}};
    return address;
}

ALWAYS_INLINE struct address addressV6(const uint8_t *at) {
    const uint32_t *words = (const uint32_t *)at;
    struct address address = {{words[0], words[1], words[2], words[3]}};
    return address;
}

ALWAYS_INLINE uint32_t wishes(const struct address *address) {
    const uint32_t *found = lookup(&addresses, address);
    return found ? *found : 0;
}

ALWAYS_INLINE int isEndpoint(uint8_t protocol, uint16_t port, const struct address *address, uint32_t bit) {
    struct endpoint key = {protocol, port, *address};
    const uint32_t *found = lookup(&endpoints, &key);
    if (found && *found & bit) return 1;
    key.port = 0;
    found = lookup(&endpoints, &key);
    return found && *found & bit;
}

// A packet that is matched by its addresses alone; `wish` is the destination's.
ALWAYS_INLINE int isOwnedByAddress(const struct address *source, uint32_t wish) {
    return wish & (WANTS_ALL | WANTS_REST) || (!(wish & IS_HOST) && wishes(source) & SENDS_REST);
}

// Looks into the maps as seldom as can be, since a look costs about what the rest does: `wish` is the destination's, and
// each virtual endpoint's address has WANTS_REST, so that replies are not sought among the services.
ALWAYS_INLINE int isOwnedByPorts(
    struct packet packet, const uint8_t *transport, uint8_t protocol, const struct address *source,
    const struct address *destination, uint32_t wish) {
    if (transport + 4 > packet.end) return 0;
    const uint16_t *ports = (const uint16_t *)transport;
    if (wish & WANTS_REST && isEndpoint(protocol, ports[1], destination, IS_VIRTUAL)) return 1;
    if (wish & WANTS_UPPER_PORTS && half(transport + 2) >= FIRST_PORT_BESIDE_HOST) return 1;
    return !(wish & IS_HOST) && isEndpoint(protocol, ports[0], source, IS_SERVER);
}

ALWAYS_INLINE int isOwnedARP(struct packet packet) {
    const uint8_t *arp = packet.data + ETHERNET_LENGTH;
    if (arp + 28 > packet.end || half(arp + 6) != 1) return 0;
    struct address target = addressV4(arp + 24);
    return wishes(&target) & WANTS_RESOLUTION ? 1 : 0;
}

ALWAYS_INLINE int isOwnedV4(struct packet packet) {
    const uint8_t *header = packet.data + ETHERNET_LENGTH;
    if (header + 20 > packet.end) return 0;
    struct address source = addressV4(header + 12);
    struct address destination = addressV4(header + 16);
    uint32_t wish = wishes(&destination);
    if (wish & WANTS_ALL) return 1;
    if (half(header + 6) & 0x3fff) return isOwnedByAddress(&source, wish);
    uint8_t protocol = header[9];
    const uint8_t *transport = header + (header[0] & 15) * 4;
    if (protocol == TCP || protocol == UDP || protocol == SCTP)
        return isOwnedByPorts(packet, transport, protocol, &source, &destination, wish);
    if (protocol != ICMP) return 0;
    if (wish & WANTS_REST) return 1;
    if (transport + 28 > packet.end) return 0;
    uint8_t type = transport[0];
    if (type != 3 && type != 4 && type != 11 && type != 12) return 0;
    struct address quoted = addressV4(transport + 8 + 16);
    return wishes(&quoted) & WANTS_ERRORS ? 1 : 0;
}

ALWAYS_INLINE int isOwnedICMPv6(struct packet packet, const uint8_t *header, const struct address *destination) {
    const uint8_t *icmp = header + 40;
    if (icmp + 1 > packet.end) return wishes(destination) & (WANTS_ALL | WANTS_REST) ? 1 : 0;
    if (icmp[0] == 135) {
        if (icmp + 24 > packet.end) return 0;
        struct address target = addressV6(icmp + 8);
        return wishes(&target) & WANTS_RESOLUTION ? 1 : 0;
    }
    if (wishes(destination) & (WANTS_ALL | WANTS_REST)) return 1;
    if (icmp[0] == 0 || icmp[0] > 4 || icmp + 48 > packet.end) return 0;
    struct address quoted = addressV6(icmp + 8 + 24);
    return wishes(&quoted) & WANTS_ERRORS ? 1 : 0;
}

ALWAYS_INLINE int isOwnedV6(struct packet packet) {
    const uint8_t *header = packet.data + ETHERNET_LENGTH;
    if (header + 40 > packet.end) return 0;
    struct address source = addressV6(header + 8);
    struct address destination = addressV6(header + 24);
    uint8_t protocol = header[6];
    if (protocol == ICMPV6) return isOwnedICMPv6(packet, header, &destination);
    uint32_t wish = wishes(&destination);
    if (wish & WANTS_ALL) return 1;
    if (protocol == TCP || protocol == UDP || protocol == SCTP)
        return isOwnedByPorts(packet, header + 40, protocol, &source, &destination, wish);
    // Extension headers and fragments: the ports are out of reach.
    return isOwnedByAddress(&source, wish);
}

ALWAYS_INLINE int isOwned(struct packet packet) {
    if (packet.data + ETHERNET_LENGTH > packet.end) return 0;
    switch (half(packet.data + 12)) {
    case TYPE_IPV4: return isOwnedV4(packet);
    case TYPE_IPV6: return isOwnedV6(packet);
    case TYPE_ARP: return isOwnedARP(packet);
    default: return 0;
    }
}

SECTION("xdp")
int redirect(struct xdp_md *context) {
    struct packet packet = {(const uint8_t *)(long)context->data, (const uint8_t *)(long)context->data_end};
    return isOwned(packet) ? redirectToMap(&sockets, context->rx_queue_index, XDP_PASS) : XDP_PASS;
}

char licence[] __attribute__((section("license"), used)) = "Dual BSD/GPL";
