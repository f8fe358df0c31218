#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "error.h"
#include "file.h"
#include "json.h"
#include "memory.h"
#include "process.h"

#define JOURNAL_FORMAT 1
#define HEADER_BYTES ((size_t)18) /* two numbers of 8 hex digits, a space after each */

struct journal {
    char *path;
    int fd;
    size_t size;    /* of the file */
    size_t length;  /* of the records that count */
    size_t last;    /* where the last one begins */
    uint32_t chain; /* its checksum; the next one builds on it */
    bool suspect;
    struct json_object *records;
};

/* CRC-32C (Castagnoli), bit by bit: journals are short. */
static uint32_t checksum(uint32_t crc, const char *bytes, size_t length)
{
    crc = ~crc;
    for (size_t i = 0; i < length; i++) {
        crc ^= (unsigned char)bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (0x82f63b78U & (0U - (crc & 1U)));
    }
    return ~crc;
}

static bool read_hex(const char *bytes, uint32_t *out)
{
    uint32_t value = 0;

    for (int i = 0; i < 8; i++) {
        const char *digits = "0123456789abcdef";
        const char *digit = bytes[i] == '\0' ? NULL : strchr(digits, bytes[i]);

        if (digit == NULL)
            return false;
        value = value << 4 | (uint32_t)(digit - digits);
    }
    if (bytes[8] != ' ')
        return false;

    *out = value;
    return true;
}

/* The record at bytes, whose predecessor's checksum is *chain; NULL when there is none that checks.
 */
static struct json_object *parse_record(const char *bytes, size_t room, uint32_t *chain,
                                        size_t *length)
{
    struct error ignored = { 0 };
    uint32_t sum = 0;
    uint32_t size = 0;

    if (room < HEADER_BYTES || !read_hex(bytes, &sum) || !read_hex(bytes + 9, &size))
        return NULL;
    if (size > room - HEADER_BYTES || size == 0 || bytes[HEADER_BYTES + size - 1] != '\n')
        return NULL;
    if (checksum(*chain, bytes + 9, HEADER_BYTES - 9 + size) != sum)
        return NULL;

    struct json_object *record = json_parse(bytes + HEADER_BYTES, size, &ignored);
    if (record == NULL) {
        error_clear(&ignored);
        return NULL;
    }

    *chain = sum;
    *length = HEADER_BYTES + size;
    return record;
}

/* Fills records, length, last and chain from the file's bytes. */
static void parse_records(struct journal *journal, const char *bytes, size_t room)
{
    journal->records = json_object_new_array();
    for (;;) {
        size_t length = 0;
        struct json_object *record =
            parse_record(bytes + journal->length, room - journal->length, &journal->chain, &length);
        if (record == NULL)
            return;
        json_object_array_add(journal->records, record);
        journal->last = journal->length;
        journal->length += length;
    }
}

static bool is_blank(const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (bytes[i] != '\0')
            return false;
    return true;
}

/* Nothing has happened before the first record is durable; one that was there and checks no more
 * says nothing of what has. */
static bool check_format(struct journal *journal, const char *bytes, struct error *err)
{
    struct json_object *first = json_object_array_get_idx(journal->records, 0);

    if (first == NULL && is_blank(bytes, journal->size))
        return error_set(err, ERROR_NOT_FOUND, "the journal '%s' holds no record", journal->path);
    if (first == NULL)
        return error_set(err, ERROR_CORRUPT, "the journal '%s' holds bytes, but no record of ours",
                         journal->path);
    if (json_get_int(first, "format") > JOURNAL_FORMAT)
        return error_set(err, ERROR_NEEDS_ATTENTION,
                         "the journal '%s' was written by a newer dbguest (format %lld)",
                         journal->path, (long long)json_get_int(first, "format"));
    return true;
}

static bool read_whole(struct journal *journal, struct error *err)
{
    size_t size = 0;
    autofree char *bytes = file_read(journal->path, &size, err);

    if (bytes == NULL)
        return false;
    journal->size = size;
    parse_records(journal, bytes, size);
    return check_format(journal, bytes, err);
}

/* What fails makes the journal suspect. */
static bool put(struct journal *journal, const char *bytes, size_t length, size_t offset,
                struct error *err)
{
    while (length > 0) {
        ssize_t written = pwrite(journal->fd, bytes, length, (off_t)offset);

        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0) {
            journal->suspect = true;
            return error_errno(err, "cannot write '%s'", journal->path);
        }
        bytes += written;
        offset += (size_t)written;
        length -= (size_t)written;
    }
    return true;
}

static bool make_durable(struct journal *journal, struct error *err)
{
    if (fdatasync(journal->fd) == 0)
        return true;
    journal->suspect = true;
    return error_errno(err, "cannot sync '%s'", journal->path);
}

static bool append(struct journal *journal, struct json_object *record, bool sync, size_t spare,
                   struct error *err)
{
    const char *line = json_line(record);
    size_t length = strlen(line) + 1;
    autofree char *bytes = xmalloc(HEADER_BYTES + length + 1);

