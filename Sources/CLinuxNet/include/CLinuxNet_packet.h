// Packet sockets (packet(7), linux/if_packet.h) and what they need: batches, options, filters, facts of an interface.
#ifndef CLINUXNET_PACKET_H
#define CLINUXNET_PACKET_H

#include <linux/filter.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "CLinuxNet_attributes.h"

#pragma clang assume_nonnull begin

/// The layout of `struct mmsghdr`, which glibc shows only with _GNU_SOURCE (asserted in CLinuxNet_packet.c).
struct CLinuxNet_mmsghdr {
    struct msghdr msg_hdr;
    unsigned int msg_len;
};

_Static_assert(sizeof(struct virtio_net_hdr) == 10, "the header before each frame is 10 bytes");
_Static_assert(sizeof(struct sock_filter) == 8, "a filter instruction is 8 bytes");
_Static_assert(sizeof(struct sockaddr_ll) == 20, "a link-level address is 20 bytes");

/// ARPHRD_ETHER and ARPHRD_LOOPBACK, whose frames begin with an Ethernet header (asserted in CLinuxNet_packet.c, as the
/// kernel's and the C library's headers for them cannot both be included here).
static const int CLinuxNet_typeEthernet = 1;
static const int CLinuxNet_typeLoopback = 772;

/// recvmmsg(2) without waiting. Returns how many of `messages` were filled, or -errno.
CLINUXNET_HOT int CLinuxNet_receiveBatch(int socket, struct CLinuxNet_mmsghdr *messages, unsigned int count);

/// sendmmsg(2) without waiting. Returns how many of `messages` were sent, or -errno of the first.
CLINUXNET_HOT int CLinuxNet_sendBatch(int socket, struct CLinuxNet_mmsghdr *messages, unsigned int count);

/// A raw packet socket that receives nothing until it is bound: protocol 0, non-blocking, closed on exec.
/// Returns the descriptor, or -errno.
int CLinuxNet_openPacketSocket(void);

/// bind(2) to an interface with ETH_P_ALL: frames of every protocol arrive from here on. Returns 0 or -errno.
int CLinuxNet_bindPacketSocket(int socket, int interfaceIndex);

/// PACKET_ADD_MEMBERSHIP with PACKET_MR_ALLMULTI: the device hands over frames to all groups while the socket is open.
/// Returns 0 or -errno.
int CLinuxNet_receiveAllMulticast(int socket, int interfaceIndex);

/// setsockopt(2) with an int. Returns 0 or -errno.
int CLinuxNet_setOption(int socket, int level, int option, int value);

/// SO_ATTACH_FILTER: replaces a filter attached before in one step. Returns 0 or -errno.
int CLinuxNet_attachFilter(int socket, const struct sock_filter *instructions, unsigned short count);

/// PACKET_STATISTICS: the frames dropped for lack of room since the last call. Returns 0 or -errno.
int CLinuxNet_takeDrops(int socket, unsigned int *drops);

_Static_assert(sizeof(struct tpacket2_hdr) == 32, "what stands before each frame of a receive ring");

/// PACKET_RX_RING, version 2 (linux/if_packet.h): `slots` places of `slotSize` bytes, a power of two of a page at most or
/// several pages, `reserve` bytes kept free in each beside the kernel's own. Frames that do not fit into a place come by
/// recvmmsg(2) as well (PACKET_COPY_THRESH). Before the socket is bound. Sets `*ring` to the mapped memory.
/// Returns 0 or -errno; on an error the socket has no ring.
int CLinuxNet_openReceiveRing(int socket, unsigned slots, unsigned slotSize, unsigned reserve,
                              void *_Nullable *_Nonnull ring);

/// PACKET_FANOUT by the hash of the flow, own frames ignored: the group of a bound socket, which is made when it has
/// none, with a number that no other in the network namespace has. Returns the number, or -errno.
int CLinuxNet_fanoutGroup(int socket);

/// Join a group that CLinuxNet_fanoutGroup made. The socket is bound to the same interface. Returns 0 or -errno.
int CLinuxNet_joinFanoutGroup(int socket, int group);

/// SIOCGIFINDEX, SIOCGIFMTU, SIOCGIFHWADDR of the interface `name` in the socket's network namespace. Each returns the
/// value (index; bytes; ARPHRD_ type), or -errno.
int CLinuxNet_interfaceIndex(int socket, const char *name);
int CLinuxNet_interfaceMTU(int socket, const char *name);
int CLinuxNet_interfaceType(int socket, const char *name);

#pragma clang assume_nonnull end

#endif
