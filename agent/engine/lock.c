#include "lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "error.h"
#include "file.h"
#include "json.h"
#include "memory.h"
#include "process.h"

/* lock_held() has it for a moment; whoever wants it for long tries this often before it is busy. */
#define TRIES 20
#define BETWEEN_TRIES_NS 10000000L

#define RECORD_BYTES 256

static char *path_of(const char *data)
{
    return xasprintf("%s/engine.lock", data);
}

static bool is_named(int fd, const char *path)
{
    struct stat held;
    struct stat named;

    return fstat(fd, &held) == 0 && stat(path, &named) == 0 && held.st_dev == named.st_dev &&
           held.st_ino == named.st_ino;
}

/* The descriptor; -1 with errno, EWOULDBLOCK when somebody has it or it was replaced (C14). */
static int try_lock(const char *path)
{
    autoclose int fd = open(path, O_RDONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) != 0)
        return -1;
    if (!is_named(fd, path)) {
        errno = EWOULDBLOCK;
        return -1;
    }
    return steal_fd(&fd);
}

int lock_take(const char *data, struct error *err)
{
    const struct timespec between = { .tv_nsec = BETWEEN_TRIES_NS };
    autofree char *path = path_of(data);

    if (file_is_network(data)) {
        error_set(err, ERROR_UNSUPPORTED,
                  "'%s' is on a network file system, whose locks do not hold", data);
        return -1;
    }
    for (int i = 0; i < TRIES; i++) {
        int fd = try_lock(path);
        if (fd >= 0)
            return fd;
        if (errno != EWOULDBLOCK && errno != EINTR) {
            error_errno(err, "cannot lock '%s'", path);
            return -1;
        }
        nanosleep(&between, NULL);
    }
    error_set(err, ERROR_BUSY, "something runs on the data in '%s'", data);
    return -1;
}

bool lock_write_record(const char *data, const struct process *process, struct error *err)
{
    autofree char *path = path_of(data);
    autoptr(json_object) record = process_to_json(process);
    char bytes[RECORD_BYTES];
    autoclose int fd = open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);

    /* Always as long, so that nobody reads a new record with the end of an old one. */
    memset(bytes, ' ', sizeof(bytes));
    const char *line = json_line(record);
    size_t length = strlen(line);
    if (length >= sizeof(bytes))
        return error_set(err, ERROR_INTERNAL, "the record of a process is too long");
    /* NOLINTNEXTLINE(bugprone-not-null-terminated-result): a line of the file, not a string */
    memcpy(bytes, line, length);
    bytes[sizeof(bytes) - 1] = '\n';

    if (fd < 0 || pwrite(fd, bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        return error_errno(err, "cannot write '%s'", path);
    return true;
}

bool lock_read_record(const char *data, struct process *out)
{
    struct error err = { 0 };
    autofree char *path = path_of(data);
    autoptr(json_object) record = json_read_file(path, &err);
    bool legible = record != NULL && process_from_json(record, out);

    error_clear(&err);
    return legible;
}

bool lock_held(const char *data)
{
    autofree char *path = path_of(data);
    autoclose int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0)
        return errno != ENOENT;
    /* Shared, so that two who look do not see each other. */
    return flock(fd, LOCK_SH | LOCK_NB) != 0;
}
