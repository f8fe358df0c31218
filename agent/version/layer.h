/*
 * One packed layer on its way into a folder, read a piece at a time and believed only as far as its
 * sums reach: a piece that ends a block whose sum is wrong is never handed on. A bundle has a sum
 * for each MiB, so that nothing of it is unpacked unverified; an image's layer has one for all.
 */
#ifndef DBGUEST_VERSION_LAYER_H
#define DBGUEST_VERSION_LAYER_H

#include <openssl/types.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct error;
struct json_object;

#define LAYER_PIECE_BYTES ((size_t)1 << 20)

struct layer {
    const char *file;         /* for messages */
    struct json_object *sums; /* SHA-256 in hex, one for each block */
    uint64_t block_bytes;
    uint64_t left;       /* bytes of the layer that are still to be read */
    uint64_t block_left; /* of the block */
    size_t block;
    int fd;
    EVP_MD_CTX *sum;
    unsigned char *piece;
};

/*
 * Of {"file", "offset", "bytes", "block_bytes", "sums"}, which it borrows and which must outlive
 * it. Fails with not_found, or corrupt when the file is shorter.
 */
bool layer_open(struct layer *layer, struct json_object *plan, struct error *err);
void layer_close(struct layer *layer);
/* The length of the next piece, which layer->piece holds; 0 at the end, -1 with corrupt. */
ssize_t layer_read(struct layer *layer, struct error *err);

#endif
