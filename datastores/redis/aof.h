/*
 * The engine's data on the disk: a dump (RDB), or an append-only file, which since Redis 7 is a
 * folder of a base (again an RDB), increments and a manifest. A folder with a dump only, started
 * with "appendonly yes", comes up empty, and the other way round: so how data lies decides how it
 * may be started (LAB.md 8).
 */
#ifndef DBGUEST_REDIS_AOF_H
#define DBGUEST_REDIS_AOF_H

#include <stdbool.h>

struct engine;
struct error;
struct task;

enum data_form { DATA_EMPTY, DATA_DUMP, DATA_APPENDED };

enum data_form aof_form(const struct engine *engine);
/* Where a whole RDB must be put so that the engine starts with it; the caller frees it. */
char *aof_base_path(struct task *task, bool appended);
/* Makes the folder for it, and afterwards the rest that the engine wants beside it. */
bool aof_prepare(struct task *task, bool appended, struct error *err);
bool aof_complete(struct task *task, bool appended, struct error *err);
/* Redis 6 on data that 7 has only looked at (an upgrade that was undone): puts the file back. */
bool aof_fit_version(struct task *task, struct error *err);

#endif
