/*
 * For LD_PRELOAD into the daemon: a disk that hangs, as statvfs(3) sees it, for as long as the file
 * DBGUEST_SLOW_DISK is there.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

int statvfs(const char *path, struct statvfs *status)
{
    static int (*real)(const char *path, struct statvfs *status);
    const char *file = getenv("DBGUEST_SLOW_DISK");

    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "statvfs");
    while (file != NULL && access(file, F_OK) == 0)
        usleep(10000);
    return real(path, status);
}
