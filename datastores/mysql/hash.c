#include "hash.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "memory.h"
#include "text.h"

#define SHA1_BYTES 20
#define SHA256_BYTES 32
#define SALT_BYTES 20
#define ROUNDS 5000
#define THREADS_MAX 16
#define WORTH_A_THREAD 16 /* passwords */

/* crypt(3)'s alphabet; its salts and digests are of it. */
static const char alphabet[] = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

char *hash_native(const char *password)
{
    unsigned char once[EVP_MAX_MD_SIZE];
    unsigned char twice[EVP_MAX_MD_SIZE];
    struct text out = { 0 };

    if (EVP_Digest(password, strlen(password), once, NULL, EVP_sha1(), NULL) != 1 ||
        EVP_Digest(once, SHA1_BYTES, twice, NULL, EVP_sha1(), NULL) != 1)
        abort();
    text_add(&out, "*");
    for (size_t i = 0; i < SHA1_BYTES; i++)
        text_printf(&out, "%02X", (unsigned int)twice[i]);
    explicit_bzero(once, sizeof(once));
    return out.bytes;
}

/* One running digest; the library fails only when memory runs out. The algorithm is looked up once:
 * that takes longer than a round. */
struct digest {
    EVP_MD_CTX *context;
    EVP_MD *algorithm;
};

static void digest_begin(struct digest *digest)
{
    if (EVP_DigestInit_ex2(digest->context, digest->algorithm, NULL) != 1)
        abort();
}

static void digest_add(struct digest *digest, const void *bytes, size_t length)
{
    if (EVP_DigestUpdate(digest->context, bytes, length) != 1)
        abort();
}

/* As many bytes as length says, of a block of 32 that is repeated. */
static void digest_add_repeated(struct digest *digest, const unsigned char *block, size_t length)
{
    for (; length > SHA256_BYTES; length -= SHA256_BYTES)
        digest_add(digest, block, SHA256_BYTES);
    digest_add(digest, block, length);
}

static void digest_end(struct digest *digest, unsigned char out[SHA256_BYTES])
{
    if (EVP_DigestFinal_ex(digest->context, out, NULL) != 1)
        abort();
}

/* Steps 4 to 12 of the specification. */
static void first_digest(struct digest *digest, const char *password, const char *salt,
                         unsigned char out[SHA256_BYTES])
{
    size_t length = strlen(password);
    unsigned char other[SHA256_BYTES];

    digest_begin(digest);
    digest_add(digest, password, length);
    digest_add(digest, salt, SALT_BYTES);
    digest_add(digest, password, length);
    digest_end(digest, other);

    digest_begin(digest);
    digest_add(digest, password, length);
    digest_add(digest, salt, SALT_BYTES);
    digest_add_repeated(digest, other, length);
    for (size_t bits = length; bits > 0; bits >>= 1) {
        if ((bits & 1) != 0)
            digest_add(digest, other, SHA256_BYTES);
        else
            digest_add(digest, password, length);
    }
    digest_end(digest, out);
    explicit_bzero(other, sizeof(other));
}

/* Steps 13 to 16, 17 to 20: what stands for the password, and for the salt, in the rounds. */
static void repeated_digest(struct digest *digest, const char *bytes, size_t length, size_t times,
                            unsigned char out[SHA256_BYTES])
{
    digest_begin(digest);
    for (size_t i = 0; i < times; i++)
        digest_add(digest, bytes, length);
    digest_end(digest, out);
}

/* Step 21. */
static void stir(struct digest *digest, size_t length, const unsigned char p[SHA256_BYTES],
                 const unsigned char s[SHA256_BYTES], unsigned char state[SHA256_BYTES])
{
    for (unsigned int round = 0; round < ROUNDS; round++) {
        digest_begin(digest);
        if (round % 2 != 0)
            digest_add_repeated(digest, p, length);
        else
            digest_add(digest, state, SHA256_BYTES);
        if (round % 3 != 0)
            digest_add(digest, s, SALT_BYTES);
        if (round % 7 != 0)
            digest_add_repeated(digest, p, length);
        if (round % 2 != 0)
            digest_add(digest, state, SHA256_BYTES);
        else
            digest_add_repeated(digest, p, length);
        digest_end(digest, state);
    }
}

