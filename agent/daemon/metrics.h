/*
 * The daemon's figures as OpenMetrics text.
 */
#ifndef DBGUEST_DAEMON_METRICS_H
#define DBGUEST_DAEMON_METRICS_H

#include <stdint.h>

struct daemon;
struct disk;
struct text;

void metrics_print(const struct daemon *daemon, const struct disk *disk, struct text *out);
/* Resident, of this process. */
int64_t metrics_memory_bytes(void);

#endif
