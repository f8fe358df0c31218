#include "stream.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "error.h"
#include "file.h"
#include "memory.h"

#define BLOCK_BYTES ((size_t)1 << 20)
#define PIPE_BYTES (1 << 20)
#define COMPRESSORS 2

struct stream {
    char *path;
    int file;
    int pipe; /* our end */
    bool packed;
    int level;
    bool started;
    pthread_t thread;
    atomic_uint_least64_t file_bytes;
    uint64_t raw_bytes;
    EVP_MD_CTX *sum;
    ZSTD_CCtx *packer;
    ZSTD_DCtx *unpacker;
    char *in, *out;
    struct error err;
};

static void hex(const unsigned char *bytes, unsigned int length, char *text)
{
    for (unsigned int i = 0; i < length; i++)
        snprintf(text + (size_t)i * 2, 3, "%02x", bytes[i]);
}

static EVP_MD_CTX *new_sum(void)
{
    EVP_MD_CTX *sum = EVP_MD_CTX_new();

    if (sum == NULL || EVP_DigestInit_ex(sum, EVP_sha256(), NULL) != 1)
        abort(); /* only memory can be missing */
    return sum;
}

static void end_sum(EVP_MD_CTX *sum, char sha256[65])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int length = 0;

    EVP_DigestFinal_ex(sum, digest, &length);
    hex(digest, length, sha256);
}

static ssize_t read_some(int fd, void *bytes, size_t room)
{
    ssize_t length;

    do
        length = read(fd, bytes, room);
    while (length < 0 && errno == EINTR);
    return length;
}

static bool to_file(struct stream *stream, const char *bytes, size_t length)
{
    if (length == 0)
        return true;
    if (!file_write_all(stream->file, bytes, length))
        return error_errno(&stream->err, "cannot write '%s'", stream->path);
    EVP_DigestUpdate(stream->sum, bytes, length);
    atomic_fetch_add(&stream->file_bytes, length);
    return true;
}

static bool pack(struct stream *stream, const char *bytes, size_t length, ZSTD_EndDirective how)
{
    ZSTD_inBuffer in = { bytes, length, 0 };
    size_t left;

    do {
        ZSTD_outBuffer out = { stream->out, BLOCK_BYTES, 0 };

        left = ZSTD_compressStream2(stream->packer, &out, &in, how);
        if (ZSTD_isError(left))
            return error_set(&stream->err, ERROR_INTERNAL, "zstd: %s", ZSTD_getErrorName(left));
        if (!to_file(stream, stream->out, out.pos))
            return false;
    } while (how == ZSTD_e_end ? left > 0 : in.pos < in.size);
    return true;
}

static bool fill_file(struct stream *stream)
{
    for (;;) {
        ssize_t length = read_some(stream->pipe, stream->in, BLOCK_BYTES);

        if (length < 0)
            return error_errno(&stream->err, "cannot read the backup's stream");
        if (length == 0)
            break;
        if (stream->packed) {
            if (!to_file(stream, stream->in, (size_t)length))
                return false;
            continue;
        }
        stream->raw_bytes += (uint64_t)length;
        if (!pack(stream, stream->in, (size_t)length, ZSTD_e_continue))
            return false;
    }
    if (!stream->packed && !pack(stream, NULL, 0, ZSTD_e_end))
        return false;
    if (fsync(stream->file) < 0)
        return error_errno(&stream->err, "cannot sync '%s'", stream->path);
    return true;
}

static bool unpack(struct stream *stream, const char *bytes, size_t length, size_t *expected)
{
    ZSTD_inBuffer in = { bytes, length, 0 };

    while (in.pos < in.size) {
        ZSTD_outBuffer out = { stream->out, BLOCK_BYTES, 0 };

        *expected = ZSTD_decompressStream(stream->unpacker, &out, &in);
        if (ZSTD_isError(*expected))
            return error_set(&stream->err, ERROR_CORRUPT, "'%s' is damaged: %s", stream->path,
                             ZSTD_getErrorName(*expected));
        if (!file_write_all(stream->pipe, stream->out, out.pos))
            return error_errno(&stream->err, "the restore took no more");
        stream->raw_bytes += out.pos;
    }
    return true;
}

static bool empty_file(struct stream *stream)
{
    size_t expected = 0;

    for (;;) {
        ssize_t length = read_some(stream->file, stream->in, BLOCK_BYTES);

        if (length < 0)
            return error_errno(&stream->err, "cannot read '%s'", stream->path);
        if (length == 0)
            break;
        EVP_DigestUpdate(stream->sum, stream->in, (size_t)length);
        atomic_fetch_add(&stream->file_bytes, (uint64_t)length);
        if (!unpack(stream, stream->in, (size_t)length, &expected))
            return false;
    }
    if (expected != 0)
        return error_set(&stream->err, ERROR_CORRUPT, "'%s' ends too early", stream->path);
    return true;
}

