#include "CLinuxNet_xdp.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

_Static_assert(CLinuxNet_XDP_PASS == XDP_PASS && CLinuxNet_XDP_REDIRECT == XDP_REDIRECT, "actions");
_Static_assert(CLinuxNet_XDP_FLAGS_SKB_MODE == XDP_FLAGS_SKB_MODE, "flags");
_Static_assert(CLinuxNet_XDP_FLAGS_DRV_MODE == XDP_FLAGS_DRV_MODE, "flags");

// ---- the socket -----------------------------------------------------------------------------------------------------

int CLinuxNet_openXDPSocket(void) {
    int descriptor = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
    return descriptor < 0 ? -errno : descriptor;
}

int CLinuxNet_registerFrames(int socket, void *memory, size_t length, uint32_t chunk) {
    struct xdp_umem_reg frames;
    memset(&frames, 0, sizeof frames);
    frames.addr = (uintptr_t)memory;
    frames.len = length;
    frames.chunk_size = chunk;
    return setsockopt(socket, SOL_XDP, XDP_UMEM_REG, &frames, sizeof frames) < 0 ? -errno : 0;
}

static const struct {
    int option;
    long long page;
    size_t descriptor;
} rings[] = {
    {XDP_RX_RING, XDP_PGOFF_RX_RING, sizeof(struct xdp_desc)},
    {XDP_TX_RING, XDP_PGOFF_TX_RING, sizeof(struct xdp_desc)},
    {XDP_UMEM_FILL_RING, XDP_UMEM_PGOFF_FILL_RING, sizeof(uint64_t)},
    {XDP_UMEM_COMPLETION_RING, XDP_UMEM_PGOFF_COMPLETION_RING, sizeof(uint64_t)},
};

int CLinuxNet_sizeRing(int socket, enum CLinuxNet_ringKind kind, uint32_t count) {
    return setsockopt(socket, SOL_XDP, rings[kind].option, &count, sizeof count) < 0 ? -errno : 0;
}

int CLinuxNet_mapRing(int socket, enum CLinuxNet_ringKind kind, uint32_t count, struct CLinuxNet_ring *ring) {
    struct xdp_mmap_offsets all;
    socklen_t size = sizeof all;
    if (getsockopt(socket, SOL_XDP, XDP_MMAP_OFFSETS, &all, &size) < 0) {
        return -errno;
    }
    if (size != sizeof all) {
        return -EINVAL; // a kernel before 5.4, which has no flags in its rings
    }
    const struct xdp_ring_offset *offsets[] = {&all.rx, &all.tx, &all.fr, &all.cr};
    const struct xdp_ring_offset *offset = offsets[kind];
    size_t length = offset->desc + count * rings[kind].descriptor;
    char *base =
        mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, socket, (off_t)rings[kind].page);
    if (base == MAP_FAILED) {
        return -errno;
    }
    ring->producer = (uint32_t *)(base + offset->producer);
    ring->consumer = (uint32_t *)(base + offset->consumer);
    ring->flags = (uint32_t *)(base + offset->flags);
    ring->descriptors = base + offset->desc;
    ring->mapping = base;
    ring->length = length;
    return 0;
}

void CLinuxNet_unmapRing(struct CLinuxNet_ring *ring) {
    if (ring->mapping) {
        munmap(ring->mapping, ring->length);
        ring->mapping = NULL;
    }
}

int CLinuxNet_bindXDPSocket(int socket, int interfaceIndex, uint32_t queue, uint16_t flags) {
    struct sockaddr_xdp address;
    memset(&address, 0, sizeof address);
    address.sxdp_family = AF_XDP;
    address.sxdp_ifindex = (uint32_t)interfaceIndex;
    address.sxdp_queue_id = queue;
    address.sxdp_flags = flags;
    return bind(socket, (const struct sockaddr *)&address, sizeof address) < 0 ? -errno : 0;
}

