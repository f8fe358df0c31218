#include "process.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <time.h>
#include <unistd.h>

#include "error.h"
#include "file.h"
#include "json.h"
#include "memory.h"

#define START_TIME_FIELD 22
#define STATE_FIELD 3

/* The field of that number after the state, which begins behind the last ")": the name of the
 * program stands before it and may hold anything. */
static const char *field_of(const char *state, int number)
{
    for (int field = STATE_FIELD; field < number && state != NULL; field++) {
        state = strchr(state, ' ');
        if (state != NULL)
            state++;
    }
    return state;
}

bool process_find(pid_t pid, struct process *out)
{
    struct error err = { 0 };
    autofree char *path = xasprintf("/proc/%d/stat", pid);
    autofree char *text = pid > 0 ? file_read(path, NULL, &err) : NULL;
    const char *name_end = text != NULL ? strrchr(text, ')') : NULL;

    if (name_end == NULL || strlen(name_end) < 3)
        return false;

    const char *state = name_end + 2;
    const char *start_time = field_of(state, START_TIME_FIELD);
    if (*state == 'Z' || *state == 'X' || start_time == NULL)
        return false;

    *out = (struct process){ .pid = pid, .start_time = strtoull(start_time, NULL, 10) };
    snprintf(out->boot_id, sizeof(out->boot_id), "%s", process_boot_id());
    return true;
}

bool process_lives(const struct process *process)
{
    struct process now;

    return strcmp(process->boot_id, process_boot_id()) == 0 && process_find(process->pid, &now) &&
           now.start_time == process->start_time;
}

int process_open(const struct process *process)
{
    autoclose int fd = process->pid > 0 ? pidfd_open(process->pid, 0) : -1;

    /* After opening: from here on the descriptor cannot come to mean another one. */
    if (fd < 0 || !process_lives(process))
        return -1;
    return steal_fd(&fd);
}

bool process_signal(const struct process *process, int number, struct error *err)
{
    autoclose int fd = process_open(process);

    if (fd < 0 && !process_lives(process))
        return true;
    if (fd < 0 || (pidfd_send_signal(fd, number, NULL, 0) != 0 && errno != ESRCH))
        return error_errno(err, "cannot signal process %d", process->pid);
    return true;
}

bool process_wait_end(const struct process *process, int timeout_ms)
{
    double until_s = process_clock_s() + timeout_ms / 1000.0;
    autoclose int fd = process_open(process);

    if (fd < 0)
        return !process_lives(process);
    for (;;) {
        struct pollfd ended = { .fd = fd, .events = POLLIN };
        double left_ms = ceil((until_s - process_clock_s()) * 1000.0);
        int ready = poll(&ended, 1, timeout_ms < 0 ? -1 : (int)fmax(left_ms, 0));
        if (ready >= 0 || errno != EINTR)
            return ready > 0;
    }
}

const char *process_boot_id(void)
{
    static char boot_id[sizeof(((struct process *)NULL)->boot_id)];

    if (boot_id[0] == '\0') {
        struct error err = { 0 };
        autofree char *text = file_read("/proc/sys/kernel/random/boot_id", NULL, &err);
        if (text != NULL)
            snprintf(boot_id, sizeof(boot_id), "%.*s", (int)strcspn(text, "\n"), text);
    }
    return boot_id;
}

struct json_object *process_to_json(const struct process *process)
{
    struct json_object *object = json_object_new_object();

    json_add_int(object, "pid", process->pid);
    json_add_int(object, "start_time", (int64_t)process->start_time);
    json_add_string(object, "boot_id", process->boot_id);
    return object;
}

bool process_from_json(struct json_object *object, struct process *out)
{
    const char *boot_id = json_get_string(object, "boot_id");
    int64_t pid = json_get_int(object, "pid");
    int64_t start_time = json_get_int(object, "start_time");

    if (boot_id == NULL || strlen(boot_id) >= sizeof(out->boot_id) || pid <= 0 || pid > INT32_MAX ||
        start_time < 0)
        return false;
    *out = (struct process){ .pid = (pid_t)pid, .start_time = (uint64_t)start_time };
    memcpy(out->boot_id, boot_id, strlen(boot_id));
    return true;
}

static double read_clock(clockid_t clock)
{
    struct timespec now = { 0 };

    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

double process_clock_s(void)
{
    return read_clock(CLOCK_BOOTTIME);
}

double process_time_s(void)
{
    return read_clock(CLOCK_REALTIME);
}

void process_stamp(char stamp[32])
{
    process_stamp_of(process_time_s(), stamp);
}

void process_stamp_of(double time_s, char stamp[32])
{
    /* A little more, so that .104, which no double is exactly, does not become .103. */
    int64_t time_ms = (int64_t)floor(time_s * 1000.0 + 0.01);
    time_t seconds = time_ms / 1000;
    struct tm parts = { 0 };

    gmtime_r(&seconds, &parts);
    size_t length = strftime(stamp, 32, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(stamp + length, 32 - length, ".%03dZ", (int)(time_ms % 1000));
}
