/*
 * Everything about an upgrade that can be known before anything stops. Used by
 * instance.check_upgrade and as the first step of instance.upgrade.
 */
#ifndef DBGUEST_UPGRADE_CHECK_H
#define DBGUEST_UPGRADE_CHECK_H

#include <stdbool.h>

struct error;
struct json_object;
struct task;

/*
 * Fills result with version, from_version, method, findings, way_back, needed_bytes, free_bytes,
 * expected_outage_s and ok (no blocker among the findings). version NULL: the newest allowed one
 * that is present. Fails with not_found, downgrade, incompatible, invalid. Changes nothing.
 */
bool upgrade_check(struct task *task, const char *version, struct json_object *result,
                   struct error *err);
/* The newest version present that the task's engine may become; NULL when there is none. */
char *upgrade_newest(struct task *task);
/* Of a result: from what to what, and how long it is expected to be away. The caller owns it. */
struct json_object *upgrade_check_edge(struct task *task, struct json_object *check);
/* How many of each severity, as what the present step did. */
void upgrade_check_what(struct task *task, struct json_object *findings);
/* "blocked", with the findings, when result is not ok. */
bool upgrade_check_blockers(struct task *task, struct json_object *result, struct error *err);

#endif