int CLinuxNet_kickTransmit(int socket) {
    return sendto(socket, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 ? -errno : 0;
}

int CLinuxNet_kickReceive(int socket) {
    return recvfrom(socket, NULL, 0, MSG_DONTWAIT, NULL, NULL) < 0 ? -errno : 0;
}

int CLinuxNet_takeXDPStatistics(int socket, struct xdp_statistics *statistics) {
    memset(statistics, 0, sizeof *statistics);
    socklen_t size = sizeof *statistics;
    return getsockopt(socket, SOL_XDP, XDP_STATISTICS, statistics, &size) < 0 ? -errno : 0;
}

int CLinuxNet_isZeroCopy(int socket) {
    struct xdp_options options;
    socklen_t size = sizeof options;
    memset(&options, 0, sizeof options);
    if (getsockopt(socket, SOL_XDP, XDP_OPTIONS, &options, &size) < 0) {
        return -errno;
    }
    return options.flags & XDP_OPTIONS_ZEROCOPY ? 1 : 0;
}

// ---- bpf(2) ---------------------------------------------------------------------------------------------------------

static int bpf(int command, union bpf_attr *attributes) {
    long status = syscall(SYS_bpf, command, attributes, sizeof *attributes);
    return status < 0 ? -errno : (int)status;
}

static int makeMap(uint32_t type, uint32_t keyLength, uint32_t entries, uint32_t flags) {
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.map_type = type;
    attributes.key_size = keyLength;
    attributes.value_size = sizeof(uint32_t);
    attributes.max_entries = entries;
    attributes.map_flags = flags;
    return bpf(BPF_MAP_CREATE, &attributes);
}

int CLinuxNet_makeHashMap(uint32_t keyLength, uint32_t entries) {
    return makeMap(BPF_MAP_TYPE_HASH, keyLength, entries, BPF_F_NO_PREALLOC);
}

int CLinuxNet_makeSocketMap(uint32_t entries) {
    return makeMap(BPF_MAP_TYPE_XSKMAP, sizeof(uint32_t), entries, 0);
}

int CLinuxNet_setMapValue(int map, const void *key, const uint32_t *value) {
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.map_fd = (uint32_t)map;
    attributes.key = (uintptr_t)key;
    attributes.value = (uintptr_t)value;
    return bpf(BPF_MAP_UPDATE_ELEM, &attributes);
}

int CLinuxNet_removeMapKey(int map, const void *key) {
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.map_fd = (uint32_t)map;
    attributes.key = (uintptr_t)key;
    return bpf(BPF_MAP_DELETE_ELEM, &attributes);
}

int CLinuxNet_loadXDPProgram(const void *instructions, uint32_t count, char *log, uint32_t logLength) {
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.prog_type = BPF_PROG_TYPE_XDP;
    attributes.insns = (uintptr_t)instructions;
    attributes.insn_cnt = count;
    attributes.license = (uintptr_t) "Dual BSD/GPL";
    memcpy(attributes.prog_name, "fairlead", sizeof "fairlead");
    int program = bpf(BPF_PROG_LOAD, &attributes);
    if (program >= 0) {
        return program;
    }
    // Once more, for what the verifier says.
    log[0] = 0;
    attributes.log_buf = (uintptr_t)log;
    attributes.log_size = logLength;
    attributes.log_level = 1;
    return bpf(BPF_PROG_LOAD, &attributes);
}

int CLinuxNet_linkXDPProgram(int program, int interfaceIndex, uint32_t flags) {
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.link_create.prog_fd = (uint32_t)program;
    attributes.link_create.target_ifindex = (uint32_t)interfaceIndex;
    attributes.link_create.attach_type = BPF_XDP;
    attributes.link_create.flags = flags;
    return bpf(BPF_LINK_CREATE, &attributes);
}

int CLinuxNet_testXDPProgram(int program, const void *frame, uint32_t length) {
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.test.prog_fd = (uint32_t)program;
    attributes.test.data_in = (uintptr_t)frame;
    attributes.test.data_size_in = length;
    attributes.test.repeat = 1;
    int status = bpf(BPF_PROG_TEST_RUN, &attributes);
    return status < 0 ? status : (int)attributes.test.retval;
}

// ---- facts of an interface ------------------------------------------------------------------------------------------

static int askDriver(const char *interface, void *question) {
    int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) {
        return -errno;
    }
    struct ifreq request;
    memset(&request, 0, sizeof request);
    strncpy(request.ifr_name, interface, sizeof request.ifr_name - 1);
    request.ifr_data = question;
    int status = ioctl(descriptor, SIOCETHTOOL, &request) < 0 ? -errno : 0;
    close(descriptor);
    return status;
}

int CLinuxNet_receiveQueues(const char *interface) {
    struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
    int status = askDriver(interface, &channels);
    if (status == -EOPNOTSUPP) {
        return 1;
    }
    if (status < 0) {
        return status;
    }
    uint32_t queues = channels.rx_count + channels.combined_count;
    return queues > 0 ? (int)queues : 1;
}

const char *CLinuxNet_driver(const char *interface) {
    static _Thread_local struct ethtool_drvinfo info;
    memset(&info, 0, sizeof info);
    info.cmd = ETHTOOL_GDRVINFO;
    if (askDriver(interface, &info) < 0) {
        info.driver[0] = 0;
    }
    return info.driver;
}
