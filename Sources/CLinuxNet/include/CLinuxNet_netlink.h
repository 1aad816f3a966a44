// Routing netlink: kernel structures, and the few constants whose headers clash with libc's.
#ifndef CLINUXNET_NETLINK_H
#define CLINUXNET_NETLINK_H

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

// linux/if.h, which redefines what net/if.h declares.
enum {
    CLinuxNet_IFF_UP = 0x1,
    CLinuxNet_IFF_RUNNING = 0x40,
};

_Static_assert(sizeof(struct nlmsghdr) == 16, "nlmsghdr");
_Static_assert(sizeof(struct ifinfomsg) == 16, "ifinfomsg");
_Static_assert(sizeof(struct ifaddrmsg) == 8, "ifaddrmsg");
_Static_assert(sizeof(struct rtmsg) == 12, "rtmsg");
_Static_assert(sizeof(struct rtnexthop) == 8, "rtnexthop");
_Static_assert(sizeof(struct ndmsg) == 12, "ndmsg");

#endif
