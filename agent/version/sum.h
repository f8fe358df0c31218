/*
 * SHA-256 in hex.
 */
#ifndef DBGUEST_VERSION_SUM_H
#define DBGUEST_VERSION_SUM_H

#include <openssl/types.h>
#include <stddef.h>

#define SUM_DIGITS 64

/* Ends a sum: its digits; the caller frees them. */
char *sum_end(EVP_MD_CTX *sum);
/* Of bytes in memory. */
char *sum_of(const void *bytes, size_t length);

#endif
