/*
 * What backup.restore and backup.verify share: filling an empty data folder from a backup, and
 * comparing what came of it.
 */
#ifndef DBGUEST_RESTORED_H
#define DBGUEST_RESTORED_H

#include <stdbool.h>

struct error;
struct json_object;
struct task;

/* The manifest of params.backup, read once. NULL with not_found. */
struct json_object *restored_manifest(struct task *task, struct error *err);
/* The version to restore with: as asked, else the backup's; must be present and allowed. Borrowed.
 */
const char *restored_version(struct task *task, struct error *err);
/* Step: streams the backup into the data folder; its sum is checked on the way. */
bool restored_fill(struct task *task, struct error *err);
/* Step: all that the manifest noted is there. Keeps the fact "compared". */
bool restored_compare(struct task *task, struct error *err);

#endif
