/*
 * The datastore programs: what is in libexec_dir, and what each says that it serves. Asked at first
 * use, and again when one of them has changed.
 */
#ifndef DBGUEST_DAEMON_PROGRAM_H
#define DBGUEST_DAEMON_PROGRAM_H

#include <stdbool.h>

struct daemon;
struct error;
struct json_object;
struct method;
struct programs;

struct programs *programs_new(void);

/* Calls then as soon as all programs are known; maybe before it returns. */
void programs_need(struct daemon *daemon, void (*then)(void *context), void *context);

/* The rest is for after that. */
/* The path of the program that serves datastore; NULL when none does. */
const char *programs_path(const struct daemon *daemon, const char *datastore);
/* Any program's; NULL when there is none at all. */
const char *programs_any(const struct daemon *daemon);
/* Fails with unsupported when no program serves datastore, or it cannot do what method needs. */
bool programs_check(const struct daemon *daemon, const char *datastore, const struct method *method,
                    struct error *err);
/* An array of what the programs said of each datastore; the caller owns it. */
struct json_object *programs_describe(const struct daemon *daemon);

#endif
