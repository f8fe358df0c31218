#include "bundle_file.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "error.h"
#include "file.h"
#include "json.h"
#include "key.h"
#include "memory.h"
#include "sum.h"
#include "text.h"

#define MAGIC 0x184D2A50U /* a frame to skip: RFC 8878, 3.1.2 */
#define FRAME_BYTES 8
#define FIRST_LINE "dbguest bundle 1\n"
#define FIRST_BYTES (sizeof(FIRST_LINE) - 1)
#define SIGNATURE_DIGITS ((size_t)2 * KEY_SIGNATURE_BYTES)
#define SIGNED_AT (FIRST_BYTES + SIGNATURE_DIGITS + 1)
#define MANIFEST_AT (SIGNED_AT + SUM_DIGITS + 1)
#define HEAD_MAX ((uint32_t)16 << 20)
#define BLOCK_BYTES ((size_t)1 << 20)
/* The manifest's other members with the version's own manifest; and a sum, quoted, with a comma. */
#define WORDS_ROOM ((uint64_t)4096)
#define SUM_ROOM (SUM_DIGITS + 3)

void bundle_done(struct bundle *bundle)
{
    json_object_put(bundle->manifest);
    free(bundle->signed_by);
}

static bool is_none(const char *path, struct error *err)
{
    return error_set(err, ERROR_CORRUPT, "'%s' is no bundle of dbguest", path);
}

/* The head's bytes, with a NUL after them; NULL with err. */
static char *read_head(int fd, const char *path, uint32_t *length, struct error *err)
{
    uint32_t frame[2] = { 0 };

    if (pread(fd, frame, FRAME_BYTES, 0) != FRAME_BYTES || le32toh(frame[0]) != MAGIC) {
        is_none(path, err);
        return NULL;
    }
    *length = le32toh(frame[1]);
    if (*length <= MANIFEST_AT || *length > HEAD_MAX) {
        is_none(path, err);
        return NULL;
    }
    autofree char *head = xcalloc((size_t)*length + 1, 1);
    if (pread(fd, head, *length, FRAME_BYTES) != (ssize_t)*length) {
        error_set(err, ERROR_CORRUPT, "'%s' ends within its head", path);
        return NULL;
    }
    if (!text_starts(head, FIRST_LINE) || head[SIGNED_AT - 1] != '\n' ||
        head[MANIFEST_AT - 1] != '\n') {
        is_none(path, err);
        return NULL;
    }
    return steal(head);
}

static bool read_signature(const char *head, unsigned char signature[KEY_SIGNATURE_BYTES])
{
    const char *digits = head + FIRST_BYTES;

    if (strspn(digits, "0123456789abcdef") != SIGNATURE_DIGITS)
        return false;
    for (size_t i = 0; i < KEY_SIGNATURE_BYTES; i++) {
        const char pair[] = { digits[2 * i], digits[2 * i + 1], '\0' };
        signature[i] = (unsigned char)strtoul(pair, NULL, 16);
    }
    return true;
}

/* What is signed: the head without its signature. */
static char *signed_text(const char *rest, size_t length)
{
    autotext struct text text = { 0 };

    text_add(&text, FIRST_LINE);
    text_add_bytes(&text, rest, length);
    return steal(text.bytes);
}

/* Until the signature has been checked, all that is looked at is whose it claims to be. */
static bool verify_head(struct bundle *bundle, const char *head, size_t length,
                        const char *keys_dir, struct error *err)
{
    unsigned char signature[KEY_SIGNATURE_BYTES] = { 0 };
    autofree char *name = xasprintf("sha256:%.*s", SUM_DIGITS, head + SIGNED_AT);
    autofree char *text = signed_text(head + SIGNED_AT, length - SIGNED_AT);

    autoptr(key) key = key_find(keys_dir, name, &bundle->signed_by, err);
    if (key == NULL)
        return false;
    if (!read_signature(head, signature) ||
        !key_verifies(key, text, FIRST_BYTES + length - SIGNED_AT, signature))
        return error_set(err, ERROR_CORRUPT, "its signature is not that of '%s'",
                         bundle->signed_by);
    bundle->manifest = json_parse(head + MANIFEST_AT, length - MANIFEST_AT, err);
    return bundle->manifest != NULL;
}

