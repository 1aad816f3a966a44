// Cache hints for the packet loop. No includes, so that `Balancer` stays free of libc.
#ifndef CPREFETCH_H
#define CPREFETCH_H

/// Ask the cache for the line at `address`, to be read and written soon. Never faults.
__attribute__((swift_attr("@_noLocks"))) __attribute__((swift_attr("@_noAllocation")))
static inline void CPrefetch_line(const void *_Nonnull address) {
    __builtin_prefetch(address, 1, 3);
}

#endif