    if (journal->length + HEADER_BYTES + length + spare > journal->size)
        return error_set(err, ERROR_INTERNAL, "the journal '%s' has no room for %zu bytes more",
                         journal->path, length);

    snprintf(bytes + 9, HEADER_BYTES - 9 + length + 1, "%08zx %s\n", length, line);
    uint32_t sum = checksum(journal->chain, bytes + 9, HEADER_BYTES - 9 + length);
    char head[10];
    snprintf(head, sizeof(head), "%08x ", sum);
    memcpy(bytes, head, 9);

    if (!put(journal, bytes, HEADER_BYTES + length, journal->length, err) ||
        (sync && !make_durable(journal, err)))
        return false;
    journal->chain = sum;
    journal->last = journal->length;
    journal->length += HEADER_BYTES + length;
    json_object_array_add(journal->records, json_object_get(record));
    return true;
}

static void stamp_record(struct json_object *record)
{
    char stamp[32];

    process_stamp(stamp);
    json_add_string(record, "time", stamp);
}

struct journal *journal_new(const char *path, struct json_object *first, struct error *err)
{
    autoptr(json_object) record = first;
    autoptr(journal) journal = xcalloc(1, sizeof(*journal));
    autofree char *zeros = xcalloc(1, JOURNAL_BYTES);

    json_add_int(record, "format", JOURNAL_FORMAT);
    stamp_record(record);
    journal->path = xstrdup(path);
    journal->records = json_object_new_array();
    journal->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (journal->fd < 0) {
        error_errno(err, "cannot make '%s'", path);
        return NULL;
    }

    autofree char *copy = xstrdup(path);
    journal->size = JOURNAL_BYTES;
    if (!put(journal, zeros, JOURNAL_BYTES, 0, err) ||
        !append(journal, record, true, JOURNAL_END_ROOM, err) || !file_sync(dirname(copy), err)) {
        unlink(path); /* a journal without its first record would only be in the way */
        return NULL;
    }
    return steal(journal);
}

/*
 * Each recovery that fails adds to it, and however many there were, the next one has room. A disk
 * that has none is no reason to fail as long as there is some left.
 */
static bool make_room(struct journal *journal, struct error *err)
{
    autofree char *zeros = xcalloc(1, JOURNAL_BYTES);

    if (journal->size - journal->length >= JOURNAL_BYTES / 2)
        return true;
    if (pwrite(journal->fd, zeros, JOURNAL_BYTES, (off_t)journal->size) == (ssize_t)JOURNAL_BYTES)
        journal->size += JOURNAL_BYTES;
    return make_durable(journal, err);
}

struct journal *journal_open(const char *path, struct error *err)
{
    autoptr(journal) journal = xcalloc(1, sizeof(*journal));

    journal->path = xstrdup(path);
    journal->fd = open(path, O_RDWR | O_CLOEXEC);
    if (journal->fd < 0) {
        error_errno(err, "cannot open '%s'", path);
        if (errno == ENOENT)
            err->reason = ERROR_NOT_FOUND;
        return NULL;
    }
    if (!read_whole(journal, err))
        return NULL;

    /* The page cache may hold what the disk does not: believed after it is written again. */
    size_t size = journal->length - journal->last;
    autofree char *bytes = xmalloc(size);
    if (pread(journal->fd, bytes, size, (off_t)journal->last) != (ssize_t)size) {
        error_errno(err, "cannot read '%s'", path);
        return NULL;
    }
    if (!put(journal, bytes, size, journal->last, err) || !make_durable(journal, err) ||
        !make_room(journal, err)) {
        err->reason = ERROR_NEEDS_ATTENTION;
        error_add(err, "suspect", json_object_new_boolean(true));
        return NULL;
    }
    return steal(journal);
}

void journal_free(struct journal *journal)
{
    if (journal == NULL)
        return;
    if (journal->fd >= 0)
        close(journal->fd);
    json_object_put(journal->records);
    free(journal->path);
    free(journal);
}

bool journal_write(struct journal *journal, struct json_object *record, bool sync,
                   struct error *err)
{
    autoptr(json_object) owned = record;
    bool last = json_get(owned, "end") != NULL || json_get(owned, "attention") != NULL;

    if (journal->suspect)
        return error_set(err, ERROR_NEEDS_ATTENTION,
                         "the journal '%s' failed before; nothing more is written to it",
                         journal->path);
    stamp_record(owned);
    return append(journal, owned, sync, last ? 0 : JOURNAL_END_ROOM, err);
}

bool journal_suspect(const struct journal *journal)
{
    return journal->suspect;
}

struct json_object *journal_records(const struct journal *journal)
{
    return journal->records;
}

struct json_object *journal_read(const char *path, struct error *err)
{
    struct journal journal = { .path = xstrdup(path), .fd = -1 };
    bool good = read_whole(&journal, err);

    free(journal.path);
    if (good)
        return journal.records;
    json_object_put(journal.records);
    return NULL;
}

struct json_object *journal_end(struct json_object *records)
{
    size_t count = records == NULL ? 0 : json_object_array_length(records);

    return count == 0 ? NULL : json_get(json_object_array_get_idx(records, count - 1), "end");
}
