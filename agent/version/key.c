#include "key.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "error.h"
#include "file.h"
#include "memory.h"
#include "sum.h"
#include "text.h"

#define PUBLIC_BYTES 32

void key_free(EVP_PKEY *key)
{
    EVP_PKEY_free(key);
}

/* Nobody is there to be asked for a passphrase. */
/* NOLINTNEXTLINE(readability-non-const-parameter): OpenSSL's type */
static int no_passphrase(char *buffer, int size, int writing, void *context)
{
    (void)buffer;
    (void)size;
    (void)writing;
    (void)context;
    return -1;
}

static FILE *open_private(const char *path, struct error *err)
{
    autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct stat status;

    if (fd < 0) {
        error_errno(err, "cannot read the key '%s'", path);
        if (errno == ENOENT)
            err->reason = ERROR_NOT_FOUND;
        return NULL;
    }
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) || status.st_uid != 0 ||
        (status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        error_set(err, ERROR_DENIED, "the key '%s' is not root's alone", path);
        error_hint(err, "chown root %s && chmod 600 %s", path, path);
        return NULL;
    }
    return fdopen(steal_fd(&fd), "r");
}

EVP_PKEY *key_read_private(const char *path, struct error *err)
{
    FILE *file = open_private(path, err);

    if (file == NULL)
        return NULL;
    /* Unbuffered, so that no copy of it stays in memory that is given back. */
    setvbuf(file, NULL, _IONBF, 0);
    EVP_PKEY *key = PEM_read_PrivateKey(file, NULL, no_passphrase, NULL);
    fclose(file);
    ERR_clear_error();
    if (key != NULL && EVP_PKEY_get_id(key) == EVP_PKEY_ED25519)
        return key;
    EVP_PKEY_free(key);
    error_set(err, ERROR_INVALID, "'%s' holds no private Ed25519 key without a passphrase", path);
    error_hint(err, "openssl genpkey -algorithm ed25519 -out KEY.pem; its public half: openssl "
                    "pkey -in KEY.pem -pubout");
    return NULL;
}

static EVP_PKEY *read_public(const char *path)
{
    FILE *file = fopen(path, "re");
    EVP_PKEY *key = file != NULL ? PEM_read_PUBKEY(file, NULL, no_passphrase, NULL) : NULL;

    if (file != NULL)
        fclose(file);
    ERR_clear_error();
    if (key != NULL && EVP_PKEY_get_id(key) == EVP_PKEY_ED25519)
        return key;
    EVP_PKEY_free(key);
    return NULL;
}

EVP_PKEY *key_find(const char *folder, const char *name, char **file, struct error *err)
{
    struct error ignored = { 0 };
    char **names = file_names(folder, &ignored);
    autoptr(key) found = NULL;

    error_clear(&ignored);
    for (size_t i = 0; names != NULL && names[i] != NULL && found == NULL; i++) {
        autofree char *path = xasprintf("%s/%s", folder, names[i]);
        autoptr(key) key = text_ends(names[i], ".pem") ? read_public(path) : NULL;
        autofree char *its_name = key != NULL ? key_name(key) : NULL;
        if (its_name == NULL || strcmp(its_name, name) != 0)
            continue;
        found = steal(key);
        *file = xstrdup(names[i]);
    }
    file_free_names(names);
    if (found != NULL)
        return steal(found);
    error_set(err, ERROR_DENIED, "it is signed by the key %.19s..., which is not in '%s'", name,
              folder);
    error_hint(err, "if you trust who made it, put the public key there as NAME.pem");
    return NULL;
}

char *key_name(EVP_PKEY *key)
{
    unsigned char bytes[PUBLIC_BYTES] = { 0 };
    size_t length = sizeof(bytes);

    EVP_PKEY_get_raw_public_key(key, bytes, &length);
    autofree char *sum = sum_of(bytes, length);
    return xasprintf("sha256:%s", sum);
}

bool key_sign(EVP_PKEY *key, const void *bytes, size_t length,
              unsigned char signature[KEY_SIGNATURE_BYTES], struct error *err)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    size_t signed_bytes = KEY_SIGNATURE_BYTES;
    bool good = EVP_DigestSignInit(context, NULL, NULL, NULL, key) == 1 &&
                EVP_DigestSign(context, signature, &signed_bytes, bytes, length) == 1 &&
                signed_bytes == KEY_SIGNATURE_BYTES;

    EVP_MD_CTX_free(context);
    return good || error_set(err, ERROR_INTERNAL, "OpenSSL does not sign");
}

bool key_verifies(EVP_PKEY *key, const void *bytes, size_t length,
                  const unsigned char signature[KEY_SIGNATURE_BYTES])
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = EVP_DigestVerifyInit(context, NULL, NULL, NULL, key) == 1 &&
                EVP_DigestVerify(context, signature, KEY_SIGNATURE_BYTES, bytes, length) == 1;

    EVP_MD_CTX_free(context);
    ERR_clear_error();
    return good;
}
