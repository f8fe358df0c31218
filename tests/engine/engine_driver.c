/*
 * The engine layer by hand, for test_engine_layer.py: engine_driver LIBEXEC FOLDER VERB [ARG...].
 * Prints one word on stdout; errors as JSON, with exit status 1. With ENGINE_DRIVER_UNITS in the
 * environment engines are units of systemd, with sockets in /run/dbguest.
 */
#include "engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "error.h"
#include "json.h"
#include "site.h"

#define WAIT_S 20.0

static bool until(void *context, struct error *err)
{
    const double *end_s = context;

    return process_clock_s() < *end_s || error_set(err, ERROR_DEADLINE, "waited in vain");
}

static bool start(const struct engine *engine, char **args, struct error *err)
{
    struct process process = { 0 };
    bool permit = args[0] != NULL && strcmp(args[0], "permit") == 0;

    if (!engine_start(engine, permit, &process, err))
        return false;
    printf("%d\n", process.pid);
    return true;
}

/* Starts it and waits to be killed. */
static bool start_and_stay(const struct engine *engine, char **args, struct error *err)
{
    if (!start(engine, args, err))
        return false;
    fflush(stdout);
    pause();
    return true;
}

static bool stop(const struct engine *engine, char **args, struct error *err)
{
    double end_s = process_clock_s() + WAIT_S;
    bool immediate = args[0] != NULL && strcmp(args[0], "immediate") == 0;

    return engine_signal_stop(engine, immediate, err) &&
           engine_wait_stopped(engine, until, &end_s, err);
}

static bool await(const struct engine *engine, char **args, struct error *err)
{
    double end_s = process_clock_s() + WAIT_S;

    (void)args;
    return engine_wait_stopped(engine, until, &end_s, err);
}

static bool find(const struct engine *engine, char **args, struct error *err)
{
    struct process process;

    (void)args;
    (void)err;
    printf("%d\n", engine_find(engine, &process) ? process.pid : 0);
    return true;
}

static bool prove(const struct engine *engine, char **args, struct error *err)
{
    (void)args;
    return engine_prove_stopped(engine, err);
}

static bool executes(const struct engine *engine, char **args, struct error *err)
{
    struct process process;

    (void)err;
    puts(process_find((pid_t)strtol(args[0], NULL, 10), &process) &&
                 engine_executes_tree(engine, &process)
             ? "yes"
             : "no");
    return true;
}

static bool run_tool(const struct engine *engine, char **args, struct error *err)
{
    autoresult struct process_result result = { 0 };
    const char *flags = args[0];
    const struct engine_tool tool = {
        .argv = (const char *const *)args + 1,
        .as_root = strchr(flags, 'r') != NULL,
        .on_stopped_data = strchr(flags, 's') != NULL,
        .without_data = strchr(flags, 'w') != NULL,
        .input = strchr(flags, 'i') != NULL ? dup(STDIN_FILENO) : 0,
    };

    if (!engine_check_tool(engine, &tool, &result, err))
        return false;
    fputs(result.output.bytes, stdout);
    return true;
}

static bool enable(const struct engine *engine, char **args, struct error *err)
{
    return engine_enable(engine, strcmp(args[0], "yes") == 0, err);
}

static bool show_log(const struct engine *engine, char **args, struct error *err)
{
    autofree char *tail = engine_log_tail(engine, 5);

    (void)args;
    (void)err;
    fputs(tail, stdout);
    return true;
}

static bool find_path(const struct engine *engine, char **args, struct error *err)
{
    autofree char *path = engine_tree_path(engine->tree, (const char *const *)args);

    (void)err;
    puts(path != NULL ? path : "none");
    return true;
}

static const struct verb {
    const char *name;
    bool (*run)(const struct engine *engine, char **args, struct error *err);
} verbs[] = {
    { "start", start },       { "start-and-stay", start_and_stay },
    { "stop", stop },         { "await", await },
    { "find", find },         { "prove", prove },
    { "executes", executes }, { "tool", run_tool },
    { "log", show_log },      { "path", find_path },
    { "enable", enable },
};

static bool run(char **argv, struct error *err)
{
    static char name[] = "dbguest";
    static char run_dir[] = "/run/dbguest";
    const struct site site = {
        .name = name,
        .run_dir = run_dir,
        .libexec_dir = argv[1],
        .supervisor =
            getenv("ENGINE_DRIVER_UNITS") != NULL ? SUPERVISOR_SYSTEMD : SUPERVISOR_DETACHED,
    };
    autoptr(engine) engine = engine_load(&site, argv[2], err);

    if (engine == NULL)
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
        if (strcmp(verbs[i].name, argv[3]) == 0)
            return verbs[i].run(engine, argv + 4, err);
    return error_set(err, ERROR_INVALID, "no verb '%s'", argv[3]);
}

int main(int argc, char **argv)
{
    struct error err = { 0 };

    if (argc < 4)
        return 2;
    if (run(argv, &err))
        return EXIT_SUCCESS;
    autoptr(json_object) object = error_to_json(&err);
    puts(json_line(object));
    error_clear(&err);
    return EXIT_FAILURE;
}
