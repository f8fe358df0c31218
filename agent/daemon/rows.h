/*
 * Jobs as rows of job.list and job.show, and as text for people.
 */
#ifndef DBGUEST_DAEMON_ROWS_H
#define DBGUEST_DAEMON_ROWS_H

struct job;
struct json_object;
struct run;
struct text;

/* The row of job.list; the caller owns it. */
struct json_object *rows_brief(const struct job *job);
/* The row of job.show. end is what is stored of an ended one: outcome, result, error, steps. */
struct json_object *rows_of(const struct job *job, struct json_object *end);
/* job.report: what the worker wrote, or the steps. */
void rows_report(const struct job *job, struct json_object *end, struct text *out);
/* "left_s", as far as bytes tell. */
void rows_add_left(struct json_object *object, const struct run *run);
/* One line about how it ended. The caller frees it; NULL when there is nothing to say. */
char *rows_note(struct json_object *end);

/* CLOCK_REALTIME of "2026-11-21T03:42:58.104Z"; 0 when it is none. */
double rows_time_of(const char *stamp);

#endif
