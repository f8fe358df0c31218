/*
 * Passwords as the servers store them, made here, so that no log of theirs can show what they were
 * not told.
 */
#ifndef MYSQL_HASH_H
#define MYSQL_HASH_H

/* MariaDB's mysql_native_password: "*" and SHA1(SHA1(password)) in hex. Caller frees. */
char *hash_native(const char *password);
/*
 * MySQL's caching_sha2_password: "$A$005$", 20 characters of salt, and the digest of SHA-256 crypt
 * (https://www.akkadia.org/drepper/SHA-crypt.txt) with 5,000 rounds, which takes 16 there.
 */
char *hash_caching_sha2(const char *password);
/* The same with a given salt of 20 characters. */
char *hash_caching_sha2_salted(const char *password, const char *salt);

#endif
