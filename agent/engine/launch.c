/*
 * Becomes an engine: dbguest-launch FOLDER [--permit] [--scratch] [--go-fd N]. FOLDER is that of an
 * instance or a scratch engine. The same program starts an engine detached and as a unit, so that
 * its lock and what it sees are the same in both.
 *
 *     --permit   although FOLDER/closed exists: whoever starts it holds the gate
 *     --scratch  the first to end when memory does
 *     --go-fd N  says "locked" on stdout, and goes on when a byte comes from N; at end of file not
 *
 * dbguest-launch --stop FOLDER asks the engine to stop, and waits until nothing of it is left.
 * dbguest-launch --tidy FOLDER ends what an engine that has ended by itself left running.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine.h"
#include "error.h"
#include "file.h"
#include "handover.h"
#include "json.h"
#include "layout.h"
#include "lock.h"
#include "log.h"
#include "memory.h"
#include "namespace.h"
#include "process.h"
#include "proof.h"
#include "rights.h"

#define EXIT_USAGE 64
#define EXIT_BUSY 75
#define EXIT_CLOSED 77

#define LOG_BYTES ((off_t)16 * 1024 * 1024)
#define FILES_OPEN 65536
#define TIDY_S 2.0

enum work { WORK_LAUNCH, WORK_STOP, WORK_TIDY };

struct options {
    const char *folder;
    bool permit;
    bool scratch;
    enum work work;
    int go; /* -1: nobody waits */
};

/* At one end of what the options leave open: whether it may start at all (C17). */
static bool may_start(const struct engine *engine, const struct options *options, struct error *err)
{
    if (!layout_closed(engine) || options->permit || layout_permitted(engine))
        return true;
    return error_set(err, ERROR_NEEDS_ATTENTION, "'%s' is closed and must not start by itself",
                     engine->instance);
}

static bool is_in_time(void *context, struct error *err)
{
    const double *until_s = context;

    return process_clock_s() < *until_s || error_set(err, ERROR_BUSY, "processes do not end");
}

/*
 * What a crashed engine left (a saver of Redis, a tenant's program) would be in the way of the next
 * one for ever. Whether it worked shows when the lock is taken.
 */
static void tidy(const struct engine *engine)
{
    struct process found;
    struct error ignored = { 0 };
    double until_s = process_clock_s() + TIDY_S;

    if (!engine_find(engine, &found))
        engine_wait_stopped(engine, is_in_time, &until_s, &ignored);
    error_clear(&ignored);
}

/* The data is ours from here on, until the last that inherits the descriptor is gone (C12). */
static int own_data(const struct engine *engine, struct error *err)
{
    struct process self;

    tidy(engine);
    autoclose int lock = lock_take(engine->data, err);

    if (lock < 0)
        return -1;
    if (!process_find(getpid(), &self)) {
        error_set(err, ERROR_INTERNAL, "process %d does not find itself", getpid());
        return -1;
    }
    /* A program of the last engine's may have let go of the lock and still write (C13). */
    if (!proof_no_holders(engine, err) || !lock_write_record(engine->data, &self, err) ||
        fcntl(lock, F_SETFD, 0) != 0)
        return -1;
    return steal_fd(&lock);
}

/* Without a go, whoever wanted this is dead, and nobody would know of the engine. */
static bool await_go(int go, struct error *err)
{
    char byte = '\0';
    ssize_t got = 0;

    if (go < 0)
        return true;
    if (write(STDOUT_FILENO, "locked\n", strlen("locked\n")) < 0)
        return error_errno(err, "cannot speak to the starter");
    do
        got = read(go, &byte, 1);
    while (got < 0 && errno == EINTR);
    close(go);
    return got == 1 || error_set(err, ERROR_INTERRUPTED, "the starter has gone");
}

static bool is_string(struct json_object *object, const char *name, const char *expected)
{
    const char *value = json_get_string(object, name);

    return value != NULL && strcmp(value, expected) == 0;
}

