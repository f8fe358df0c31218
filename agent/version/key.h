/*
 * Ed25519 keys, in files as `openssl genpkey -algorithm ed25519` makes them (PEM). A key is named
 * by the SHA-256 of its public half.
 */
#ifndef DBGUEST_VERSION_KEY_H
#define DBGUEST_VERSION_KEY_H

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "cleanup.h"

struct error;

#define KEY_SIGNATURE_BYTES 64

void key_free(EVP_PKEY *key);
DEFINE_AUTOPTR_FOR(key, EVP_PKEY, key_free)

/* Of a file that is root's alone; NULL with not_found, denied or invalid. */
EVP_PKEY *key_read_private(const char *path, struct error *err);
/* The key of that name among the files FOLDER/X.pem; *file is its X.pem. NULL with denied. */
EVP_PKEY *key_find(const char *folder, const char *name, char **file, struct error *err);
/* "sha256:..."; the caller frees it. */
char *key_name(EVP_PKEY *key);
bool key_sign(EVP_PKEY *key, const void *bytes, size_t length,
              unsigned char signature[KEY_SIGNATURE_BYTES], struct error *err);
bool key_verifies(EVP_PKEY *key, const void *bytes, size_t length,
                  const unsigned char signature[KEY_SIGNATURE_BYTES]);

#endif
