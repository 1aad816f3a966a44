#include "CLinuxNet_wait.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

int CLinuxNet_poll(struct pollfd *descriptors, unsigned int count, int64_t nanoseconds) {
    struct timespec timeout = {.tv_sec = nanoseconds / 1000000000, .tv_nsec = nanoseconds % 1000000000};
    int ready = ppoll(descriptors, count, nanoseconds < 0 ? NULL : &timeout, NULL);
    if (ready < 0) {
        return errno == EINTR ? 0 : -errno;
    }
    return ready;
}

int CLinuxNet_pollBusily(struct pollfd *descriptors, unsigned int count, int64_t nanoseconds) {
    struct timespec start, now;
    clock_gettime(CLOCK_MONOTONIC, &start);
    do {
        int ready = CLinuxNet_poll(descriptors, count, 0);
        if (ready != 0) {
            return ready;
        }
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while ((now.tv_sec - start.tv_sec) * 1000000000 + (now.tv_nsec - start.tv_nsec) < nanoseconds);
    return 0;
}

int CLinuxNet_takeError(int socket) {
    int error = 0;
    socklen_t length = sizeof error;
    return getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &length) < 0 ? -errno : error;
}

int CLinuxNet_openEvent(void) {
    int descriptor = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return descriptor < 0 ? -errno : descriptor;
}

void CLinuxNet_signalEvent(int event) {
    int before = errno;
    uint64_t one = 1;
    // Fails only when the count is at its limit: the event is readable then already.
    ssize_t written = write(event, &one, sizeof one);
    (void)written;
    errno = before;
}

void CLinuxNet_clearEvent(int event) {
    uint64_t count;
    ssize_t taken = read(event, &count, sizeof count);
    (void)taken;
}

int CLinuxNet_openGroup(void) {
    int group = epoll_create1(EPOLL_CLOEXEC);
    return group < 0 ? -errno : group;
}

int CLinuxNet_joinGroup(int group, int descriptor) {
    struct epoll_event event = {.events = EPOLLIN, .data = {.fd = descriptor}};
    return epoll_ctl(group, EPOLL_CTL_ADD, descriptor, &event) < 0 ? -errno : 0;
}
