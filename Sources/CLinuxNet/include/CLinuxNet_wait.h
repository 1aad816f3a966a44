// Waiting for descriptors, and waking a thread that waits.
#ifndef CLINUXNET_WAIT_H
#define CLINUXNET_WAIT_H

#include <poll.h>
#include <stdint.h>

#include "CLinuxNet_attributes.h"

#pragma clang assume_nonnull begin

/// ppoll(2) with the timeout in nanoseconds (negative: without end). A signal ends the wait with 0: whoever waits looks
/// at its stop flag and waits again. Returns how many descriptors are ready, or -errno.
CLINUXNET_HOT int CLinuxNet_poll(struct pollfd *_Nullable descriptors, unsigned int count, int64_t nanoseconds);

/// As CLinuxNet_poll, but without sleeping: over and over, until a descriptor is ready or the time is over.
CLINUXNET_HOT int CLinuxNet_pollBusily(struct pollfd *descriptors, unsigned int count, int64_t nanoseconds);

/// Take the error that waits on a socket (SO_ERROR), for which poll(2) says POLLERR: its number, 0 where there is none, or
/// -errno.
int CLinuxNet_takeError(int socket);

/// A non-blocking event descriptor (eventfd(2)) with the count 0. Returns the descriptor, or -errno.
int CLinuxNet_openEvent(void);

/// Make the event readable. From any thread and from signal handlers.
CLINUXNET_HOT void CLinuxNet_signalEvent(int event);

/// Make the event unreadable again.
CLINUXNET_HOT void CLinuxNet_clearEvent(int event);

/// A descriptor that is readable while any that joined it is (epoll(7)). Returns it, or -errno.
int CLinuxNet_openGroup(void);

/// Have `descriptor` join a group. 0 or -errno.
int CLinuxNet_joinGroup(int group, int descriptor);

#pragma clang assume_nonnull end

#endif
