#include "layer.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "error.h"
#include "json.h"
#include "memory.h"
#include "sum.h"

static void begin_block(struct layer *layer)
{
    layer->block_left = layer->block_bytes < layer->left ? layer->block_bytes : layer->left;
    EVP_DigestInit_ex(layer->sum, EVP_sha256(), NULL);
}

bool layer_open(struct layer *layer, struct json_object *plan, struct error *err)
{
    int64_t offset = json_get_int(plan, "offset");
    int64_t bytes = json_get_int(plan, "bytes");
    int64_t block_bytes = json_get_int(plan, "block_bytes");
    const char *file = json_get_string(plan, "file");
    struct stat status;

    *layer = (struct layer){ .file = file, .sums = json_get(plan, "sums"), .fd = -1 };
    if (file == NULL || offset < 0 || bytes < 0 || block_bytes <= 0)
        return error_set(err, ERROR_INTERNAL, "a layer's plan is incomplete");
    layer->fd = open(file, O_RDONLY | O_CLOEXEC);
    if (layer->fd < 0 || fstat(layer->fd, &status) != 0 || lseek(layer->fd, offset, SEEK_SET) < 0)
        return error_errno(err, "cannot open '%s'", file);
    if (status.st_size - offset < bytes)
        return error_set(err, ERROR_CORRUPT, "'%s' ends %lld bytes too early", file,
                         (long long)(bytes - (status.st_size - offset)));

    layer->left = (uint64_t)bytes;
    layer->block_bytes = (uint64_t)block_bytes;
    layer->sum = EVP_MD_CTX_new();
    layer->piece = xmalloc(LAYER_PIECE_BYTES);
    begin_block(layer);
    return true;
}

void layer_close(struct layer *layer)
{
    cleanup_close(&layer->fd);
    EVP_MD_CTX_free(layer->sum);
    free(layer->piece);
}

static bool end_block(struct layer *layer, struct error *err)
{
    autofree char *found = sum_end(layer->sum);
    const char *wanted =
        json_object_get_string(json_object_array_get_idx(layer->sums, layer->block));

    if (wanted == NULL || strcmp(wanted, found) != 0)
        return error_set(err, ERROR_CORRUPT,
                         "'%s' is spoilt: block %zu has the sum %.12s..., "
                         "not %.12s...",
                         layer->file, layer->block, found, wanted != NULL ? wanted : "(none)");
    layer->block++;
    if (layer->left > 0)
        begin_block(layer);
    return true;
}

ssize_t layer_read(struct layer *layer, struct error *err)
{
    size_t wanted =
        layer->block_left < LAYER_PIECE_BYTES ? (size_t)layer->block_left : LAYER_PIECE_BYTES;
    size_t length = 0;

    if (layer->left == 0)
        return 0;
    while (length < wanted) {
        ssize_t got = read(layer->fd, layer->piece + length, wanted - length);
        if (got <= 0) {
            error_set(err, ERROR_CORRUPT, "'%s' ends too early", layer->file);
            return -1;
        }
        length += (size_t)got;
    }
    EVP_DigestUpdate(layer->sum, layer->piece, length);
    layer->left -= length;
    layer->block_left -= length;
    if (layer->block_left == 0 && !end_block(layer, err))
        return -1;
    return (ssize_t)length;
}
