/*
 * Passwords as the servers store them, made here, so that no log of theirs can show what they were
 * not told.
 */
#ifndef MYSQL_HASH_H
#define MYSQL_HASH_H

#include <stddef.h>

/* MariaDB's mysql_native_password: "*" and SHA1(SHA1(password)) in hex. Caller frees. */
char *hash_native(const char *password);
/*
 * MySQL's caching_sha2_password: "$A$005$", 20 characters of salt, and the digest of SHA-256 crypt
 * (https://www.akkadia.org/drepper/SHA-crypt.txt) with 5,000 rounds, which takes 16 there.
 */
char *hash_caching_sha2(const char *password);
/* The same with a given salt of 20 characters. */
char *hash_caching_sha2_salted(const char *password, const char *salt);

/*
 * Many at once, on all processors: a thousand of MySQL's take one of them more than a second. A
 * password that is NULL has none. The caller frees hashes with hash_free_all(), which wipes them.
 */
char **hash_all(char *(*hash)(const char *password), const char *const *passwords, size_t count);
void hash_free_all(char **hashes, size_t count);

#endif
