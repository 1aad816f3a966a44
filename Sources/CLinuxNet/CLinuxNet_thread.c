#include "CLinuxNet_thread.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>

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

int CLinuxNet_nameCurrentThread(const char *name) {
    char cut[16];
    strncpy(cut, name, sizeof cut - 1);
    cut[sizeof cut - 1] = 0;
    return -pthread_setname_np(pthread_self(), cut);
}
