/*
 * Numbers for people. All return strings that the caller frees.
 */
#ifndef DBGUEST_UNITS_H
#define DBGUEST_UNITS_H

#include <stdbool.h>
#include <stdint.h>

char *units_size(double bytes); /* "1.0 GiB", "412 MiB" */
char *units_rate(double bytes); /* "12.1 MiB/s" */
char *units_duration(double s); /* "0.19 s", "1.8 s", "41 s", "3 min" */
char *units_age(double s);      /* whole ones: "3 s", "12 d" */
char *units_step(double s);     /* of a step: "0.06 s", "12.4 s" */
/* "51 of 98 MiB": both in the unit of the second. */
char *units_of(double done, double total);
/* "1 note", "2 notes": of a word whose plural has an s. */
char *units_count(long long count, const char *word);

/* RFC 3339 in UTC ("2026-11-21T03:42:58.104Z") to seconds since 1970; false when it is none. */
bool units_read_stamp(const char *stamp, double *out);
/* In the zone of TZ, the zone written: "2026-11-21 03:42:58 UTC"; milliseconds when asked for. Any
 * other text comes back as it is. */
char *units_stamp(const char *stamp, bool milliseconds);
/* Only the time of day: "03:42:58.110". */
char *units_clock(const char *stamp);

#endif
