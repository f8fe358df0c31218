#include "sum.h"

#include <openssl/evp.h>

#include "cleanup.h"
#include "text.h"

static char *to_hex(const unsigned char *bytes, unsigned int length)
{
    struct text hex = { 0 };

    for (unsigned int i = 0; i < length; i++)
        text_printf(&hex, "%02x", bytes[i]);
    return hex.bytes;
}

char *sum_end(EVP_MD_CTX *sum)
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned int length = 0;

    EVP_DigestFinal_ex(sum, bytes, &length);
    return to_hex(bytes, length);
}

char *sum_of(const void *bytes, size_t length)
{
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned int sum_length = 0;

    EVP_Digest(bytes, length, sum, &sum_length, EVP_sha256(), NULL);
    return to_hex(sum, sum_length);
}
