/*
 * Keys and values in memory, and the file that they come back from: "F 1" (the format) and then
 * lines "S key value" and "D key", each synced before it counts. A torn last line is cut off.
 */
#ifndef FAKE_TABLE_H
#define FAKE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct row {
    char *key;
    char *value;
};

struct table {
    struct row *rows; /* sorted by key */
    size_t count;
    size_t room;
    int fd;
    int format;
    uint64_t position; /* how many changes there ever were */
    size_t bytes;      /* of the file */
};

bool table_make(const char *path, int format);
/* Makes the file from lines "S key value" on stdin, ended by "."; without that it fails. */
bool table_load(const char *path, int format);
bool table_open(struct table *table, const char *path);

const char *table_get(const struct table *table, const char *key);
/* value NULL: takes the key away. False when it cannot be written; then nothing has changed. Keys
 * "s:..." live in memory only. */
bool table_set(struct table *table, const char *key, const char *value);
size_t table_count(const struct table *table, const char *prefix);

#endif
