/* What a running program writes, collected from several pipes at once. */
#ifndef DBGUEST_ENGINE_OUTPUT_H
#define DBGUEST_ENGINE_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

struct text;

#define OUTPUT_BYTES ((size_t)16 * 1024 * 1024) /* of each; the rest is dropped */

/* A pipe's reading end, non-blocking; -1 when it has ended. */
struct stream {
    int fd;
    struct text *text;
};

/*
 * Waits for input, or the end of the process behind pidfd, at most timeout_ms, and takes in what is
 * there. True while the process runs.
 */
bool output_wait(struct stream *streams, size_t count, int pidfd, int timeout_ms);
/* Takes in what is left in the pipes without waiting. */
void output_drain(struct stream *streams, size_t count);

#endif
