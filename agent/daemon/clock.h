/*
 * What age is counted by: how long this machine has been seen running, summed over its boots. The
 * clock on the wall makes nothing old (C27); while it has jumped nothing is removed by age at all.
 *
 *     jobs/clock    {"boot_id", "clock_s": CLOCK_BOOTTIME then, "running_s": the sum by then}
 *
 * What a crash takes of it makes everything younger.
 */
#ifndef DBGUEST_DAEMON_CLOCK_H
#define DBGUEST_DAEMON_CLOCK_H

#include <stdbool.h>

struct daemon;
struct json_object;
struct site;

/* Reads the sum; for the time before the loop runs. */
void clock_begin(const struct site *site);
double clock_running_s(void);
/* Whether the wall clock goes as it did when we started; tells the log when that changes. */
bool clock_is_sound(void);
/* {"running_s", "jumped_s", "removal": "by_age" or "suspended"}. */
struct json_object *clock_to_json(void);
/* Keeps the sum, on the pool, not more than once a minute. */
void clock_keep(struct daemon *daemon);
/* The same now; for the time after the loop. */
void clock_close(const struct site *site);

#endif
