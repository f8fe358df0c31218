/*
 * SCRAM verifiers (RFC 5802, RFC 7677) as PostgreSQL stores them: what the server needs to check a
 * password, and from which nobody gets it back.
 */
#ifndef POSTGRESQL_SCRAM_H
#define POSTGRESQL_SCRAM_H

/*
 * "SCRAM-SHA-256$4096:salt$stored:server" of a password. NULL for one that is not printable ASCII:
 * such a password must be normalized first (SASLprep), which libpq can. Caller frees.
 */
char *scram_verifier(const char *password);

#endif
