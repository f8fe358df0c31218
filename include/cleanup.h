/*
 * Locals that own something say so, and let go of it where their scope ends.
 *
 *     autofree char *path = xasprintf("%s/lock", folder);
 *     autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
 *     autoptr(json_object) request = json_read_file(path, err);
 *
 * steal() hands a value on: it returns the value and leaves the owner empty.
 */
#ifndef DBGUEST_CLEANUP_H
#define DBGUEST_CLEANUP_H

#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_free(void *pointer)
{
    free(*(void **)pointer);
}

static inline void cleanup_close(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

#define autofree __attribute__((cleanup(cleanup_free)))
#define autoclose __attribute__((cleanup(cleanup_close)))

/* Makes autoptr(name) possible; type is what the pointer points to, release accepts it. */
#define DEFINE_AUTOPTR_FOR(name, type, release)                                                    \
    typedef type *autoptr_##name;                                                                  \
    static inline void autoptr_release_##name(type **pointer)                                      \
    {                                                                                              \
        if (*pointer != NULL)                                                                      \
            release(*pointer);                                                                     \
    }
#define DEFINE_AUTOPTR(name, release) DEFINE_AUTOPTR_FOR(name, struct name, release)

#define autoptr(name) __attribute__((cleanup(autoptr_release_##name))) autoptr_##name

static inline void *steal_pointer(void *pointer)
{
    void *value = *(void **)pointer;

    *(void **)pointer = NULL;
    return value;
}

static inline int steal_fd(int *fd)
{
    int value = *fd;

    *fd = -1;
    return value;
}

#define steal(pointer) ((__typeof__(pointer))steal_pointer(&(pointer)))

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#endif
