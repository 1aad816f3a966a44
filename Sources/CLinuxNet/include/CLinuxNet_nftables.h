// nf_tables over nfnetlink: kernel structures, and what the headers of 6.1 or their include chains leave out.
#ifndef CLINUXNET_NFTABLES_H
#define CLINUXNET_NFTABLES_H

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

// linux/netfilter.h, which includes linux/in.h and so clashes with netinet/in.h.
enum {
    CLinuxNet_NFPROTO_NETDEV = 5,
    CLinuxNet_NF_NETDEV_INGRESS = 0,
    CLinuxNet_NF_DROP = 0,
    CLinuxNet_NF_ACCEPT = 1,
};

_Static_assert(sizeof(struct nfgenmsg) == 4, "nfgenmsg");

#endif
