// Kernel UAPI and static inline shims.