static bool check_length(int fd, const struct bundle *bundle, struct error *err)
{
    int64_t wanted =
        (int64_t)bundle->payload_offset + json_get_int(bundle->manifest, "payload_bytes");
    struct stat status;

    if (fstat(fd, &status) != 0)
        return error_errno(err, "cannot look at it");
    if (status.st_size < wanted)
        return error_set(err, ERROR_CORRUPT, "it is cut off: %lld of %lld bytes",
                         (long long)status.st_size, (long long)wanted);
    if (status.st_size > wanted)
        return error_set(err, ERROR_CORRUPT, "%lld bytes follow its end",
                         (long long)(status.st_size - wanted));
    return true;
}

bool bundle_open(const char *path, const char *keys_dir, struct bundle *bundle, struct error *err)
{
    autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    uint32_t length = 0;

    *bundle = (struct bundle){ 0 };
    if (fd < 0) {
        error_errno(err, "cannot read the bundle '%s'", path);
        if (errno == ENOENT)
            err->reason = ERROR_NOT_FOUND;
        return false;
    }
    autofree char *head = read_head(fd, path, &length, err);
    if (head == NULL)
        return false;
    bundle->payload_offset = FRAME_BYTES + (uint64_t)length;
    if (verify_head(bundle, head, length, keys_dir, err) && check_length(fd, bundle, err))
        return true;
    bundle_done(bundle);
    *bundle = (struct bundle){ 0 };
    return error_prefix(err, "'%s' is refused", path);
}

uint64_t bundle_head_room(struct json_object *manifest, uint64_t tree_bytes)
{
    /* A tar file of a tree is not twice as large; on the disk each file takes a block, too. */
    uint64_t blocks = 2 * tree_bytes / BLOCK_BYTES + 2;

    return FRAME_BYTES + MANIFEST_AT + WORDS_ROOM + strlen(json_line(manifest)) + blocks * SUM_ROOM;
}

static bool add_sums(int fd, uint64_t room, struct json_object *manifest, struct error *err)
{
    autofree char *block = xmalloc(BLOCK_BYTES);
    struct json_object *sums = json_object_new_array();
    off_t at = (off_t)room;
    ssize_t got = 0;

    while ((got = pread(fd, block, BLOCK_BYTES, at)) > 0) {
        autofree char *sum = sum_of(block, (size_t)got);
        json_object_array_add(sums, json_object_new_string(sum));
        at += got;
    }
    json_add_int(manifest, "payload_bytes", at - (off_t)room);
    json_add_int(manifest, "block_bytes", (int64_t)BLOCK_BYTES);
    json_add(manifest, "sums", sums);
    return got == 0 || error_errno(err, "cannot read what was packed");
}

bool bundle_write_head(int fd, uint64_t room, struct json_object *manifest, EVP_PKEY *key,
                       struct error *err)
{
    autofree char *name = key_name(key);
    unsigned char signature[KEY_SIGNATURE_BYTES];
    size_t length = (size_t)room - FRAME_BYTES - MANIFEST_AT;

    if (!add_sums(fd, room, manifest, err))
        return false;
    if (strlen(json_line(manifest)) > length || room > HEAD_MAX)
        return error_set(err, ERROR_INTERNAL, "the bundle's manifest is too long");
    autofree char *rest =
        xasprintf("%s\n%-*s", name + strlen("sha256:"), (int)length, json_line(manifest));
    autofree char *text = signed_text(rest, strlen(rest));
    if (!key_sign(key, text, strlen(text), signature, err))
        return false;

    autotext struct text head = { 0 };
    const uint32_t frame[] = { htole32(MAGIC), htole32((uint32_t)(room - FRAME_BYTES)) };
    text_add_bytes(&head, frame, FRAME_BYTES);
    text_add(&head, FIRST_LINE);
    for (size_t i = 0; i < KEY_SIGNATURE_BYTES; i++)
        text_printf(&head, "%02x", signature[i]);
    text_printf(&head, "\n%s", rest);
    return (lseek(fd, 0, SEEK_SET) == 0 && file_write_all(fd, head.bytes, head.length)) ||
           error_errno(err, "cannot write the bundle's head");
}

struct json_object *bundle_layer(const struct bundle *bundle, const char *path)
{
    struct json_object *layer = json_object_new_object();

    json_add_string(layer, "file", path);
    json_add_int(layer, "offset", (int64_t)bundle->payload_offset);
    json_add_int(layer, "bytes", json_get_int(bundle->manifest, "payload_bytes"));
    json_add_int(layer, "block_bytes", json_get_int(bundle->manifest, "block_bytes"));
    json_add(layer, "sums", json_copy(json_get(bundle->manifest, "sums")));
    return layer;
}
