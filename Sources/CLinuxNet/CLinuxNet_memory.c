#include "CLinuxNet_memory.h"

#include <sys/mman.h>

void *CLinuxNet_map(size_t length, int populate) {
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | (populate ? MAP_POPULATE : 0);
    void *address = mmap(NULL, length, PROT_READ | PROT_WRITE, flags, -1, 0);
    return address == MAP_FAILED ? NULL : address;
}

void CLinuxNet_unmap(void *address, size_t length) {
    munmap(address, length);
}
