/*
 * One job, from its acceptance to the day it is forgotten. What it needs while it waits and runs
 * is in its struct run, which goes when it ends; what is left is a row for job.list. All else of an
 * ended job is on the disk.
 */
#ifndef DBGUEST_DAEMON_JOB_H
#define DBGUEST_DAEMON_JOB_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

#include "process.h"
#include "text.h"

struct daemon;
struct error;
struct follower;
struct json_object;
struct method;
struct request;
struct watch;

enum job_state { JOB_QUEUED, JOB_RUNNING, JOB_RECOVERING, JOB_ENDED };

/* Somebody who waits for the end. */
enum waiter_kind {
    WAITER_CALL,   /* of the call itself: gets its result or error */
    WAITER_JOB,    /* of job.wait: gets the job whatever its outcome */
    WAITER_CANCEL, /* of job.cancel: busy when it ended otherwise */
};

struct waiter {
    struct waiter *next;
    struct job *job;
    struct request *request;
    enum waiter_kind kind;
    uv_timer_t timer; /* of its own deadline */
    double told_at;   /* progress */
};

#define LOCKS_MAX 8

/* What a job holds; objects by a hash of their names. */
struct lock_set {
    uint64_t objects[LOCKS_MAX];
    bool exclusive[LOCKS_MAX];
    size_t count;
};

struct run {
    struct json_object *params; /* of one that makes an instance, which has no row yet */
    struct lock_set locks;
    char *program;
    char *folder; /* jobs/open/ID */
    double accepted_clock_s;
    int64_t deadline_s; /* from then; 0: none */
    bool durable;       /* its folder is on the disk */
    bool cancel;        /* as soon as it is durable */
    bool started;       /* it was started once: only recovered from now on */
    bool has_secrets;
    bool immediate;      /* an instance.stop that does not want to wait for a clean end */
    bool hurried;        /* such a one waits for this job */
    int recoveries;      /* without an end so far */
    bool spawning;       /* a worker is about to be */
    int looks;           /* for a worker that may be starting */
    bool resumed;        /* an earlier daemon had started it */
    bool awaits;         /* its recovery waits for that of an earlier job */
    char *made_password; /* told once, to the caller, never stored */
    struct waiter *waiters;
    struct watch *watch;       /* of the worker's process */
    struct follower *follower; /* of its events */
    struct json_object *steps; /* rows of finished steps */
    struct json_object *about; /* versions and expected outage, once they are known */
    char *step;                /* the present one */
    int64_t number, count;     /* n of m */
    int64_t done_bytes, total_bytes;
    double step_clock_s; /* when it began */
    int64_t position;    /* in the queue; 0: not waiting */
    struct json_object *waiting_for;
    char *recovered_at;
};

struct job {
    struct daemon *daemon;
    int64_t number;
    char id[24];
    enum job_state state;
    bool attention;              /* ended for its callers, but not on the disk */
    bool settling, settle_again; /* the pool is finding out what became of its worker */
    int pending; /* callbacks on their way that mean this job: it cannot be forgotten yet */
    const struct method *method; /* NULL: of another release */
    char *method_name;
    char *object;   /* what it is about, for people */
    char *instance; /* or NULL */
    char *datastore;
    char *asked_by;
    uid_t uid;
    char *key; /* of idempotency, or NULL */
    char *params_hash;
    double asked_at, started_at, ended_at; /* CLOCK_REALTIME */
    double started_clock_s;                /* CLOCK_BOOTTIME */
    double ended_running_s;                /* clock.h */
    double took_s;
    char *outcome; /* "ok" or a reason, once ended */
    char *note;
    struct json_object *end; /* of one that needs attention; of others it is on the disk */
    struct run *run;         /* NULL once it has ended */
};

/* Of the stored request, which it takes over. */
struct job *job_new(struct daemon *daemon, int64_t number, struct json_object *request,
                    bool with_run);
void job_free(struct job *job);
/* It has ended: what it needed meanwhile goes. */
void job_leave(struct job *job);

/* Takes over request. Its deadline_s parameter (of job.wait) counts from now. */
void job_add_waiter(struct job *job, struct request *request, enum waiter_kind kind);
/* Tells all who wait, and lets them go. end: {"outcome","result"|"error"}. */
void job_answer(struct job *job, struct json_object *end);
/* Tells callers how far it is; finished is a step's row or NULL. often: bytes, not more than ten
 * times a second. */
void job_tell(struct job *job, struct json_object *finished, bool often);
/* The answer to one caller: {"job", ...result}, or the error. */
void job_answer_call(struct job *job, struct request *request, struct json_object *end,
                     const char *made_password);
/* {"job","state"}. */
struct json_object *job_brief(const struct job *job);

/* Whether it is about this instance; NULL is none. */
bool job_is_of(const struct job *job, const char *instance);
/* Words of enum job_state. */
const char *job_state_word(const struct job *job);

#endif
