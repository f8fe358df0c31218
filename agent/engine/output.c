#include "output.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "text.h"

#define STREAMS 4
#define CHUNK 65536

/* Until nothing more is there now; a pipe that has ended is closed. */
static void take_in(struct stream *stream)
{
    char chunk[CHUNK];

    while (stream->fd >= 0) {
        ssize_t got = read(stream->fd, chunk, sizeof(chunk));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno == EAGAIN)
            return;
        if (got <= 0) {
            close(stream->fd);
            stream->fd = -1;
            return;
        }
        size_t room = OUTPUT_BYTES - stream->text->length;
        text_add_bytes(stream->text, chunk, (size_t)got < room ? (size_t)got : room);
    }
}

bool output_wait(struct stream *streams, size_t count, int pidfd, int timeout_ms)
{
    struct pollfd watched[STREAMS + 1] = { { .fd = pidfd, .events = POLLIN } };

    assert(count <= STREAMS);
    for (size_t i = 0; i < count; i++)
        watched[i + 1] = (struct pollfd){ .fd = streams[i].fd, .events = POLLIN };
    if (poll(watched, count + 1, timeout_ms) <= 0)
        return true;

    for (size_t i = 0; i < count; i++)
        if (watched[i + 1].revents != 0)
            take_in(&streams[i]);
    return watched[0].revents == 0;
}

void output_drain(struct stream *streams, size_t count)
{
    for (size_t i = 0; i < count; i++)
        take_in(&streams[i]);
}
