#include "proof.h"

#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "engine.h"
#include "error.h"
#include "file.h"
#include "lock.h"
#include "memory.h"

#define HOLDERS 64
#define TICK_MS 100
#define BETWEEN_LOOKS_NS 5000000L

static bool is_same(const struct stat *one, const struct stat *other)
{
    return one->st_dev == other->st_dev && one->st_ino == other->st_ino;
}

/* Whether a process or thread (its folder in /proc) sees these files where data is bound. */
static bool sees(const char *process, const struct stat *files)
{
    static const char *const places[] = { ENGINE_DATA, ENGINE_WORK };

    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        struct stat bound;
        autofree char *path = xasprintf("%s/root%s", process, places[i]);
        if (stat(path, &bound) == 0 && is_same(&bound, files))
            return true;
    }
    return false;
}

static bool any_thread_sees(const char *process, const struct stat *files)
{
    autofree char *path = xasprintf("%s/task", process);
    DIR *threads = opendir(path);
    bool found = false;

    while (threads != NULL && !found) {
        const struct dirent *thread = readdir(threads);
        if (thread == NULL)
            break;
        if (isdigit((unsigned char)thread->d_name[0]) == 0)
            continue;
        autofree char *folder = xasprintf("%s/%s", path, thread->d_name);
        found = sees(folder, files);
    }
    if (threads != NULL)
        closedir(threads);
    return found;
}

static bool holds(pid_t pid, const struct stat *files)
{
    struct stat root;
    autofree char *process = xasprintf("/proc/%d", pid);
    autofree char *path = xasprintf("%s/root", process);

    if (stat(path, &root) == 0)
        return sees(process, files);
    /* A zombie has no root any more; but a first thread that has ended may have left others. */
    return any_thread_sees(process, files);
}

size_t proof_holders(const struct engine *engine, pid_t *pids, size_t room)
{
    struct stat files;
    DIR *processes = opendir("/proc");
    size_t count = 0;

    if (stat(engine->files, &files) != 0) {
        if (processes != NULL)
            closedir(processes);
        return 0;
    }
    while (processes != NULL && count < room) {
        const struct dirent *entry = readdir(processes);
        if (entry == NULL)
            break;
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (pid > 0 && holds(pid, &files))
            pids[count++] = pid;
    }
    if (processes != NULL)
        closedir(processes);
    return count;
}

static char *name_of(pid_t pid)
{
    struct error err = { 0 };
    autofree char *path = xasprintf("/proc/%d/comm", pid);
    char *name = file_read(path, NULL, &err);

    error_clear(&err);
    if (name == NULL)
        return xstrdup("?");
    name[strcspn(name, "\n")] = '\0';
    return name;
}

bool proof_no_holders(const struct engine *engine, struct error *err)
{
    pid_t pids[HOLDERS];
    size_t count = proof_holders(engine, pids, HOLDERS);

    if (count == 0)
        return true;
    autofree char *name = name_of(pids[0]);
    return error_set(err, ERROR_BUSY, "process %d (%s)%s has the data in '%s' in use", pids[0],
                     name, count > 1 ? " and others" : "", engine->data);
}

bool proof_main(const struct engine *engine, struct process *out)
{
    return lock_read_record(engine->data, out) && process_lives(out);
}

bool engine_find(const struct engine *engine, struct process *out)
{
    struct process found;
    struct stat files;

    if (!proof_main(engine, &found))
        return false;
    /* The record is of this process by its start time; that it is still at it shows in the data
     * bound, or, before it has come to that, in the lock. */
    if ((stat(engine->files, &files) != 0 || !holds(found.pid, &files)) && !lock_held(engine->data))
        return false;
    *out = found;
    return true;
}

bool engine_prove_stopped(const struct engine *engine, struct error *err)
{
    struct process found;

    if (engine_find(engine, &found))
        return error_set(err, ERROR_BUSY, "the engine of '%s' still runs as process %d",
                         engine->instance, found.pid);
    if (!proof_no_holders(engine, err))
        return false;
    if (lock_held(engine->data))
        return error_set(err, ERROR_BUSY, "somebody holds the lock of '%s'", engine->data);
    return true;
}

/* A tool (C9) is in a PID namespace of its own: it ends with its worker and is not ours to end. */
static bool is_tool(pid_t pid)
{
    struct stat own;
    struct stat other;
    autofree char *path = xasprintf("/proc/%d/ns/pid", pid);

    return stat("/proc/self/ns/pid", &own) == 0 && stat(path, &other) == 0 &&
           !is_same(&own, &other);
}

/*
 * Children of a main process that has ended by itself: a tenant's program, a saver of Redis. Only
 * when the record says which process was the main one: without it one of these might be it. A
 * starter writes its record before it binds the data, so that it is never taken for a leftover.
 */
static bool end_leftovers(const struct engine *engine, struct error *err)
{
    pid_t pids[HOLDERS];
    size_t count = proof_holders(engine, pids, HOLDERS);

    for (size_t i = 0; i < count; i++) {
        struct process was;
        struct process left;
        if (is_tool(pids[i]) || !process_find(pids[i], &left))
            continue;
        /* Nor a record of another boot: whoever is there now would have written its own over it. */
        if (!lock_read_record(engine->data, &was) || strcmp(was.boot_id, process_boot_id()) != 0)
            return error_set(err, ERROR_NEEDS_ATTENTION,
                             "process %d has the data in '%s' in use, and which process is the "
                             "engine is not known",
                             pids[i], engine->data);
        /* Read anew each time: there may be a new main process, and then nothing is left over. */
        if (process_lives(&was))
            return true;
        if (!process_signal(&left, SIGKILL, err))
            return false;
    }
    return true;
}

bool engine_wait_stopped(const struct engine *engine,
                         bool (*tick)(void *context, struct error *err), void *context,
                         struct error *err)
{
    const struct timespec between = { .tv_nsec = BETWEEN_LOOKS_NS };
    double next_tick_s = process_clock_s();

    for (;;) {
        struct process found;
        struct error left = { 0 };

        if (engine_find(engine, &found))
            process_wait_end(&found, TICK_MS);
        else if (!end_leftovers(engine, err))
            return false;
        else if (engine_prove_stopped(engine, &left))
            return true;
        else
            nanosleep(&between, NULL);
        error_clear(&left);

        if (tick == NULL || process_clock_s() < next_tick_s)
            continue;
        if (!tick(context, err))
            return false;
        next_tick_s = process_clock_s() + TICK_MS / 1000.0;
    }
}

bool engine_executes_tree(const struct engine *engine, const struct process *process)
{
    char inside[PATH_MAX];
    struct stat executed;
    struct stat expected;
    autofree char *link = xasprintf("/proc/%d/exe", process->pid);
    ssize_t length = readlink(link, inside, sizeof(inside) - 1);

    if (length <= 0 || stat(link, &executed) != 0)
        return false;
    inside[length] = '\0';

    /* Its path is told as its own namespace sees it: as below the tree, and in a chroot with what
     * lies above that before it. */
    for (const char *at = inside; at != NULL; at = strchr(at + 1, '/')) {
        autofree char *path = xasprintf("%s%s", engine->tree, at);
        if (stat(path, &expected) == 0 && is_same(&executed, &expected))
            return process_lives(process);
    }
    return false;
}
