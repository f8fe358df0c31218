/*
 * On which data a new generation runs. A step of the same format may take over the data as it is;
 * otherwise it gets a folder of its own, and what was there before stays untouched: that is the
 * safepoint, and the way back until and after the commit.
 */
#ifndef DBGUEST_WORKER_UPGRADE_DATA_H
#define DBGUEST_WORKER_UPGRADE_DATA_H

#include <stdbool.h>
#include <stdint.h>

struct engine;
struct error;
struct json_object;
struct task;

enum safepoint {
    SAFEPOINT_NONE,  /* both versions use the same data */
    SAFEPOINT_CLONE, /* a folder of its own that shares blocks with the old one */
    SAFEPOINT_COPY,
};

/*
 * What the caller asked for ("auto" or NULL: clone where the file system can, else copy when the
 * data is migrated, else none). Fails with unsupported for what cannot be had here.
 */
bool upgrade_data_choose(struct task *task, const char *asked, bool migrates,
                         enum safepoint *safepoint, struct error *err);
const char *upgrade_data_word(enum safepoint safepoint);
enum safepoint upgrade_data_from_word(const char *word);
/* Bytes that it will take of the disk. */
uint64_t upgrade_data_bytes(struct task *task, enum safepoint safepoint);

/* A number that no data folder has. */
int upgrade_data_number(const struct engine *engine);
/* The new, empty folder of `engine`; and away with it and all in it. */
bool upgrade_data_make(const struct engine *engine, struct error *err);
bool upgrade_data_drop(const char *folder, int number, struct error *err);
/* Fills the data of to with that of from; neither runs. */
bool upgrade_data_copy(struct task *task, const struct engine *from, const struct engine *to,
                       enum safepoint safepoint, struct error *err);

#endif
