// AF_XDP sockets (linux/if_xdp.h) and the few bpf(2) calls that lead frames to them.
#ifndef CLINUXNET_XDP_H
#define CLINUXNET_XDP_H

#include <linux/if_xdp.h>
#include <stddef.h>
#include <stdint.h>

#include "CLinuxNet_attributes.h"

#pragma clang assume_nonnull begin

_Static_assert(sizeof(struct xdp_desc) == 16, "a descriptor is 16 bytes");

// linux/if_link.h and linux/bpf.h, as numbers where their include chains clash with libc's.
enum {
    CLinuxNet_XDP_ABORTED = 0,
    CLinuxNet_XDP_PASS = 2,
    CLinuxNet_XDP_REDIRECT = 4,
    CLinuxNet_XDP_FLAGS_SKB_MODE = 1 << 1,
    CLinuxNet_XDP_FLAGS_DRV_MODE = 1 << 2,
};

/// One of a socket's four rings, mapped: two counters, the flags and the descriptors (8 bytes each in the fill and the
/// completion ring, 16 in the others).
struct CLinuxNet_ring {
    uint32_t *_Nullable producer;
    uint32_t *_Nullable consumer;
    uint32_t *_Nullable flags;
    void *_Nullable descriptors;
    void *_Nullable mapping;
    size_t length;
};

/// The rings, in the order of their page offsets in linux/if_xdp.h.
enum CLinuxNet_ringKind {
    CLinuxNet_receiveRing = 0,
    CLinuxNet_transmitRing = 1,
    CLinuxNet_fillRing = 2,
    CLinuxNet_completionRing = 3,
};

/// A new AF_XDP socket, or -errno.
int CLinuxNet_openXDPSocket(void);

/// Register `length` bytes at `memory`, in chunks of `chunk` bytes, as the socket's frame memory (XDP_UMEM_REG). 0 or -errno.
int CLinuxNet_registerFrames(int socket, void *memory, size_t length, uint32_t chunk);

/// Size one ring at `count` descriptors, a power of two. 0 or -errno.
int CLinuxNet_sizeRing(int socket, enum CLinuxNet_ringKind kind, uint32_t count);

/// Map a ring that was sized. 0 or -errno.
int CLinuxNet_mapRing(int socket, enum CLinuxNet_ringKind kind, uint32_t count, struct CLinuxNet_ring *ring);

/// Undo `CLinuxNet_mapRing`.
void CLinuxNet_unmapRing(struct CLinuxNet_ring *ring);

/// Bind to a queue of an interface; `flags` are XDP_COPY, XDP_ZEROCOPY, XDP_USE_NEED_WAKEUP. 0 or -errno.
int CLinuxNet_bindXDPSocket(int socket, int interfaceIndex, uint32_t queue, uint16_t flags);

/// Have the kernel look at the transmit ring, without waiting. 0 or -errno.
CLINUXNET_HOT int CLinuxNet_kickTransmit(int socket);

/// Have the kernel look at the fill ring, without waiting. 0 or -errno.
CLINUXNET_HOT int CLinuxNet_kickReceive(int socket);

/// What the socket counted (XDP_STATISTICS). 0 or -errno.
int CLinuxNet_takeXDPStatistics(int socket, struct xdp_statistics *statistics);

/// Whether the socket's memory is shared with the device (XDP_OPTIONS_ZEROCOPY): 1, 0 or -errno.
int CLinuxNet_isZeroCopy(int socket);

/// A map of `entries` keys of `keyLength` bytes with values of 4 bytes: a descriptor or -errno.
int CLinuxNet_makeHashMap(uint32_t keyLength, uint32_t entries);

/// A map from queue numbers to AF_XDP sockets: a descriptor or -errno.
int CLinuxNet_makeSocketMap(uint32_t entries);

/// Set the value of a key. 0 or -errno.
int CLinuxNet_setMapValue(int map, const void *key, const uint32_t *value);

/// Remove a key. 0 or -errno.
int CLinuxNet_removeMapKey(int map, const void *key);

/// Load an XDP program of `count` instructions under a licence that the kernel's own functions ask for. What the verifier
/// says of a refusal ends up in `log`, zero-terminated. A descriptor or -errno.
int CLinuxNet_loadXDPProgram(const void *instructions, uint32_t count, char *log, uint32_t logLength);

/// Attach a program to an interface by a link, which ends with its descriptor; `flags` choose the mode. A descriptor or
/// -errno.
int CLinuxNet_linkXDPProgram(int program, int interfaceIndex, uint32_t flags);

/// Run a program over a frame, as if it had come in (BPF_PROG_TEST_RUN): the action it returns, or -errno.
int CLinuxNet_testXDPProgram(int program, const void *frame, uint32_t length);

/// How many receive queues an interface has (at least 1), or -errno.
int CLinuxNet_receiveQueues(const char *interface);

/// The name of an interface's driver (ETHTOOL_GDRVINFO), empty when it has none to tell. Valid until the calling thread's
/// next call.
const char *CLinuxNet_driver(const char *interface);

#pragma clang assume_nonnull end

#endif