static void add_encoded(struct text *out, unsigned int bits, int characters)
{
    for (; characters > 0; characters--, bits >>= 6)
        text_add_bytes(out, &alphabet[bits & 0x3f], 1);
}

/* Step 22: three bytes at a time, in an order of the specification's own. */
static void add_digest(struct text *out, const unsigned char d[SHA256_BYTES])
{
    unsigned int a = 0;
    unsigned int b = 10;
    unsigned int c = 20;

    for (int i = 0; i < 10; i++) {
        unsigned int next = c + 1;
        add_encoded(out, (unsigned int)d[a] << 16 | (unsigned int)d[b] << 8 | d[c], 4);
        c = b + 1;
        b = a + 1;
        a = next;
    }
    add_encoded(out, (unsigned int)d[31] << 8 | d[30], 3);
}

char *hash_caching_sha2_salted(const char *password, const char *salt)
{
    struct digest digest = { .context = EVP_MD_CTX_new(),
                             .algorithm = EVP_MD_fetch(NULL, "SHA256", NULL) };
    unsigned char state[SHA256_BYTES];
    unsigned char p[SHA256_BYTES];
    unsigned char s[SHA256_BYTES];
    struct text out = { 0 };

    if (digest.context == NULL || digest.algorithm == NULL)
        abort();
    first_digest(&digest, password, salt, state);
    repeated_digest(&digest, password, strlen(password), strlen(password), p);
    repeated_digest(&digest, salt, SALT_BYTES, (size_t)16 + state[0], s);
    stir(&digest, strlen(password), p, s, state);
    EVP_MD_CTX_free(digest.context);
    EVP_MD_free(digest.algorithm);

    text_printf(&out, "$A$005$%s", salt);
    add_digest(&out, state);
    explicit_bzero(state, sizeof(state));
    explicit_bzero(p, sizeof(p));
    return out.bytes;
}

char *hash_caching_sha2(const char *password)
{
    unsigned char random[SALT_BYTES];
    char salt[SALT_BYTES + 1] = "";

    if (RAND_bytes(random, sizeof(random)) != 1)
        abort();
    for (size_t i = 0; i < SALT_BYTES; i++)
        salt[i] = alphabet[random[i] & 0x3f];
    return hash_caching_sha2_salted(password, salt);
}

struct queue {
    char *(*hash)(const char *password);
    const char *const *passwords;
    char **hashes;
    size_t count;
    atomic_size_t next;
};

static void *work_off(void *context)
{
    struct queue *queue = context;

    for (size_t i = atomic_fetch_add(&queue->next, 1); i < queue->count;
         i = atomic_fetch_add(&queue->next, 1))
        if (queue->passwords[i] != NULL)
            queue->hashes[i] = queue->hash(queue->passwords[i]);
    return NULL;
}

static size_t threads_for(size_t count)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    size_t most = processors < 1 ? 1 : (size_t)processors;

    if (most > THREADS_MAX)
        most = THREADS_MAX;
    return count / WORTH_A_THREAD < most ? count / WORTH_A_THREAD : most;
}

char **hash_all(char *(*hash)(const char *password), const char *const *passwords, size_t count)
{
    struct queue queue = { .hash = hash, .passwords = passwords, .count = count };
    pthread_t threads[THREADS_MAX];
    size_t wanted = threads_for(count);
    size_t started = 0;

    queue.hashes = xcalloc(count + 1, sizeof(*queue.hashes));
    /* This thread is one of them; without the others it takes longer. */
    while (started + 1 < wanted && pthread_create(&threads[started], NULL, work_off, &queue) == 0)
        started++;
    work_off(&queue);
    for (size_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    return queue.hashes;
}

void hash_free_all(char **hashes, size_t count)
{
    for (size_t i = 0; hashes != NULL && i < count; i++) {
        if (hashes[i] != NULL)
            explicit_bzero(hashes[i], strlen(hashes[i]));
        free(hashes[i]);
    }
    free(hashes);
}
