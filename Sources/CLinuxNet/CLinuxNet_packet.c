#include "CLinuxNet_packet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

_Static_assert(sizeof(struct CLinuxNet_mmsghdr) == sizeof(struct mmsghdr), "shadow of mmsghdr");
_Static_assert(offsetof(struct CLinuxNet_mmsghdr, msg_len) == offsetof(struct mmsghdr, msg_len), "shadow of mmsghdr");
_Static_assert(ARPHRD_ETHER == 1 && ARPHRD_LOOPBACK == 772, "hardware types");

int CLinuxNet_receiveBatch(int socket, struct CLinuxNet_mmsghdr *messages, unsigned int count) {
    int received;
    do {
        received = recvmmsg(socket, (struct mmsghdr *)messages, count, MSG_DONTWAIT, NULL);
    } while (received < 0 && errno == EINTR);
    return received < 0 ? -errno : received;
}

// Of a single vector: the kernel need not copy and check a message's header and its array of vectors.
static int sendOne(int socket, const struct iovec *vector) {
    ssize_t sent;
    do {
        sent = send(socket, vector->iov_base, vector->iov_len, MSG_DONTWAIT);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : 1;
}

int CLinuxNet_sendBatch(int socket, struct CLinuxNet_mmsghdr *messages, unsigned int count) {
    if (count == 1 && messages->msg_hdr.msg_iovlen == 1) {
        return sendOne(socket, messages->msg_hdr.msg_iov);
    }
    int sent;
    do {
        sent = sendmmsg(socket, (struct mmsghdr *)messages, count, MSG_DONTWAIT);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : sent;
}

int CLinuxNet_openPacketSocket(void) {
    int descriptor = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return descriptor < 0 ? -errno : descriptor;
}

int CLinuxNet_bindPacketSocket(int socket, int interfaceIndex) {
    struct sockaddr_ll address = {
        .sll_family = AF_PACKET,
        .sll_protocol = htons(ETH_P_ALL),
        .sll_ifindex = interfaceIndex,
    };
    return bind(socket, (const struct sockaddr *)&address, sizeof address) < 0 ? -errno : 0;
}

int CLinuxNet_receiveAllMulticast(int socket, int interfaceIndex) {
    struct packet_mreq membership = {.mr_ifindex = interfaceIndex, .mr_type = PACKET_MR_ALLMULTI};
    return setsockopt(socket, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &membership, sizeof membership) < 0 ? -errno : 0;
}

int CLinuxNet_setOption(int socket, int level, int option, int value) {
    return setsockopt(socket, level, option, &value, sizeof value) < 0 ? -errno : 0;
}

int CLinuxNet_attachFilter(int socket, const struct sock_filter *instructions, unsigned short count) {
    struct sock_fprog program = {.len = count, .filter = (struct sock_filter *)instructions};
    return setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) < 0 ? -errno : 0;
}

// Since Linux 5.11; not in the headers of Debian 12.
#ifndef PACKET_FANOUT_FLAG_IGNORE_OUTGOING
#define PACKET_FANOUT_FLAG_IGNORE_OUTGOING 0x4000
#endif

enum { fanoutKind = PACKET_FANOUT_HASH | PACKET_FANOUT_FLAG_IGNORE_OUTGOING };

int CLinuxNet_fanoutGroup(int socket) {
    // The low half is the group's number, the high half its kind; zero: none.
    int group = 0;
    socklen_t length = sizeof group;
    if (getsockopt(socket, SOL_PACKET, PACKET_FANOUT, &group, &length) < 0) {
        return -errno;
    }
    if (group == 0) {
        int status = CLinuxNet_setOption(socket, SOL_PACKET, PACKET_FANOUT,
                                         (fanoutKind | PACKET_FANOUT_FLAG_UNIQUEID) << 16);
        if (status < 0) {
            return status;
        }
        if (getsockopt(socket, SOL_PACKET, PACKET_FANOUT, &group, &length) < 0) {
            return -errno;
        }
    }
    return group & 0xffff;
}

int CLinuxNet_joinFanoutGroup(int socket, int group) {
    return CLinuxNet_setOption(socket, SOL_PACKET, PACKET_FANOUT, group | fanoutKind << 16);
}

int CLinuxNet_takeDrops(int socket, unsigned int *drops) {
    struct tpacket_stats statistics = {0, 0};
    socklen_t length = sizeof statistics;
    if (getsockopt(socket, SOL_PACKET, PACKET_STATISTICS, &statistics, &length) < 0) {
        return -errno;
    }
    *drops = statistics.tp_drops;
    return 0;
}

// The kernel allocates a ring in blocks: small enough to be found in fragmented memory.
enum { ringBlock = 1 << 16 };

int CLinuxNet_openReceiveRing(int socket, unsigned slots, unsigned slotSize, unsigned reserve, void **ring) {
    int status = CLinuxNet_setOption(socket, SOL_PACKET, PACKET_VERSION, TPACKET_V2);
    if (status == 0) {
        status = CLinuxNet_setOption(socket, SOL_PACKET, PACKET_RESERVE, (int)reserve);
    }
    if (status == 0) {
        status = CLinuxNet_setOption(socket, SOL_PACKET, PACKET_COPY_THRESH, 1);
    }
    if (status < 0) {
        return status;
    }
    struct tpacket_req request = {
        .tp_block_size = ringBlock,
        .tp_block_nr = (unsigned)((size_t)slots * slotSize / ringBlock),
        .tp_frame_size = slotSize,
        .tp_frame_nr = slots,
    };
    if (setsockopt(socket, SOL_PACKET, PACKET_RX_RING, &request, sizeof request) < 0) {
        return -errno;
    }
    void *memory = mmap(NULL, (size_t)slots * slotSize, PROT_READ | PROT_WRITE, MAP_SHARED, socket, 0);
    if (memory == MAP_FAILED) {
        status = -errno;
        memset(&request, 0, sizeof request);
        (void)setsockopt(socket, SOL_PACKET, PACKET_RX_RING, &request, sizeof request);
        return status;
    }
    *ring = memory;
    return 0;
}

static int interfaceRequest(int socket, const char *name, unsigned long request, struct ifreq *answer) {
    memset(answer, 0, sizeof *answer);
    if (strlen(name) >= sizeof answer->ifr_name) {
        return -ENODEV;
    }
    strcpy(answer->ifr_name, name);
    return ioctl(socket, request, answer) < 0 ? -errno : 0;
}

int CLinuxNet_interfaceIndex(int socket, const char *name) {
    struct ifreq answer;
    int status = interfaceRequest(socket, name, SIOCGIFINDEX, &answer);
    return status < 0 ? status : answer.ifr_ifindex;
}

int CLinuxNet_interfaceMTU(int socket, const char *name) {
    struct ifreq answer;
    int status = interfaceRequest(socket, name, SIOCGIFMTU, &answer);
    return status < 0 ? status : answer.ifr_mtu;
}

int CLinuxNet_interfaceType(int socket, const char *name) {
    struct ifreq answer;
    int status = interfaceRequest(socket, name, SIOCGIFHWADDR, &answer);
    return status < 0 ? status : answer.ifr_hwaddr.sa_family;
}
