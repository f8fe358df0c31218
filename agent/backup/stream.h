/*
 * A backup's bytes on their way: from a descriptor through zstd and SHA-256 into a file, and back.
 * Each is a thread of the worker that ends with it, with one pipe to the engine's tool; the buffers
 * are the only memory, and no file but the backup itself is written.
 */
#ifndef DBGUEST_STREAM_H
#define DBGUEST_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "cleanup.h"

struct error;
struct stream;

struct stream_result {
    uint64_t raw_bytes; /* before compression, as far as it is known: 0 when packed already */
    uint64_t file_bytes;
    char sha256[65]; /* of the file */
};

/*
 * Makes path and takes what is written to *input, a pipe's end that the caller gives to a tool and
 * closes. packed: the bytes are zstd already. level is zstd's.
 */
struct stream *stream_to_file(const char *path, bool packed, int level, int *input,
                              struct error *err);
/* Reads path, unpacks it and offers it at *output; checks its sum on the way. */
struct stream *stream_from_file(const char *path, int *output, struct error *err);
/* Bytes that went through the file so far. */
uint64_t stream_bytes(const struct stream *stream);
/* Waits for its end; the file is synced then. Fails with what happened in the thread (no_space,
 * corrupt, …). */
bool stream_finish(struct stream *stream, struct stream_result *result, struct error *err);
/* Gives up if it has not finished; what is there of the file stays. */
void stream_free(struct stream *stream);
DEFINE_AUTOPTR(stream, stream_free)

/* The SHA-256 of a file, in hex. */
bool stream_sum(const char *path, char sha256[65], void (*progress)(uint64_t bytes, void *context),
                void *context, struct error *err);

#endif
