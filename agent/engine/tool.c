#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine.h"
#include "environment.h"
#include "error.h"
#include "handover.h"
#include "layout.h"
#include "lock.h"
#include "memory.h"
#include "namespace.h"
#include "output.h"
#include "proof.h"
#include "text.h"
#include "tool_init.h"

#define TICK_MS 100
#define NATIVE_LINES 20

enum { READ, WRITE };

/* The worker's side of a running tool; every descriptor is -1 or owned. */
struct run {
    int nothing;
    int lock;
    int other_lock;
    int lifeline[2];
    int trouble[2];
    int output[2];
    int errors[2];
    int pidfd;
    pid_t pid;
    struct text told;
};

static void run_done(struct run *run)
{
    int *const fds[] = {
        &run->nothing,     &run->lock,       &run->other_lock, &run->lifeline[0],
        &run->lifeline[1], &run->trouble[0], &run->trouble[1], &run->output[0],
        &run->output[1],   &run->errors[0],  &run->errors[1],  &run->pidfd,
    };

    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        cleanup_close(fds[i]);
    text_done(&run->told);
}
#define autorun __attribute__((cleanup(run_done)))

static void close_end(int *fd)
{
    cleanup_close(fd);
    *fd = -1;
}

/* A pipe whose reading end does not block. */
static bool open_pipe(int fds[2])
{
    return pipe2(fds, O_CLOEXEC) == 0 && fcntl(fds[READ], F_SETFL, O_NONBLOCK) == 0;
}

static bool open_all(struct run *run, const struct engine_tool *tool, struct error *err)
{
    run->nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (run->nothing < 0 || pipe2(run->lifeline, O_CLOEXEC) != 0 || !open_pipe(run->trouble) ||
        !open_pipe(run->errors) || (tool->output == 0 && !open_pipe(run->output)))
        return error_errno(err, "cannot make pipes for '%s'", tool->argv[0]);
    return true;
}

/* Nothing else may start on the data while the tool is at it, nor be at it already (C12). */
static bool own_data(int *lock, const struct engine *engine, struct error *err)
{
    *lock = lock_take(engine->data, err);
    return *lock >= 0 && proof_no_holders(engine, err);
}

/* In the helper: tool_init() becomes the worker's child, not ours. */
_Noreturn static void clone_sibling(const struct run *run, const struct tool_start *start, int told)
{
    struct clone_args args = { .flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_PARENT };

    close(run->lifeline[WRITE]); /* the worker alone has it */
    int said = (int)syscall(SYS_clone3, &args, sizeof(args));
    if (said == 0)
        tool_init(start);
    if (said < 0)
        said = -errno;
    ssize_t written = write(told, &said, sizeof(said));
    _exit(written == sizeof(said) ? EXIT_SUCCESS : EXIT_FAILURE);
}

/*
 * The process that runs tool_init() in new namespaces; -1 with errno. A clone3(2) of the worker
 * itself would keep the locks that other threads of it have just then, of malloc(3) above all, for
 * ever: only fork(3) sets them right, and that knows no namespaces.
 */
static pid_t fork_into_namespaces(const struct run *run, const struct tool_start *start)
{
    int told[2];
    int said = -ECHILD;

    if (pipe2(told, O_CLOEXEC) != 0)
        return -1;
    pid_t helper = fork();
    if (helper == 0)
        clone_sibling(run, start, told[WRITE]);
    if (helper < 0)
        said = -errno;
    close(told[WRITE]);
    while (read(told[READ], &said, sizeof(said)) < 0 && errno == EINTR)
        continue;
    while (helper > 0 && waitpid(helper, NULL, 0) < 0 && errno == EINTR)
        continue;
    close(told[READ]);
    if (said < 0)
        errno = -said;
    return said < 0 ? -1 : said;
}

