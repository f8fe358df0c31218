/*
 * A journal whose write or sync failed: nobody knows what the disk holds, and a later sync of the
 * same bytes may succeed without having written them. For this boot only a person lets recovery go
 * on (C2). The mark lies in memory, with the boot's id in it: a reboot reads what the disk has.
 */
#ifndef DBGUEST_WORKER_SUSPECT_H
#define DBGUEST_WORKER_SUSPECT_H

#include <stdbool.h>

struct error;
struct task;

/* Sets the mark when the task's journal is suspect; what fails is logged. */
void suspect_note(struct task *task);
void suspect_mark(struct task *task);
bool suspect_is_marked(struct task *task);
void suspect_clear(struct task *task);
/*
 * The journal could not be opened, for the reason in err: where nobody but a person can tell what
 * was done the instance is closed, and err, which becomes that, is kept as `attention` in the job's
 * folder, for the journal cannot take it. Returns false.
 */
bool suspect_unreadable(struct task *task, struct error *err);
/* The journal can be read after all. */
void suspect_readable(struct task *task);
/* Writes down that a person is needed; err is that. */
bool suspect_attention(struct task *task, struct error *err);

#endif
