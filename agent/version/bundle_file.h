/*
 * A bundle: one signed file that holds one version, for machines that reach no registry.
 *
 *     magic 50 2A 4D 18, length of the head (little-endian, 4 bytes)
 *     head: "dbguest bundle 1\n", signature in 128 hex digits, "\n",
 *         the name of its key in 64 hex digits, "\n", manifest as JSON, blanks
 *     payload: the version's tree as a tar file, packed by zstd
 *
 * The first 8 bytes make the head a frame that zstd skips, so that `zstd -dc FILE | tar t` lists it
 * without us. The Ed25519 signature is over the first line and all that follows the second, so that
 * nothing of a head can be another. The manifest has a SHA-256 for each MiB of the payload and the
 * payload's length: what is there besides, or is missing, or differs, is noticed before it is used.
 */
#ifndef DBGUEST_VERSION_BUNDLE_FILE_H
#define DBGUEST_VERSION_BUNDLE_FILE_H

#include <openssl/types.h>
#include <stdbool.h>
#include <stdint.h>

#include "cleanup.h"

struct error;
struct json_object;

struct bundle {
    struct json_object *manifest; /* as signed */
    char *signed_by;              /* the file of the key that verified it */
    uint64_t payload_offset;
};

/*
 * Reads and verifies the head, and that the payload is as long as it says. Fails with not_found;
 * with denied when no key in keys_dir is the one; with corrupt.
 */
bool bundle_open(const char *path, const char *keys_dir, struct bundle *bundle, struct error *err);
void bundle_done(struct bundle *bundle);
#define autobundle __attribute__((cleanup(bundle_done)))

/* How much to leave free before the payload for the head of a version of that size. */
uint64_t bundle_head_room(struct json_object *manifest, uint64_t tree_bytes);
/*
 * Given a file whose payload begins at room: adds "payload_bytes", "block_bytes" and "sums" to the
 * manifest and writes the head, signed.
 */
bool bundle_write_head(int fd, uint64_t room, struct json_object *manifest, EVP_PKEY *key,
                       struct error *err);
/* As layer.h reads it; the caller owns it. */
struct json_object *bundle_layer(const struct bundle *bundle, const char *path);

#endif
