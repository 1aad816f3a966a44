// What a tunnel's end needs: a TUN device (linux/if_tun.h) and sockets that give packets of tunnels.
#ifndef CLINUXNET_TUNNEL_H
#define CLINUXNET_TUNNEL_H

#include <stddef.h>
#include <stdint.h>

#include "CLinuxNet_attributes.h"

#pragma clang assume_nonnull begin

/// Make a TUN device called `name`, up, that takes IP packets with a virtio-net header of 10 bytes before each. It is gone
/// when the descriptor is closed. Returns the descriptor, or -errno: EBUSY when a device of that name is there already.
int CLinuxNet_openTun(const char *name);

/// A raw socket of `family` (AF_INET, AF_INET6) for packets of `protocol`: non-blocking, closed on exec, and with the
/// traffic class of IPv6 packets. Returns the descriptor, or -errno.
int CLinuxNet_openRawSocket(int family, int protocol);

/// A UDP socket of `family` alone bound to `port` of every address, with the traffic class of packets; IPv6 datagrams
/// without checksum are taken too. Returns the descriptor, or -errno.
int CLinuxNet_openUDPSocket(int family, uint16_t port);

/// Receive one packet into `length` bytes without waiting. `source` becomes the sender's address in 16 bytes (IPv4 in its
/// mapped form), `trafficClass` the ToS or traffic class of its header where the socket says it, else 0.
/// Returns the packet's length, which is more than `length` if it was cut, or -errno.
CLINUXNET_HOT long CLinuxNet_receivePacket(int socket, void *bytes, size_t length, uint8_t source[_Nonnull 16], uint8_t *trafficClass);

/// write(2). Returns the bytes written, or -errno.
CLINUXNET_HOT long CLinuxNet_write(int descriptor, const void *bytes, size_t length);

/// read(2). Returns the bytes read, or -errno: EAGAIN when a descriptor that does not block has none.
CLINUXNET_HOT long CLinuxNet_read(int descriptor, void *bytes, size_t length);

/// Packets that `socket` dropped for lack of room since it was opened (SO_MEMINFO); 0 when the kernel does not say.
unsigned int CLinuxNet_socketDrops(int socket);

#pragma clang assume_nonnull end

#endif
