/*
 * Proof by comparison: what a datastore says of itself before and after (datastore.h, facts()).
 */
#ifndef DBGUEST_FACTS_H
#define DBGUEST_FACTS_H

#include <stdbool.h>

struct error;
struct json_object;
struct task;

/*
 * After must be as before: member by member, name by name, and the position goes on. Counts what
 * was compared into proved ({"databases": 3, ...}). Fails with corrupt and names the first
 * difference.
 */
bool facts_follow(struct task *task, struct json_object *before, struct json_object *after,
                  struct json_object *proved, struct error *err);
/* What is the same in both: the facts of a time between. The caller owns it. */
struct json_object *facts_common(struct json_object *one, struct json_object *other);
/* Every fact of `noted` must be in `found`; more may be there. Counts as above. */
bool facts_contain(struct json_object *found, struct json_object *noted, struct json_object *proved,
                   struct error *err);
/* "3 databases, 12 users" of a proved object. */
char *facts_summary(struct json_object *proved);

#endif
