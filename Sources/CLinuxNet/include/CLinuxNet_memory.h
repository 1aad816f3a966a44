// Memory that is mapped and touched before it is used, so that the packet path meets no page fault.
#ifndef CLINUXNET_MEMORY_H
#define CLINUXNET_MEMORY_H

#include <stddef.h>

#pragma clang assume_nonnull begin

/// Map `length` bytes of zeroed private memory, aligned to a page. With `populate` every page is there on return, and what is
/// whole huge pages (2 MB) of it is made of these, where the kernel has some; all else is small pages.
/// NULL when the kernel has none.
void *_Nullable CLinuxNet_map(size_t length, int populate);

/// Have the kernel give this process huge pages only where `CLinuxNet_map` asks for them, though it is set to give them
/// everywhere (transparent_hugepage=always): 0, or -errno.
int CLinuxNet_refuseHugePages(void);

/// Give back what `CLinuxNet_map` returned.
void CLinuxNet_unmap(void *address, size_t length);

#pragma clang assume_nonnull end

#endif
