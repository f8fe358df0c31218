/*
 * A journal as a disk may give it back. The first byte says what the rest is:
 *
 *     'r'   the file itself
 *     else  records, one a line, which get their checksums here; then the byte at that many
 *           hundredths of the file is another one
 *
 * Reading believes a prefix of what was written and never anything else; opening and writing one
 * more record leaves that prefix and the new one.
 */
#include "fuzz.h"

#include <string.h>

#include "cleanup.h"
#include "error.h"
#include "journal.h"
#include "json.h"
#include "memory.h"
#include "text.h"

#define SMALL ((size_t)4096)

static uint32_t checksum(uint32_t crc, const char *bytes, size_t length)
{
    crc = ~crc;
    for (size_t i = 0; i < length; i++) {
        crc ^= (unsigned char)bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (crc & 1) != 0 ? crc >> 1 ^ 0x82f63b78U : crc >> 1;
    }
    return ~crc;
}

static void add_record(struct text *file, uint32_t *chain, const char *line, size_t length)
{
    autotext struct text body = { 0 };
    autofree char *head = xasprintf("%08zx ", length);

    text_add(&body, head);
    text_add_bytes(&body, line, length);
    *chain = checksum(*chain, body.bytes, body.length);
    autofree char *sum = xasprintf("%08x ", *chain);
    text_add(file, sum);
    text_add_bytes(file, body.bytes, body.length);
}

static void add_records(struct text *file, const char *bytes, size_t size)
{
    const char *end = bytes + size;
    uint32_t chain = 0;

    while (bytes < end) {
        const char *line_end = memchr(bytes, '\n', (size_t)(end - bytes));
        size_t length = line_end != NULL ? (size_t)(line_end - bytes) + 1 : (size_t)(end - bytes);

        add_record(file, &chain, bytes, length);
        bytes += length;
    }
}

static void make_file(struct text *file, const uint8_t *data, size_t size)
{
    static const char zeros[SMALL];

    if (size == 0)
        return;
    if (data[0] == 'r') {
        text_add_bytes(file, data + 1, size - 1);
        return;
    }
    add_records(file, (const char *)data + 1, size - 1);
    size_t at = file->length * data[0] / 100;
    if (at < file->length)
        file->bytes[at] ^= 1;
    text_add_bytes(file, zeros, sizeof(zeros));
}

static struct json_object *read_again(const char *path)
{
    struct error err = { 0 };
    struct json_object *records = journal_read(path, &err);

    fuzz_must(records != NULL, "what could be read can be read again");
    return records;
}

/* As text: NaN, which json-c reads, is not equal to itself. */
static bool same(struct json_object *one, struct json_object *other)
{
    return strcmp(json_line(one), json_line(other)) == 0;
}

/* As a recovery would; records are those that were read before. */
static void must_go_on(const char *path, struct json_object *records)
{
    struct error err = { 0 };
    size_t count = json_object_array_length(records);
    autoptr(journal) journal = journal_open(path, &err);

    fuzz_must(journal != NULL, "what can be read can be opened");
    fuzz_must(same(journal_records(journal), records), "opening reads the same");
    struct json_object *attention = json_object_new_object();
    json_add_bool(attention, "attention", true);
    fuzz_must(journal_write(journal, attention, true, &err), "there is room for one more");

    autoptr(json_object) after = read_again(path);
    fuzz_must(json_object_array_length(after) == count + 1, "the new record is the last one");
    for (size_t i = 0; i < count; i++)
        fuzz_must(same(json_object_array_get_idx(after, i), json_object_array_get_idx(records, i)),
                  "those before it are the same");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error err = { 0 };
    autotext struct text file = { 0 };
    char path[32];

    make_file(&file, data, size);
    int fd = fuzz_file(file.length > 0 ? file.bytes : "", file.length, path);
    autoptr(json_object) records = journal_read(path, &err);
    if (records != NULL) {
        journal_end(records);
        must_go_on(path, records);
    }
    close(fd);
    error_clear(&err);
    return 0;
}
