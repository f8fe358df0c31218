/*
 * Other processes: running a program to its end, and naming one so that no stranger is meant.
 */
#ifndef DBGUEST_PROCESS_H
#define DBGUEST_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "text.h"

struct error;
struct json_object;

/* A process for certain: numbers are used again, a start time (clock ticks since boot, field 22 of
 * /proc/PID/stat) within one boot is not. */
struct process {
    pid_t pid;
    uint64_t start_time;
    char boot_id[40];
};

/* What /proc says of a living process; false when there is none (a zombie counts as none). */
bool process_find(pid_t pid, struct process *out);
/* Whether that very process still lives. */
bool process_lives(const struct process *process);
/* A pidfd for it, checked after opening; -1 when it is gone. */
int process_open(const struct process *process);
/* Signals by pidfd; true also when it is gone already. */
bool process_signal(const struct process *process, int number, struct error *err);
/* Waits for its end, at most timeout_ms (-1: for ever); true when it has ended. */
bool process_wait_end(const struct process *process, int timeout_ms);
const char *process_boot_id(void);
struct json_object *process_to_json(const struct process *process);
bool process_from_json(struct json_object *object, struct process *out);

struct process_options {
    const char *input;      /* given on stdin, else /dev/null */
    const char *const *env; /* NULL-ended; NULL: PATH and LANG=C.UTF-8 only */
    const char *folder;     /* to run in, or NULL */
    int timeout_s;          /* 0: none; after it SIGKILL to the whole group */
    bool errors_to_output;  /* stderr into output too; otherwise into errors */
    /* Called every 100 ms or so while it runs; false ends the program (cancel). May be NULL. */
    bool (*tick)(void *context, struct error *err);
    void *context;
};

/* Of a program that ran; starts zeroed, release with process_result_done. */
struct process_result {
    struct text output; /* at most 16 MiB each, the rest is dropped */
    struct text errors;
    int status; /* exit status, or 128 + signal */
};
void process_result_done(struct process_result *result);
#define autoresult __attribute__((cleanup(process_result_done)))

/*
 * Runs argv (NULL-ended, found by PATH) in a process group of its own with all descriptors but the
 * three closed, and waits. True when it could be started and was not stopped by timeout or tick;
 * look at result->status. PDEATHSIG is SIGKILL.
 */
bool process_run(const char *const argv[], const struct process_options *options,
                 struct process_result *result, struct error *err);
/* The same, and a status other than 0 is an error that quotes the last lines of stderr. */
bool process_check(const char *const argv[], const struct process_options *options,
                   struct process_result *result, struct error *err);

/* Seconds since boot, sleep included (CLOCK_BOOTTIME); what deadlines count in. */
double process_clock_s(void);
/* "2026-11-21T03:42:58.104Z"; of now, or of a CLOCK_REALTIME in seconds. */
void process_stamp(char stamp[32]);
void process_stamp_of(double time_s, char stamp[32]);
double process_time_s(void);

#endif
