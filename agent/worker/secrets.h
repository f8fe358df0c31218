/*
 * The secrets of a request wait in a tmpfs under the job's name; a reboot takes them along (C28).
 */
#ifndef DBGUEST_WORKER_SECRETS_H
#define DBGUEST_WORKER_SECRETS_H

#include <stdbool.h>

struct error;
struct task;

/* Puts them back into the task's parameters. Fails with interrupted when they are gone. */
bool secrets_join(struct task *task, struct error *err);
void secrets_drop(struct task *task);

#endif
