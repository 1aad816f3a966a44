#include "CLinuxNet_tunnel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/sock_diag.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int closing(int descriptor) {
    int error = errno;
    close(descriptor);
    return -error;
}

static int setUp(const char *name) {
    struct ifreq request;
    memset(&request, 0, sizeof request);
    strcpy(request.ifr_name, name);
    int probe = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (probe < 0) {
        return -errno;
    }
    int status = ioctl(probe, SIOCGIFFLAGS, &request);
    if (status == 0) {
        request.ifr_flags |= IFF_UP;
        status = ioctl(probe, SIOCSIFFLAGS, &request);
    }
    status = status < 0 ? -errno : 0;
    close(probe);
    return status;
}

int CLinuxNet_openTun(const char *name) {
    struct ifreq request;
    int headerLength = sizeof(struct virtio_net_hdr);
    memset(&request, 0, sizeof request);
    if (strlen(name) >= sizeof request.ifr_name) {
        return -ENAMETOOLONG;
    }
    strcpy(request.ifr_name, name);
    request.ifr_flags = (short)(IFF_TUN | IFF_NO_PI | IFF_VNET_HDR | IFF_TUN_EXCL);
    int device = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (device < 0) {
        return -errno;
    }
    if (ioctl(device, TUNSETIFF, &request) < 0 || ioctl(device, TUNSETVNETHDRSZ, &headerLength) < 0) {
        return closing(device);
    }
    int status = setUp(name);
    if (status < 0) {
        errno = -status;
        return closing(device);
    }
    return device;
}

// Room for bursts; beyond net.core.rmem_max with CAP_NET_ADMIN only.
static void enlarge(int socket) {
    int size = 8 << 20;
    if (setsockopt(socket, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0) {
        setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    }
}

static int wantsTrafficClass(int socket, int family) {
    int on = 1;
    return family == AF_INET6 ? setsockopt(socket, IPPROTO_IPV6, IPV6_RECVTCLASS, &on, sizeof on)
                              : setsockopt(socket, IPPROTO_IP, IP_RECVTOS, &on, sizeof on);
}

int CLinuxNet_openRawSocket(int family, int protocol) {
    int descriptor = socket(family, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
    if (descriptor < 0) {
        return -errno;
    }
    if (wantsTrafficClass(descriptor, family) < 0) {
        return closing(descriptor);
    }
    enlarge(descriptor);
    return descriptor;
}

int CLinuxNet_openUDPSocket(int family, uint16_t port) {
    int on = 1;
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    const struct sockaddr *address = family == AF_INET6 ? (const struct sockaddr *)&v6 : (const struct sockaddr *)&v4;
    socklen_t length = family == AF_INET6 ? sizeof v6 : sizeof v4;
    int descriptor = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0) {
        return -errno;
    }
    if (family == AF_INET6) {
        // UDP_NO_CHECK6_RX (linux/udp.h), which does not go together with netinet's headers.
        enum { noCheck6Receive = 102 };
        if (setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) < 0 ||
            setsockopt(descriptor, IPPROTO_UDP, noCheck6Receive, &on, sizeof on) < 0) {
            return closing(descriptor);
        }
    }
    if (wantsTrafficClass(descriptor, family) < 0 || bind(descriptor, address, length) < 0) {
        return closing(descriptor);
    }
    enlarge(descriptor);
    return descriptor;
}

static void readAddress(const struct sockaddr_storage *address, uint8_t source[16]) {
    memset(source, 0, 16);
    if (address->ss_family == AF_INET6) {
        memcpy(source, &((const struct sockaddr_in6 *)address)->sin6_addr, 16);
    } else if (address->ss_family == AF_INET) {
        source[10] = source[11] = 0xff;
        memcpy(source + 12, &((const struct sockaddr_in *)address)->sin_addr, 4);
    }
}

static uint8_t readTrafficClass(struct msghdr *message) {
    for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part; part = CMSG_NXTHDR(message, part)) {
        int number = 0;
        if (part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_TOS) {
            return *(const uint8_t *)CMSG_DATA(part);
        }
        if (part->cmsg_level == IPPROTO_IPV6 && part->cmsg_type == IPV6_TCLASS) {
            memcpy(&number, CMSG_DATA(part), sizeof number);
            return (uint8_t)number;
        }
    }
    return 0;
}

long CLinuxNet_receivePacket(int socket, void *bytes, size_t length, uint8_t source[16], uint8_t *trafficClass) {
    struct sockaddr_storage address;
    struct iovec vector = {.iov_base = bytes, .iov_len = length};
    union {
        struct cmsghdr aligned;
        char bytes[64];
    } control;
    struct msghdr message;
    ssize_t received;
    do {
        memset(&message, 0, sizeof message);
        message.msg_name = &address;
        message.msg_namelen = sizeof address;
        message.msg_iov = &vector;
        message.msg_iovlen = 1;
        message.msg_control = &control;
        message.msg_controllen = sizeof control;
        address.ss_family = AF_UNSPEC;
        received = recvmsg(socket, &message, MSG_DONTWAIT | MSG_TRUNC);
    } while (received < 0 && errno == EINTR);
    if (received < 0) {
        return -errno;
    }
    readAddress(&address, source);
    *trafficClass = readTrafficClass(&message);
    return received;
}

long CLinuxNet_write(int descriptor, const void *bytes, size_t length) {
    ssize_t written;
    do {
        written = write(descriptor, bytes, length);
    } while (written < 0 && errno == EINTR);
    return written < 0 ? -errno : written;
}

long CLinuxNet_read(int descriptor, void *bytes, size_t length) {
    ssize_t taken;
    do {
        taken = read(descriptor, bytes, length);
    } while (taken < 0 && errno == EINTR);
    return taken < 0 ? -errno : taken;
}

unsigned int CLinuxNet_socketDrops(int socket) {
    unsigned int memory[SK_MEMINFO_VARS] = {0};
    socklen_t length = sizeof memory;
    if (getsockopt(socket, SOL_SOCKET, SO_MEMINFO, memory, &length) < 0) {
        return 0;
    }
    return memory[SK_MEMINFO_DROPS];
}
