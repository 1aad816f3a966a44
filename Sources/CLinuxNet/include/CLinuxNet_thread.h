// The calling thread: its processor and its name.
#ifndef CLINUXNET_THREAD_H
#define CLINUXNET_THREAD_H

#pragma clang assume_nonnull begin

/// Keep the calling thread on one processor (pthread_setaffinity_np(3)). Returns 0 or -errno.
int CLinuxNet_pinCurrentThread(int processor);

/// How many processors the calling thread may run on (sched_getaffinity(2)); 1 where the kernel does not say.
int CLinuxNet_processors(void);

/// How many processors the machine has in use; 1 where the kernel does not say.
int CLinuxNet_onlineProcessors(void);

/// How many of the machine's threads run or wait for a processor, the calling one among them (/proc/loadavg); INT_MAX
/// where the kernel does not say.
int CLinuxNet_runningThreads(void);

/// Name the calling thread for `top -H` and gdb; names beyond 15 bytes are cut. Returns 0 or -errno.
int CLinuxNet_nameCurrentThread(const char *name);

#pragma clang assume_nonnull end

#endif