static bool spawn(struct run *run, const struct engine *engine, const struct engine_tool *tool,
                  struct error *err)
{
    bool with_data = !tool->without_data;
    const char *sockets = access(engine->sockets, F_OK) == 0 ? engine->sockets : NULL;
    const struct view other = {
        .tree = tool->other == NULL ? NULL : tool->other->tree,
        .user = engine->user,
        .uid = engine->uid,
        .files = with_data ? engine->files : NULL,
        .sockets = with_data ? sockets : NULL,
        .work = tool->work,
        .old = tool->other == NULL ? NULL : tool->other->files,
        .own_pids = true,
    };
    const struct view view = {
        .tree = engine->tree,
        .user = engine->user,
        .uid = engine->uid,
        .files = with_data ? engine->files : NULL,
        .conf = with_data ? engine->conf : NULL,
        .sockets = with_data ? sockets : NULL,
        .work = tool->work,
        .old = other.old,
        .other = tool->other == NULL ? NULL : &other,
        .own_pids = true,
    };
    char **env = environment_make(engine, tool->env, true);
    const struct tool_start start = {
        .view = &view,
        .argv = tool->argv,
        .env = env,
        .uid = tool->as_root ? 0 : engine->uid,
        .chroots = tool->other != NULL,
        .input = tool->input > 0 ? tool->input : run->nothing,
        .output = tool->output > 0 ? tool->output : run->output[WRITE],
        .errors = run->errors[WRITE],
        .lifeline = run->lifeline[READ],
        .trouble = run->trouble[WRITE],
        .lock = run->lock,
    };

    run->pid = fork_into_namespaces(run, &start);
    layout_free_strings(env);
    /* It is ours to reap, and so still there. */
    if (run->pid < 0 || (run->pidfd = pidfd_open(run->pid, 0)) < 0)
        return error_errno(err, "cannot make namespaces for '%s'", tool->argv[0]);

    /* The other ends are the tool's alone now. */
    close_end(&run->lifeline[READ]);
    close_end(&run->trouble[WRITE]);
    close_end(&run->output[WRITE]);
    close_end(&run->errors[WRITE]);
    return true;
}

/* The kernel lets its first process be reaped only when all others in the namespace have gone. */
static int await_end(struct run *run)
{
    int status = 0;

    while (waitpid(run->pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static bool follow(struct run *run, const struct engine_tool *tool, struct process_result *result,
                   struct error *err)
{
    struct stream streams[] = { { run->output[READ], &result->output },
                                { run->errors[READ], &result->errors },
                                { run->trouble[READ], &run->told } };
    bool stopped = false;

    /* The streams are closed by who reads them. */
    run->output[READ] = run->errors[READ] = run->trouble[READ] = -1;
    text_add(&result->output, "");
    text_add(&result->errors, "");
    while (output_wait(streams, ARRAY_SIZE(streams), run->pidfd, TICK_MS)) {
        if (stopped || tool->tick == NULL || tool->tick(tool->context, err))
            continue;
        pidfd_send_signal(run->pidfd, SIGKILL, NULL, 0);
        stopped = true;
    }
    result->status = await_end(run);
    output_drain(streams, ARRAY_SIZE(streams));
    for (size_t i = 0; i < ARRAY_SIZE(streams); i++)
        cleanup_close(&streams[i].fd);
    return !stopped && handover_heard(run->told.bytes, err);
}

bool engine_run_tool(const struct engine *engine, const struct engine_tool *tool,
                     struct process_result *result, struct error *err)
{
    autorun struct run run = {
        .nothing = -1,
        .lock = -1,
        .other_lock = -1,
        .lifeline = { -1, -1 },
        .trouble = { -1, -1 },
        .output = { -1, -1 },
        .errors = { -1, -1 },
        .pidfd = -1,
    };

    if (tool->on_stopped_data &&
        (!own_data(&run.lock, engine, err) ||
         (tool->other != NULL && !own_data(&run.other_lock, tool->other, err))))
        return false;
    return open_all(&run, tool, err) && spawn(&run, engine, tool, err) &&
           follow(&run, tool, result, err);
}

bool engine_check_tool(const struct engine *engine, const struct engine_tool *tool,
                       struct process_result *result, struct error *err)
{
    if (!engine_run_tool(engine, tool, result, err))
        return false;
    if (result->status == 0)
        return true;

    const char *errors = result->errors.bytes != NULL ? result->errors.bytes : "";
    error_set(err, ERROR_ENGINE, "'%s' failed with status %d", tool->argv[0], result->status);
    return error_native(err, text_last_lines(errors, NATIVE_LINES));
}
