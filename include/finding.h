/*
 * What speaks against an upgrade, or should be known before it: one row of instance.check_upgrade.
 */
#ifndef DBGUEST_FINDING_H
#define DBGUEST_FINDING_H

struct json_object;

/* severity is "blocker", "warning" or "note"; reason a stable word; hint, what to do, may be NULL.
 */
void finding_add(struct json_object *findings, const char *severity, const char *reason,
                 const char *message, const char *hint);

#endif
