#include "pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "error.h"
#include "task.h"

#define TICK_MS 200

static bool await(struct task *task, int fd, short events, struct error *err)
{
    for (;;) {
        struct pollfd waited = { .fd = fd, .events = events };
        int ready = poll(&waited, 1, TICK_MS);

        if (ready > 0)
            return true;
        if (ready < 0 && errno != EINTR)
            return error_errno(err, "cannot wait for data");
        if (!task_goes_on(task, err))
            return false;
    }
}

ssize_t pipe_read(struct task *task, int fd, void *bytes, size_t room, struct error *err)
{
    for (;;) {
        if (!await(task, fd, POLLIN, err))
            return -1;
        ssize_t length = read(fd, bytes, room);
        if (length >= 0)
            return length;
        if (errno != EAGAIN && errno != EINTR) {
            error_errno(err, "cannot read the data");
            return -1;
        }
    }
}

bool pipe_write(struct task *task, int fd, const void *bytes, size_t length, struct error *err)
{
    const char *at = bytes;

    while (length > 0) {
        ssize_t written = write(fd, at, length);
        if (written >= 0) {
            at += written;
            length -= (size_t)written;
            continue;
        }
        if (errno != EAGAIN && errno != EINTR)
            return error_errno(err, "cannot write the data");
        if (!await(task, fd, POLLOUT, err))
            return false;
    }
    return true;
}

int pipe_unblock(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags >= 0)
        fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    return flags;
}

void pipe_restore(int fd, int flags)
{
    if (flags >= 0)
        fcntl(fd, F_SETFL, flags);
}