/* Durable before the version may touch the data: no engine says later what ran on it. */
static bool note_version(const struct engine *engine, struct error *err)
{
    char stamp[32];
    struct error unread = { 0 };
    autofree char *path = xasprintf("%s/ran.json", engine->data);
    autoptr(json_object) ran = json_read_file(path, &unread);

    error_clear(&unread);
    if (ran != NULL && is_string(ran, "datastore", engine->datastore) &&
        is_string(ran, "version", engine->version))
        return file_sync(path, err);

    autoptr(json_object) now = json_object_new_object();
    process_stamp(stamp);
    json_add_string(now, "datastore", engine->datastore);
    json_add_string(now, "version", engine->version);
    json_add_string(now, "time", stamp);
    return json_write_file(path, now, 0600, err);
}

static bool make_sockets(const struct engine *engine, struct error *err)
{
    /* One that is there keeps its mode: it may be a gate. */
    if (!file_make_folder(engine->sockets, 0755, err))
        return false;
    if (lchown(engine->sockets, engine->uid, (gid_t)engine->uid) != 0)
        return error_errno(err, "cannot give '%s' to uid %u", engine->sockets, engine->uid);
    return true;
}

/* Root's alone: engines tell their log what no tenant of another instance may read. */
static bool open_log(const struct engine *engine, struct error *err)
{
    struct stat status;
    autofree char *folder = xasprintf("%s/log", engine->folder);
    autofree char *old = xasprintf("%s.1", engine->log);

    if (!file_make_folder(folder, 0700, err))
        return false;
    if (stat(engine->log, &status) == 0 && status.st_size > LOG_BYTES &&
        rename(engine->log, old) != 0)
        return error_errno(err, "cannot move '%s'", engine->log);

    autoclose int log =
        open(engine->log, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
    autoclose int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (log < 0 || nothing < 0 || dup2(nothing, STDIN_FILENO) < 0 || dup2(log, STDOUT_FILENO) < 0 ||
        dup2(log, STDERR_FILENO) < 0)
        return error_errno(err, "cannot open '%s'", engine->log);
    return true;
}

static bool set_limits(bool scratch, struct error *err)
{
    /* A core would put what is in memory on the disk: secrets too. */
    const struct rlimit no_core = { 0, 0 };
    struct rlimit files = { FILES_OPEN, FILES_OPEN };

    if (setrlimit(RLIMIT_CORE, &no_core) != 0)
        return error_errno(err, "cannot forbid core dumps");
    if (setrlimit(RLIMIT_NOFILE, &files) != 0 && getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max; /* a container's limit: as far as it goes */
        setrlimit(RLIMIT_NOFILE, &files);
    }

    /* The engine is what the machine is for; a container may not let us say so. */
    autoclose int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    const char *score = scratch ? "500" : "-900";
    ssize_t written = fd >= 0 ? write(fd, score, strlen(score)) : 0;
    (void)written;
    return true;
}

static bool enter(const struct engine *engine, struct error *err)
{
    const struct view view = {
        .tree = engine->tree,
        .user = engine->user,
        .uid = engine->uid,
        .files = engine->files,
        .conf = engine->conf,
        .sockets = engine->sockets,
    };

    if (unshare(CLONE_NEWNS) != 0)
        return error_errno(err, "cannot make a mount namespace");
    return namespace_enter(&view, err) && rights_drop(engine->uid, false, err);
}

/* All but the standard three, the lock, and where trouble is told until exec. */
static void close_others(int lock, int told)
{
    int low = lock < told ? lock : told;
    int high = lock < told ? told : lock;

    if (low > STDERR_FILENO + 1)
        close_range(STDERR_FILENO + 1, (unsigned int)low - 1, 0);
    if (high > low + 1)
        close_range((unsigned int)low + 1, (unsigned int)high - 1, 0);
    close_range((unsigned int)high + 1, ~0U, 0);
}

static bool become_engine(const struct engine *engine, const struct options *options, int lock,
                          int told, struct error *err)
{
    autoptr(program) program = program_read(engine, err);

    if (program == NULL || !note_version(engine, err) || !make_sockets(engine, err) ||
        !set_limits(options->scratch, err) || !open_log(engine, err))
        return false;

    setsid(); /* fails under systemd, where it is a session's first already */
    if (!enter(engine, err))
        return false;
    close_others(lock, told);
    umask(0077);
    signal(SIGPIPE, SIG_DFL);
    execve(program->argv[0], program->argv, program->env);
    return error_errno(err, "cannot execute '%s' of the version's tree", program->argv[0]);
}

static bool launch(const struct options *options, int told, struct error *err)
{
    autoptr(engine) engine = engine_load(NULL, options->folder, err);

    if (engine == NULL || !may_start(engine, options, err))
        return false;
    autoclose int lock = own_data(engine, err);
    /* Closed again? Whoever closes looks at the lock afterwards, so one of us sees the other. */
    if (lock < 0 || !may_start(engine, options, err) || !await_go(options->go, err))
        return false;
    return become_engine(engine, options, lock, told, err);
}

/* Its unit may still be ending when an instance has been deleted: nothing of it is left then. */
static bool is_deleted(const struct options *options)
{
    return !file_exists(options->folder) && errno == ENOENT;
}

static bool tidy_folder(const struct options *options, struct error *err)
{
    if (is_deleted(options))
        return true;

    autoptr(engine) engine = engine_load(NULL, options->folder, err);

    if (engine == NULL)
        return false;
    tidy(engine);
    return true;
}

static bool stop(const struct options *options, struct error *err)
{
    struct process found;

    if (is_deleted(options))
        return true;
    autoptr(engine) engine = engine_load(NULL, options->folder, err);
    if (engine == NULL)
        return false;
    autoptr(program) program = program_read(engine, err);
    if (program == NULL)
        return false;

    if (engine_find(engine, &found) && !process_signal(&found, program->stop_signal, err))
        return false;
    return engine_wait_stopped(engine, NULL, NULL, err);
}

static bool read_options(int argc, char **argv, struct options *options)
{
    static const struct option known[] = {
        { "permit", no_argument, NULL, 'p' },      { "scratch", no_argument, NULL, 's' },
        { "stop", no_argument, NULL, 'x' },        { "tidy", no_argument, NULL, 't' },
        { "go-fd", required_argument, NULL, 'g' }, { 0 },
    };

    for (int option = 0; (option = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        if (option == '?')
            return false;
        options->permit = options->permit || option == 'p';
        options->scratch = options->scratch || option == 's';
        if (option == 'x' || option == 't')
            options->work = option == 'x' ? WORK_STOP : WORK_TIDY;
        if (option == 'g')
            options->go = (int)strtol(optarg, NULL, 10);
    }
    options->folder = argv[optind];
    return options->folder != NULL && argv[optind + 1] == NULL;
}

static bool work(const struct options *options, int told, struct error *err)
{
    if (options->work == WORK_STOP)
        return stop(options, err);
    if (options->work == WORK_TIDY)
        return tidy_folder(options, err);
    return launch(options, told, err);
}

static int exit_status(const struct error *err)
{
    if (err->reason == ERROR_BUSY)
        return EXIT_BUSY;
    return err->reason == ERROR_NEEDS_ATTENTION ? EXIT_CLOSED : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct error err = { 0 };
    struct options options = { .go = -1 };

    if (!read_options(argc, argv, &options)) {
        fprintf(
            stderr,
            "usage: dbguest-launch [--stop | --tidy] FOLDER [--permit] [--scratch] [--go-fd N]\n");
        return EXIT_USAGE;
    }
    log_name("dbguest-launch");
    handover_reset_signals();
    signal(SIGPIPE, SIG_IGN);

    /* The engine's log takes the place of stderr; whoever starts this hears of trouble still. */
    int told = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (work(&options, told, &err))
        return EXIT_SUCCESS;

    if (options.go >= 0) {
        handover_tell(told, &err);
    } else {
        dup2(told, STDERR_FILENO);
        log_error("%s", err.message);
    }
    return exit_status(&err);
}
