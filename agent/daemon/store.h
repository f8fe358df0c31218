/*
 * The folders of jobs on the disk. All of this waits for it: for the pool's thread, and for the
 * time before the loop runs.
 *
 *     jobs/last                      numbers up to this one may have been used
 *     jobs/open/ID/request.json      durable before anybody is told of the job
 *     jobs/open/ID/started           durable before its worker is spawned (C6)
 *     jobs/open/ID/cancel            somebody wants it to stop
 *     jobs/open/ID/immediate         who wants its engine to end at once
 *     jobs/open/ID/attention         why a person must look, when the journal cannot say so
 *     jobs/open/ID/{lock,pid,journal,events}   the worker's
 *     jobs/done/ID/{request.json,result}
 */
#ifndef DBGUEST_DAEMON_STORE_H
#define DBGUEST_DAEMON_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "process.h"

struct error;
struct json_object;
struct site;

enum verdict {
    VERDICT_LIVES,      /* a worker is at it */
    VERDICT_ENDED,      /* with an outcome */
    VERDICT_ATTENTION,  /* a person must look */
    VERDICT_UNFINISHED, /* somebody must recover it */
    VERDICT_UNBORN,     /* its worker has not said a word: it died early, or is just starting */
};

char *store_open_folder(const struct site *site, const char *id);
char *store_done_folder(const struct site *site, const char *id);
char *store_secrets_path(const struct site *site, const char *id);

/* Makes jobs/open and jobs/done and removes what was never finished there. */
bool store_prepare(const struct site *site, struct error *err);
/* Reads jobs/last; 0 when there is none. */
int64_t store_last(const struct site *site);
bool store_write_last(const struct site *site, int64_t last, struct error *err);

/* What is written down of a job when it is accepted. */
struct store_job {
    const char *id;
    const char *request; /* JSON */
    const char *secrets; /* JSON, kept in memory; or NULL */
    bool started;        /* its worker is spawned as soon as this is durable */
};

bool store_accept(const struct site *site, const struct store_job *job, struct error *err);
bool store_started(const char *folder, struct error *err);
bool store_cancel(const char *folder, struct error *err);
/* by: the job that wants it. */
bool store_hurry(const char *folder, const char *by, struct error *err);
/* A person must look: error says why, and stays until a worker reads the journal again. */
bool store_attention(const char *folder, struct json_object *error, struct error *err);
void store_forget_secrets(const struct site *site, const char *id);

/*
 * What became of a job's worker. *record is the journal's "end" or why it needs attention, the
 * caller's to free; process is who lives, its pid 0 when it has not said yet who it is.
 */
enum verdict store_judge(const char *folder, struct json_object **record, struct process *process);
/* Makes the end durable as result in jobs/done/ID, and lets the journal go. */
bool store_finish(const struct site *site, const char *id, struct json_object *end,
                  struct error *err);

#endif
