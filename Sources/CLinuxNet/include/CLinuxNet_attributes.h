// What a shim promises to Swift's performance checks.
#ifndef CLINUXNET_ATTRIBUTES_H
#define CLINUXNET_ATTRIBUTES_H

/// Callable from functions marked @_noAllocation and @_noLocks: works on the caller's memory only.
#define CLINUXNET_HOT __attribute__((swift_attr("@_noLocks"))) __attribute__((swift_attr("@_noAllocation")))

#endif
