/*
 * The lock of a data folder, data/D/engine.lock (C12): whoever runs on the data holds it, and so do
 * all its descendants, because the descriptor stays open over fork and exec. The record in it names
 * the main process.
 */
#ifndef DBGUEST_ENGINE_LOCK_H
#define DBGUEST_ENGINE_LOCK_H

#include <stdbool.h>

struct error;
struct process;

/*
 * Takes the lock of the data folder; -1 with reason busy when somebody has it. The descriptor is
 * close-on-exec and can only read: an engine's descendants, which inherit it, must not be able to
 * write the record.
 */
int lock_take(const char *data, struct error *err);
/* Names the process in the file; only for who holds the lock. */
bool lock_write_record(const char *data, const struct process *process, struct error *err);
/* Who is named, living or not; false when nobody legibly is. */
bool lock_read_record(const char *data, struct process *out);
/* Whether somebody has it now. */
bool lock_held(const char *data);

#endif
