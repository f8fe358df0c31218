#include "detached.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"
#include "engine.h"
#include "error.h"
#include "handover.h"
#include "memory.h"
#include "process.h"
#include "proof.h"
#include "site.h"
#include "text.h"

/* The starter's ends: `go` lets the launcher start the engine, `told` is what it tells. */
struct start {
    int go;
    int told;
};

static void start_done(const struct start *start)
{
    cleanup_close(&start->go);
    cleanup_close(&start->told);
}
#define autostart __attribute__((cleanup(start_done)))

/* In the child: becomes dbguest-launch, as nobody's child and with nothing of the worker's. */
_Noreturn static void become_launcher(const char *const argv[], int go, int told)
{
    char *const env[] = { NULL };
    struct error err = { 0 };

    /* Its parent ends at once, so that it is init's to reap, not the worker's. */
    setsid();
    pid_t pid = fork();
    if (pid != 0)
        _exit(pid < 0 ? 1 : 0);

    autoclose int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    const int fds[] = { nothing, told, told, go };
    handover_reset_signals();
    if (handover_arrange(fds, ARRAY_SIZE(fds)))
        /* NOLINTNEXTLINE(performance-no-int-to-ptr): execve(2) writes to none of them */
        execve(argv[0], (char *const *)(uintptr_t)argv, env);

    error_errno(&err, "cannot execute '%s'", argv[0]);
    handover_tell(STDERR_FILENO, &err);
    _exit(1);
}

static bool spawn(const char *const argv[], struct start *start, struct error *err)
{
    int go[2];
    int told[2];

    if (pipe2(go, O_CLOEXEC) != 0)
        return error_errno(err, "cannot make a pipe");
    start->go = go[1];
    autoclose int go_child = go[0];
    if (pipe2(told, O_CLOEXEC) != 0)
        return error_errno(err, "cannot make a pipe");
    start->told = told[0];
    autoclose int told_child = told[1];

    pid_t pid = fork();
    if (pid == 0)
        become_launcher(argv, go_child, told_child);

    int status = 0;
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (pid < 0 || status != 0)
        return error_set(err, ERROR_INTERNAL, "cannot fork for '%s'", argv[0]);
    return true;
}

/* Until the end of a line (LF is added, too) or of the pipe, which exec closes. */
static void hear(int fd, bool one_line, struct text *told)
{
    text_add(told, "");
    for (;;) {
        char byte = '\0';
        ssize_t got = read(fd, &byte, 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0 || (one_line && byte == '\n'))
            return;
        text_add_bytes(told, &byte, 1);
    }
}

/* The launcher says that it has the lock, is told to go, and says nothing more unless it fails. */
static bool see_through(const struct engine *engine, struct start *start, struct process *out,
                        struct error *err)
{
    autotext struct text told = { 0 };
    autotext struct text trouble = { 0 };

    hear(start->told, true, &told);
    if (strcmp(told.bytes, "locked") != 0)
        return handover_heard(told.bytes, err) &&
               error_set(err, ERROR_INTERNAL, "the launcher ended without a word");
    if (!proof_main(engine, out))
        return error_set(err, ERROR_INTERNAL, "the launcher of '%s' is not to be found",
                         engine->instance);
    if (write(start->go, "g", 1) != 1)
        return error_errno(err, "cannot tell the launcher to go");

    hear(start->told, false, &trouble);
    return handover_heard(trouble.bytes, err);
}

bool detached_start(const struct engine *engine, bool permit, struct process *out,
                    struct error *err)
{
    autofree char *launcher = xasprintf("%s/dbguest-launch", engine->site->libexec_dir);
    autostart struct start start = { .go = -1, .told = -1 };
    const char *argv[7] = { launcher, engine->folder, "--go-fd", "3" };
    size_t count = 4;

    if (permit)
        argv[count++] = "--permit";
    if (engine->scratch)
        argv[count++] = "--scratch";
    argv[count] = NULL;

    /* A launcher that died must be an error of write(2), not this worker's end. */
    struct sigaction ignore = { .sa_handler = SIG_IGN };
    struct sigaction before;
    sigaction(SIGPIPE, &ignore, &before);
    bool started = spawn(argv, &start, err) && see_through(engine, &start, out, err);
    sigaction(SIGPIPE, &before, NULL);
    return started;
}
