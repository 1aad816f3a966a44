// What Swift's importer cannot see of Linux: macros that are expressions, variadic and GNU-only functions, structures that
// hide behind _GNU_SOURCE. One header a subject, one line here for each; every symbol carries the prefix CLinuxNet_.
//
// System calls are wrapped once: EINTR is retried and a failure is returned as the negative errno, so that nothing can
// run between the call and the reading of errno.
#ifndef CLINUXNET_H
#define CLINUXNET_H

#include "CLinuxNet_memory.h"
#include "CLinuxNet_netlink.h"
#include "CLinuxNet_nftables.h"
#include "CLinuxNet_packet.h"
#include "CLinuxNet_thread.h"
#include "CLinuxNet_tunnel.h"
#include "CLinuxNet_wait.h"
#include "CLinuxNet_xdp.h"

#endif