static void *run(void *context)
{
    struct stream *stream = context;

    if (stream->packer != NULL || stream->packed)
        fill_file(stream);
    else
        empty_file(stream);
    /* The other end sees that nobody reads, or that no more comes. */
    close(stream->pipe);
    stream->pipe = -1;
    return NULL;
}

static struct stream *start(struct stream *stream, int *their_end, bool they_write,
                            struct error *err)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0) {
        error_errno(err, "cannot make a pipe");
        stream_free(stream);
        return NULL;
    }
    fcntl(ends[0], F_SETPIPE_SZ, PIPE_BYTES); /* larger pipes gain some percent, no more */
    stream->pipe = they_write ? ends[0] : ends[1];
    *their_end = they_write ? ends[1] : ends[0];
    stream->in = xmalloc(BLOCK_BYTES);
    stream->out = xmalloc(BLOCK_BYTES);
    stream->sum = new_sum();
    errno = pthread_create(&stream->thread, NULL, run, stream);
    if (errno != 0) {
        error_errno(err, "cannot start a thread");
        close(*their_end);
        stream_free(stream);
        return NULL;
    }
    stream->started = true;
    return stream;
}

struct stream *stream_to_file(const char *path, bool packed, int level, int *input,
                              struct error *err)
{
    struct stream *stream = xcalloc(1, sizeof(*stream));

    stream->path = xstrdup(path);
    stream->pipe = -1;
    stream->packed = packed;
    stream->file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (stream->file < 0) {
        error_errno(err, "cannot make '%s'", path);
        stream_free(stream);
        return NULL;
    }
    if (!packed) {
        stream->packer = ZSTD_createCCtx();
        ZSTD_CCtx_setParameter(stream->packer, ZSTD_c_compressionLevel, level);
        ZSTD_CCtx_setParameter(stream->packer, ZSTD_c_checksumFlag, 1);
        ZSTD_CCtx_setParameter(stream->packer, ZSTD_c_nbWorkers, COMPRESSORS);
    }
    return start(stream, input, true, err);
}

struct stream *stream_from_file(const char *path, int *output, struct error *err)
{
    struct stream *stream = xcalloc(1, sizeof(*stream));

    stream->path = xstrdup(path);
    stream->pipe = -1;
    stream->file = open(path, O_RDONLY | O_CLOEXEC);
    if (stream->file < 0) {
        error_errno(err, "cannot open '%s'", path);
        stream_free(stream);
        return NULL;
    }
    stream->unpacker = ZSTD_createDCtx();
    return start(stream, output, false, err);
}

uint64_t stream_bytes(const struct stream *stream)
{
    return atomic_load(&stream->file_bytes);
}

bool stream_finish(struct stream *stream, struct stream_result *result, struct error *err)
{
    pthread_join(stream->thread, NULL);
    stream->started = false;
    if (stream->err.reason != ERROR_NONE) {
        error_move(err, &stream->err);
        return false;
    }
    result->raw_bytes = stream->raw_bytes;
    result->file_bytes = stream_bytes(stream);
    end_sum(stream->sum, result->sha256);
    return true;
}

void stream_free(struct stream *stream)
{
    if (stream == NULL)
        return;
    if (stream->started) {
        pthread_cancel(stream->thread);
        pthread_join(stream->thread, NULL);
    }
    if (stream->pipe >= 0)
        close(stream->pipe);
    if (stream->file >= 0)
        close(stream->file);
    EVP_MD_CTX_free(stream->sum);
    ZSTD_freeCCtx(stream->packer);
    ZSTD_freeDCtx(stream->unpacker);
    error_clear(&stream->err);
    free(stream->in);
    free(stream->out);
    free(stream->path);
    free(stream);
}

bool stream_sum(const char *path, char sha256[65], void (*progress)(uint64_t bytes, void *context),
                void *context, struct error *err)
{
    autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
    autofree char *block = xmalloc(BLOCK_BYTES);
    EVP_MD_CTX *sum = new_sum();
    uint64_t bytes = 0;
    ssize_t length = -1;

    while (fd >= 0 && (length = read_some(fd, block, BLOCK_BYTES)) > 0) {
        EVP_DigestUpdate(sum, block, (size_t)length);
        bytes += (uint64_t)length;
        if (progress != NULL)
            progress(bytes, context);
    }
    if (length == 0)
        end_sum(sum, sha256);
    EVP_MD_CTX_free(sum);
    return length == 0 || error_errno(err, "cannot read '%s'", path);
}
