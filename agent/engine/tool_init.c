#include "tool_init.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"
#include "error.h"
#include "handover.h"
#include "namespace.h"
#include "rights.h"

/* The numbers that the worker's descriptors get here. */
enum { INPUT, OUTPUT, ERRORS, LIFELINE, TROUBLE, LOCK, DESCRIPTORS };

_Noreturn static void give_up(const struct error *err)
{
    handover_tell(TROUBLE, err);
    _exit(EXIT_FAILURE);
}

static bool settle_in(const struct tool_start *start, struct error *err)
{
    const int fds[DESCRIPTORS] = { start->input,    start->output,  start->errors,
                                   start->lifeline, start->trouble, start->lock };
    const struct rlimit no_core = { 0, 0 };

    handover_reset_signals();
    signal(SIGPIPE, SIG_IGN);
    if (!handover_arrange(fds, DESCRIPTORS) || fcntl(LIFELINE, F_SETFD, FD_CLOEXEC) != 0 ||
        fcntl(TROUBLE, F_SETFD, FD_CLOEXEC) != 0 || setrlimit(RLIMIT_CORE, &no_core) != 0)
        return error_errno(err, "cannot set up the process of a tool");

    /* A session of its own: signals to the worker's group are not for a tool half way. */
    setsid();
    return namespace_enter(start->view, err);
}

/* Its first process stays root, so that no change of credentials clears this again. */
static bool die_with_worker(struct error *err)
{
    struct pollfd lifeline = { .fd = LIFELINE };

    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0)
        return error_errno(err, "cannot bind a tool's life to the worker's");
    /* It may have died before that call. */
    if (poll(&lifeline, 1, 0) != 0)
        return error_set(err, ERROR_INTERRUPTED, "the worker has gone");
    return true;
}

_Noreturn static void become_tool(const struct tool_start *start)
{
    struct error err = { 0 };

    handover_reset_signals();
    if (rights_drop(start->uid, start->chroots, &err)) {
        /* NOLINTNEXTLINE(performance-no-int-to-ptr): execve(2) writes to none of them */
        execve(start->argv[0], (char *const *)(uintptr_t)start->argv, start->env);
        error_errno(&err, "cannot execute '%s' of the version's tree", start->argv[0]);
    }
    give_up(&err);
}

/* Reaps what there is; true when the tool was among it. */
static bool reap(pid_t tool, int *ended)
{
    int status = 0;
    pid_t pid = 0;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0 || (pid < 0 && errno == EINTR))
        if (pid == tool) {
            *ended = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
            return true;
        }
    return false;
}

/* Its own end ends all others in the namespace. */
_Noreturn static void watch(pid_t tool, int children)
{
    struct pollfd watched[] = { { .fd = LIFELINE, .events = POLLIN },
                                { .fd = children, .events = POLLIN } };
    struct signalfd_siginfo child;
    int ended = 0;

    for (;;) {
        if (reap(tool, &ended))
            _exit(ended);
        if (poll(watched, ARRAY_SIZE(watched), -1) <= 0)
            continue;
        if (watched[0].revents != 0)
            _exit(EXIT_FAILURE);
        ssize_t got = read(children, &child, sizeof(child));
        (void)got; /* that there was one is all it tells */
    }
}

_Noreturn void tool_init(const struct tool_start *start)
{
    struct error err = { 0 };
    sigset_t child;

    if (!settle_in(start, &err) || !die_with_worker(&err))
        give_up(&err);

    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, NULL);
    int children = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
    pid_t tool = children >= 0 ? fork() : -1;
    if (tool == 0)
        become_tool(start);
    if (tool < 0) {
        error_errno(&err, "cannot start a tool");
        give_up(&err);
    }

    /* Whoever waits for the end of the tool's output or trouble waits for the tool, not for us. */
    close_range(INPUT, ERRORS, 0);
    close(TROUBLE);
    watch(tool, children);
}
