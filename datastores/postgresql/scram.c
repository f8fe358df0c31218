#include "scram.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdbool.h>
#include <string.h>

#include "memory.h"

#define ITERATIONS 4096
#define SALT_BYTES 16
#define KEY_BYTES 32
#define BASE64_BYTES(count) (((count) + 2) / 3 * 4 + 1)

/* These letters SASLprep leaves as they are. */
static const char *first_beyond_ascii(const char *text)
{
    while (*text >= 0x20 && *text < 0x7f)
        text++;
    return text;
}

/* HMAC-SHA-256 of a word by the salted password. */
static bool keyed(const unsigned char *salted, const char *word, unsigned char *out)
{
    unsigned int length = 0;

    return HMAC(EVP_sha256(), salted, KEY_BYTES, (const unsigned char *)word, strlen(word), out,
                &length) != NULL;
}

/*
 * The same as libpq's, which starts its HMAC anew for each iteration and takes three times as long:
 * as long as the server takes to check it, where many are made at once.
 */
char *scram_verifier(const char *password)
{
    unsigned char salt[SALT_BYTES];
    unsigned char salted[KEY_BYTES];
    unsigned char client[KEY_BYTES];
    unsigned char stored[KEY_BYTES];
    unsigned char server[KEY_BYTES];
    unsigned char salt_text[BASE64_BYTES(SALT_BYTES)];
    unsigned char stored_text[BASE64_BYTES(KEY_BYTES)];
    unsigned char server_text[BASE64_BYTES(KEY_BYTES)];

    if (*first_beyond_ascii(password) != '\0')
        return NULL;

    bool made = RAND_bytes(salt, sizeof(salt)) == 1 &&
                PKCS5_PBKDF2_HMAC(password, (int)strlen(password), salt, sizeof(salt), ITERATIONS,
                                  EVP_sha256(), sizeof(salted), salted) == 1 &&
                keyed(salted, "Client Key", client) && keyed(salted, "Server Key", server) &&
                EVP_Digest(client, sizeof(client), stored, NULL, EVP_sha256(), NULL) == 1;
    explicit_bzero(salted, sizeof(salted));
    explicit_bzero(client, sizeof(client));
    if (!made)
        return NULL;

    EVP_EncodeBlock(salt_text, salt, sizeof(salt));
    EVP_EncodeBlock(stored_text, stored, sizeof(stored));
    EVP_EncodeBlock(server_text, server, sizeof(server));
    return xasprintf("SCRAM-SHA-256$%d:%s$%s:%s", ITERATIONS, (char *)salt_text,
                     (char *)stored_text, (char *)server_text);
}
