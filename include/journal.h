/*
 * The one journal of a job: records that are believed because each carries its checksum, written
 * in place into a preallocated file, so that a full disk cannot keep recovery from writing (C1,
 * C4).
 *
 * On disk: 256 KiB of zeros, overwritten from the start by records
 *
 *     CRC32C in 8 hex digits, space, length of the JSON in 8 hex digits, space, JSON, "\n"
 *
 * where the checksum covers length, JSON and the checksum before it (so that a record of another
 * journal that lay in the same blocks is none of ours). The first record is {"format": 1, ...}. A
 * recovery adds as many zeros when less than half is left.
 * Reading stops at the first record that does not check: a torn end counts for nothing.
 *
 * Record kinds (one member names the kind):
 *     {"format":1,"job","method","time"}            first
 *     {"begin":"fence","time","facts":{}?}          durable before the step begins
 *     {"done":"fence","time","what":""}
 *     {"facts":{..}}                                what undo will need, when it arises within a
 * step
 *     {"undo":"fence","time"} {"undone":"fence","time"}
 *     {"commit":true,"time"} {"opening":true,"time"}
 *     {"abort":{error},"time"}
 *     {"recover":true,"time"}                       a recovery took over
 *     {"attention":{error},"stay":true?,"time"}     closed until a person has recovered it; with
 * stay no other recovery does anything
 *     {"end":{"outcome","result"|"error","steps",...},"time"}   the outcome; nothing follows
 */
#ifndef DBGUEST_JOURNAL_H
#define DBGUEST_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>

#include "cleanup.h"

struct error;
struct json_object;
struct journal;

#define JOURNAL_BYTES ((size_t)256 * 1024)
#define JOURNAL_END_ROOM ((size_t)96 * 1024) /* kept free of all but the last record */

/* Makes PATH with its first record (takes over `first`); the folder is synced too. */
struct journal *journal_new(const char *path, struct json_object *first, struct error *err);
/*
 * Reads what is there and writes the last record anew, synced, before it returns: what was read
 * back is believed only then (C2). A format from the future fails with needs_attention, an empty
 * journal with not_found, one of which nothing checks with corrupt.
 */
struct journal *journal_open(const char *path, struct error *err);
void journal_free(struct journal *journal);
DEFINE_AUTOPTR(journal, journal_free)

/* Takes over record, adds the time, writes it; with sync it is durable when this returns true. A
 * failed sync makes the journal suspect: every later write fails with needs_attention (C2). */
bool journal_write(struct journal *journal, struct json_object *record, bool sync,
                   struct error *err);
/* Whether a write or sync has failed: then it is unknown what the disk holds (C3). */
bool journal_suspect(const struct journal *journal);
/* All records so far, an array that the journal owns. */
struct json_object *journal_records(const struct journal *journal);

/* Reads without writing, for the daemon: the array of records, or NULL (not_found, corrupt). */
struct json_object *journal_read(const char *path, struct error *err);
/* The "end" of such an array, borrowed; NULL when there is none. */
struct json_object *journal_end(struct json_object *records);

#endif
