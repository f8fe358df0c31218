/*
 * dbguestd [--config FILE] [--check]
 */
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "cleanup.h"
#include "config.h"
#include "daemon.h"
#include "error.h"
#include "events.h"
#include "instance.h"
#include "jobs.h"
#include "log.h"
#include "memory.h"
#include "notify.h"
#include "place.h"
#include "process.h"
#include "program.h"
#include "server.h"

#define EXIT_USAGE 2

struct options {
    const char *config;
    bool check;
    bool given; /* the file was named: it must be there */
};

static struct daemon the_daemon;
static struct options options = { .config = CONFIG_PATH };

static int usage(FILE *out, int status)
{
    fprintf(out, "Usage: dbguestd [--config FILE] [--check] [--version]\n");
    return status;
}

/* -1: go on. */
static int read_options(int count, char **words)
{
    for (int i = 1; i < count; i++) {
        if (strcmp(words[i], "--help") == 0 || strcmp(words[i], "-h") == 0)
            return usage(stdout, 0);
        if (strcmp(words[i], "--version") == 0) {
            printf("dbguestd %s\n", DBGUEST_VERSION);
            return 0;
        }
        if (strcmp(words[i], "--check") == 0) {
            options.check = true;
        } else if (strcmp(words[i], "--config") == 0 && i + 1 < count) {
            options.config = words[++i];
            options.given = true;
        } else {
            return usage(stderr, EXIT_USAGE);
        }
    }
    return -1;
}

/* No core may hold a secret; a thousand clients need descriptors; memory given back stays given. */
static void set_process(void)
{
    struct rlimit none = { 0, 0 };
    struct rlimit files = { 0 };

    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max < 65536 ? files.rlim_max : 65536;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    signal(SIGPIPE, SIG_IGN);
    umask(0022);
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_MMAP_THRESHOLD, 256 * 1024);
    mallopt(M_TRIM_THRESHOLD, 128 * 1024);
    /* One thread: what is written first is on the disk first. */
    setenv("UV_THREADPOOL_SIZE", "1", 1);
}

static void main_on_stop(uv_signal_t *handle, int number)
{
    struct daemon *daemon = handle->data;

    log_info("signal %d: stopping; jobs and engines go on", number);
    notify_stopping();
    daemon->stopping = true;
    server_stop(daemon);
    uv_stop(daemon->loop);
}

static void main_on_reload(uv_signal_t *handle, int number)
{
    struct daemon *daemon = handle->data;
    struct error err = { 0 };

    (void)number;
    notify_reloading();
    autoptr(config) config = config_read(options.config, !options.given, &err);
    if (config != NULL)
        config_change(daemon->config, config);
    else
        log_error("the configuration stays as it was: %s", err.message);
    error_clear(&err);
    notify_ready(daemon);
}

static void watch_signals(struct daemon *daemon)
{
    static uv_signal_t handles[3];
    static const int numbers[] = { SIGTERM, SIGINT, SIGHUP };

    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        uv_signal_init(daemon->loop, &handles[i]);
        handles[i].data = daemon;
        uv_signal_start(&handles[i], numbers[i] == SIGHUP ? main_on_reload : main_on_stop,
                        numbers[i]);
    }
}

static bool start(struct daemon *daemon, struct error *err)
{
    daemon->loop = uv_default_loop();
    daemon->started_s = process_clock_s();
    daemon->programs = programs_new();
    if (!place_take(daemon, err))
        return false;
    events_load(daemon);
    /* Before the socket accepts: the locks of what is open are held by then (C7). */
    if (!jobs_load(daemon, err))
        return false;
    instances_load(daemon);
    if (!server_start(daemon, err))
        return false;
    watch_signals(daemon);
    jobs_resume(daemon);
    return true;
}

static int fail(const struct error *err, int status)
{
    log_error("%s", err->message);
    if (err->hint[0] != '\0')
        log_error("%s", err->hint);
    return status;
}

int main(int count, char **words)
{
    struct error err = { 0 };
    int status = read_options(count, words);

    log_name("dbguestd");
    if (status >= 0)
        return status;
    the_daemon.config = config_read(options.config, !options.given, &err);
    if (the_daemon.config == NULL)
        return fail(&err, EXIT_USAGE);
    if (options.check) {
        printf("%s is good\n", options.config);
        return 0;
    }

    set_process();
    if (!start(&the_daemon, &err))
        return fail(&err, 1);
    notify_ready(&the_daemon);
    log_info("ready, listening on %s", the_daemon.config->socket);
    uv_run(the_daemon.loop, UV_RUN_DEFAULT);
    jobs_close(&the_daemon);
    place_leave(&the_daemon);
    return 0;
}
