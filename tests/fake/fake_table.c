#include "fake_table.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE 8192

static bool write_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t written = write(fd, bytes, length);

        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return false;
        bytes += written;
        length -= (size_t)written;
    }
    return true;
}

static int make(const char *path, int format)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    char head[32];

    snprintf(head, sizeof(head), "F %d\n", format);
    if (fd >= 0 && write_all(fd, head, strlen(head)))
        return fd;
    perror(path);
    return -1;
}

bool table_make(const char *path, int format)
{
    int fd = make(path, format);

    return fd >= 0 && fsync(fd) == 0 && close(fd) == 0;
}

bool table_load(const char *path, int format)
{
    int fd = make(path, format);
    char line[LINE];
    bool ended = false;

    while (fd >= 0 && !ended && fgets(line, sizeof(line), stdin) != NULL) {
        ended = strcmp(line, ".\n") == 0;
        if (!ended && !write_all(fd, line, strlen(line))) {
            perror(path);
            return false;
        }
    }
    if (!ended)
        fprintf(stderr, "the dump ends early\n");
    return ended && fsync(fd) == 0 && close(fd) == 0;
}

/* Where key is, or where it belongs. */
static size_t place_of(const struct table *table, const char *key, bool *found)
{
    size_t low = 0;
    size_t high = table->count;

    *found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(table->rows[middle].key, key);

        *found |= order == 0;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void put(struct table *table, const char *key, const char *value)
{
    bool found = false;
    size_t at = place_of(table, key, &found);

    if (found) {
        free(table->rows[at].value);
    } else {
        if (table->count == table->room) {
            table->room = table->room * 2 + 64;
            table->rows = realloc(table->rows, table->room * sizeof(*table->rows));
        }
        memmove(&table->rows[at + 1], &table->rows[at],
                (table->count++ - at) * sizeof(*table->rows));
        table->rows[at].key = strdup(key);
    }
    table->rows[at].value = strdup(value);
}

static void take(struct table *table, const char *key)
{
    bool found = false;
    size_t at = place_of(table, key, &found);

    if (!found)
        return;
    free(table->rows[at].key);
    free(table->rows[at].value);
    memmove(&table->rows[at], &table->rows[at + 1], (--table->count - at) * sizeof(*table->rows));
}

static void apply(struct table *table, char *line)
{
    char *rest = NULL;
    const char *kind = strtok_r(line, " ", &rest);
    const char *key = strtok_r(NULL, " ", &rest);
    const char *value = strtok_r(NULL, "", &rest);

    if (kind == NULL || key == NULL)
        return;
    table->position += kind[0] != 'F';
    if (kind[0] == 'F')
        table->format = (int)strtol(key, NULL, 10);
    else if (kind[0] == 'S')
        put(table, key, value == NULL ? "" : value);
    else
        take(table, key);
}

bool table_open(struct table *table, const char *path)
{
    char line[LINE];
    off_t whole = 0;

    table->fd = open(path, O_RDWR | O_CLOEXEC);
    FILE *file = table->fd < 0 ? NULL : fdopen(dup(table->fd), "r");
    if (file == NULL)
        return false;
    while (fgets(line, sizeof(line), file) != NULL) {
        size_t length = strlen(line);

        if (line[length - 1] != '\n')
            break;
        whole += (off_t)length;
        line[length - 1] = '\0';
        apply(table, line);
    }
    fclose(file);
    table->bytes = (size_t)whole;
    return ftruncate(table->fd, whole) == 0 && lseek(table->fd, whole, SEEK_SET) == whole;
}

const char *table_get(const struct table *table, const char *key)
{
    bool found = false;
    size_t at = place_of(table, key, &found);

    return found ? table->rows[at].value : NULL;
}

static bool keep(struct table *table, const char *key, const char *value)
{
    char line[LINE];
    int length = value == NULL ? snprintf(line, sizeof(line), "D %s\n", key)
                               : snprintf(line, sizeof(line), "S %s %s\n", key, value);

    if (length >= (int)sizeof(line)) {
        errno = E2BIG;
        return false;
    }
    if (!write_all(table->fd, line, (size_t)length) || fdatasync(table->fd) != 0) {
        int why = errno;

        /* A part of it may be there: never to be read. */
        if (ftruncate(table->fd, (off_t)table->bytes) != 0)
            abort();
        lseek(table->fd, (off_t)table->bytes, SEEK_SET);
        errno = why;
        return false;
    }
    table->bytes += (size_t)length;
    table->position++;
    return true;
}

bool table_set(struct table *table, const char *key, const char *value)
{
    /* What the engine is told for a while only is gone when it ends. */
    if (strncmp(key, "s:", 2) != 0 && !keep(table, key, value))
        return false;
    if (value == NULL)
        take(table, key);
    else
        put(table, key, value);
    return true;
}

size_t table_count(const struct table *table, const char *prefix)
{
    size_t count = 0;

    for (size_t i = 0; i < table->count; i++)
        count += strncmp(table->rows[i].key, prefix, strlen(prefix)) == 0;
    return count;
}
