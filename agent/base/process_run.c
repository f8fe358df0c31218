#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"
#include "error.h"
#include "memory.h"

#define OUTPUT_MAX ((size_t)16 * 1024 * 1024)
#define CHUNK 65536
#define TICK_MS 100
/* As much as a pipe can hold (pipe(7), 1 MiB unless root allows more), and bounded. */
#define LAST_READS 32
#define QUOTED_LINES 10
#define NOT_STARTED 127
#define SIGNALLED 128

enum { OUTPUT, ERRORS, FAILURE, PIPES };

static const char *const plain_env[] = {
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG=C.UTF-8",
    NULL,
};

struct run {
    const char *const *argv;
    const struct process_options *options;
    struct process_result *result;
    int input;
    int reads[PIPES];  /* ours */
    int writes[PIPES]; /* the child's; FAILURE tells why exec failed, or nothing */
    pid_t pid;
    int pidfd;
    double next_tick_s;
    double until_s; /* 0: no limit */
};

static void run_done(struct run *run)
{
    cleanup_close(&run->input);
    cleanup_close(&run->pidfd);
    for (int i = 0; i < PIPES; i++) {
        cleanup_close(&run->reads[i]);
        cleanup_close(&run->writes[i]);
    }
}
#define autorun __attribute__((cleanup(run_done)))

static void close_now(int *fd)
{
    cleanup_close(fd);
    *fd = -1;
}

/* Out of the way of 0, 1 and 2, which the child is going to replace. False with errno. */
static bool lift(int *fd)
{
    if (*fd > STDERR_FILENO)
        return true;

    int higher = fcntl(*fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    close_now(fd);
    *fd = higher;
    return higher >= 0;
}

static bool open_pipe(struct run *run, int number)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0)
        return false;
    run->reads[number] = ends[0];
    run->writes[number] = ends[1];
    return lift(&run->reads[number]) && lift(&run->writes[number]);
}

/*
 * The input as a file in memory: all of it is there before the program starts, so that nobody has
 * to feed it, and a program that does not read it gives no SIGPIPE.
 */
static bool open_input(struct run *run)
{
    const char *at = run->options->input;

    if (at == NULL) {
        run->input = open("/dev/null", O_RDONLY | O_CLOEXEC);
        return run->input >= 0 && lift(&run->input);
    }

    run->input = memfd_create("input", MFD_CLOEXEC);
    for (size_t left = strlen(at); left > 0 && run->input >= 0;) {
        ssize_t written = write(run->input, at, left);
        if (written < 0)
            return false;
        at += written;
        left -= (size_t)written;
    }
    return run->input >= 0 && lseek(run->input, 0, SEEK_SET) == 0 && lift(&run->input);
}

static bool open_ends(struct run *run)
{
    if (!open_input(run) || !open_pipe(run, OUTPUT) || !open_pipe(run, FAILURE))
        return false;
    return run->options->errors_to_output || open_pipe(run, ERRORS);
}

