#include "CLinuxNet_memory.h"

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

// Since Linux 5.14; not in older headers.
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

// Since Linux 6.18: no huge pages but where MADV_HUGEPAGE asks for them.
#ifndef PR_THP_DISABLE_EXCEPT_ADVISED
#define PR_THP_DISABLE_EXCEPT_ADVISED (1 << 1)
#endif

enum { hugePage = 2 << 20 };

// Whether CLinuxNet_refuseHugePages refused them to all memory: what an operator refused stays refused.
static int refusesAll;

static size_t roundedUp(size_t length, size_t unit) {
    return (length + unit - 1) & ~(unit - 1);
}

// Touch every page; before Linux 5.14 one by one.
static void populatePages(char *memory, size_t length, size_t page) {
    if (length == 0 || madvise(memory, length, MADV_POPULATE_WRITE) == 0) {
        return;
    }
    for (size_t offset = 0; offset < length; offset += page) {
        *(volatile char *)(memory + offset) = 0;
    }
}

// A mapping whose first byte is at a multiple of a huge page.
static char *mapAligned(size_t length) {
    size_t room = length + hugePage;
    char *memory = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return MAP_FAILED;
    }
    size_t before = -(uintptr_t)memory & (hugePage - 1);
    if (before > 0) {
        munmap(memory, before);
    }
    if (before < hugePage) {
        munmap(memory + before + length, hugePage - before);
    }
    return memory + before;
}

void *CLinuxNet_map(size_t length, int populate) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    if (length == 0 || length > SIZE_MAX / 2) {
        return NULL;
    }
    length = roundedUp(length, page);
    size_t whole = populate ? length & ~(size_t)(hugePage - 1) : 0;
    char *memory = whole > 0 ? mapAligned(length)
                             : mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return NULL;
    }
    // What a kernel that has no huge pages says to this does not matter. Small pages are asked for by name, since where the
    // kernel gives huge ones unasked a block would be filled up with what its neighbours have not touched.
    if (whole > 0) {
        (void)madvise(memory, whole, MADV_HUGEPAGE);
    }
    if (whole < length) {
        (void)madvise(memory + whole, length - whole, MADV_NOHUGEPAGE);
    }
    if (populate) {
        // A kernel that knows no exception gives huge pages to nobody after CLinuxNet_refuseHugePages, so they are allowed
        // for as long as these are made; what is there stays.
        int isRefusing = whole > 0 && refusesAll;
        if (isRefusing) {
            (void)prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
        }
        populatePages(memory, length, page);
        if (isRefusing) {
            (void)prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
        }
    }
    return memory;
}

int CLinuxNet_refuseHugePages(void) {
    if (prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) > 0 || prctl(PR_SET_THP_DISABLE, 1, PR_THP_DISABLE_EXCEPT_ADVISED, 0, 0) == 0) {
        return 0;
    }
    if (prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) < 0) {
        return -errno;
    }
    refusesAll = 1;
    return 0;
}

void CLinuxNet_unmap(void *address, size_t length) {
    munmap(address, length);
}
