#include "CLinuxNet_thread.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int CLinuxNet_pinCurrentThread(int processor) {
    if (processor < 0 || processor >= CPU_SETSIZE) {
        return -EINVAL;
    }
    cpu_set_t processors;
    CPU_ZERO(&processors);
    CPU_SET(processor, &processors);
    return -pthread_setaffinity_np(pthread_self(), sizeof processors, &processors);
}

int CLinuxNet_processors(void) {
    cpu_set_t processors;
    return sched_getaffinity(0, sizeof processors, &processors) < 0 ? 1 : CPU_COUNT(&processors);
}

int CLinuxNet_onlineProcessors(void) {
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count < 1 ? 1 : (int)count;
}

int CLinuxNet_runningThreads(void) {
    char text[96];
    int file = open("/proc/loadavg", O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return INT_MAX;
    }
    ssize_t length = read(file, text, sizeof text - 1);
    close(file);
    text[length < 0 ? 0 : length] = 0;
    int running;
    return sscanf(text, "%*s %*s %*s %d/", &running) == 1 ? running : INT_MAX;
}

int CLinuxNet_nameCurrentThread(const char *name) {
    char cut[16];
    strncpy(cut, name, sizeof cut - 1);
    cut[sizeof cut - 1] = 0;
    return -pthread_setname_np(pthread_self(), cut);
}