static void reset_signals(void)
{
    struct sigaction standard = { .sa_handler = SIG_DFL };
    sigset_t none;

    for (int number = 1; number <= SIGRTMAX; number++)
        sigaction(number, &standard, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static bool replace_standard(const struct run *run)
{
    int errors = run->writes[run->options->errors_to_output ? OUTPUT : ERRORS];

    return dup2(run->input, STDIN_FILENO) >= 0 && dup2(run->writes[OUTPUT], STDOUT_FILENO) >= 0 &&
           dup2(errors, STDERR_FILENO) >= 0 &&
           close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC) == 0;
}

/* POSIX could not say const here for the sake of old compilers; nobody writes. */
static char **without_const(const char *const *strings)
{
    union {
        const char *const *given;
        char **wanted;
    } both = { .given = strings };

    return both.wanted;
}

/* The child, between fork and exec: only what is safe there, because we may have threads. */
static _Noreturn void become_program(const struct run *run, pid_t parent)
{
    const struct process_options *options = run->options;
    int number = 0;

    reset_signals();
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    /* It may have died before it could be watched. */
    if (getppid() != parent)
        _exit(NOT_STARTED);

    if (replace_standard(run) && (options->folder == NULL || chdir(options->folder) == 0)) {
        environ = without_const(options->env != NULL ? options->env : plain_env);
        execvp(run->argv[0], without_const(run->argv));
    }

    number = errno;
    ssize_t ignored = write(run->writes[FAILURE], &number, sizeof(number));
    (void)ignored;
    _exit(NOT_STARTED);
}

/* The errno of an exec that failed; 0 when the program runs. */
static int read_failure(const struct run *run)
{
    int number = 0;
    ssize_t got = 0;

    do
        got = read(run->reads[FAILURE], &number, sizeof(number));
    while (got < 0 && errno == EINTR);
    return got == sizeof(number) ? number : 0;
}

/* Waits until it has ended; the exit status as shells have it, -1 with errno. */
static int reap(const struct run *run)
{
    int status = 0;
    pid_t reaped = 0;

    do
        reaped = waitpid(run->pid, &status, 0);
    while (reaped < 0 && errno == EINTR);
    if (reaped < 0)
        return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : SIGNALLED + WTERMSIG(status);
}

/* What it has started stays in its group, and is ended with it. */
static void stop(const struct run *run)
{
    kill(-run->pid, SIGKILL);
    reap(run);
}

static bool start(struct run *run, struct error *err)
{
    pid_t parent = getpid();

    if (!open_ends(run))
        return error_errno(err, "cannot run '%s'", run->argv[0]);

    run->pid = fork();
    if (run->pid < 0)
        return error_errno(err, "cannot run '%s'", run->argv[0]);
    if (run->pid == 0)
        become_program(run, parent);

    for (int i = 0; i < PIPES; i++)
        close_now(&run->writes[i]);
    errno = read_failure(run);
    if (errno == 0) {
        run->pidfd = pidfd_open(run->pid, 0);
        if (run->pidfd >= 0)
            return true;
    }
    error_errno(err, "cannot run '%s'", run->argv[0]);
    err->reason = ERROR_INTERNAL;
    stop(run);
    return false;
}

/* One read from a pipe that has something; closes it at its end. */
static void take(int *fd, struct text *text)
{
    char chunk[CHUNK];
    ssize_t got = read(*fd, chunk, sizeof(chunk));

    if (got < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (got <= 0) {
        close_now(fd);
        return;
    }

    size_t room = OUTPUT_MAX - text->length;
    text_add_bytes(text, chunk, (size_t)got < room ? (size_t)got : room);
}

/* Waits for output or the end, at most timeout_ms. True when the program has ended. */
static bool listen_once(struct run *run, int timeout_ms, bool *silent)
{
    struct pollfd fds[] = {
        { .fd = run->reads[OUTPUT], .events = POLLIN },
        { .fd = run->reads[ERRORS], .events = POLLIN },
        { .fd = run->pidfd, .events = POLLIN },
    };

    *silent = true;
    if (poll(fds, ARRAY_SIZE(fds), timeout_ms) <= 0)
        return false;
    *silent = fds[0].revents == 0 && fds[1].revents == 0;
    if (fds[0].revents != 0)
        take(&run->reads[OUTPUT], &run->result->output);
    if (fds[1].revents != 0)
        take(&run->reads[ERRORS], &run->result->errors);
    return fds[2].revents != 0;
}

/* False when the time is over or the caller has had enough. */
static bool may_go_on(struct run *run, struct error *err)
{
    const struct process_options *options = run->options;
    double now_s = process_clock_s();

    if (run->until_s > 0 && now_s >= run->until_s)
        return error_set(err, ERROR_INTERNAL, "'%s' was stopped after %d s", run->argv[0],
                         options->timeout_s);
    if (options->tick == NULL || now_s < run->next_tick_s)
        return true;

    run->next_tick_s = now_s + TICK_MS / 1000.0;
    if (options->tick(options->context, err))
        return true;
    if (err->reason == ERROR_NONE)
        error_set(err, ERROR_CANCELLED, "'%s' was stopped", run->argv[0]);
    return false;
}

/*
 * Until the program itself has ended. Servers that it leaves behind may hold its pipes for ever:
 * then what it has written until now is all that is read.
 */
static bool follow(struct run *run, struct error *err)
{
    bool silent = false;

    while (!listen_once(run, TICK_MS, &silent)) {
        if (!may_go_on(run, err)) {
            stop(run);
            return false;
        }
    }
    silent = false;
    for (int i = 0; i < LAST_READS && !silent; i++)
        listen_once(run, 0, &silent);

    run->result->status = reap(run);
    if (run->result->status < 0)
        return error_errno(err, "cannot learn how '%s' ended", run->argv[0]);
    return true;
}

void process_result_done(struct process_result *result)
{
    text_done(&result->output);
    text_done(&result->errors);
    result->status = 0;
}

bool process_run(const char *const argv[], const struct process_options *options,
                 struct process_result *result, struct error *err)
{
    static const struct process_options none = { 0 };
    autorun struct run run = {
        .argv = argv,
        .options = options != NULL ? options : &none,
        .result = result,
        .input = -1,
        .reads = { -1, -1, -1 },
        .writes = { -1, -1, -1 },
        .pidfd = -1,
    };

    /* Never NULL, also when nothing comes. */
    text_add(&result->output, "");
    text_add(&result->errors, "");
    if (run.options->timeout_s > 0)
        run.until_s = process_clock_s() + run.options->timeout_s;
    return start(&run, err) && follow(&run, err);
}

bool process_check(const char *const argv[], const struct process_options *options,
                   struct process_result *result, struct error *err)
{
    if (!process_run(argv, options, result, err))
        return false;
    if (result->status == 0)
        return true;

    /* Many programs complain on stdout. */
    const struct text *said = result->errors.length > 0 ? &result->errors : &result->output;
    autofree char *last = xstrdup(text_last_lines(said->bytes, 1));
    last[strcspn(last, "\n")] = '\0';
    error_set(err, ERROR_INTERNAL, "'%s' failed with status %d%s%s", argv[0], result->status,
              last[0] != '\0' ? ": " : "", last);
    return error_native(err, text_last_lines(said->bytes, QUOTED_LINES));
}
