#include "engine.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "detached.h"
#include "error.h"
#include "file.h"
#include "layout.h"
#include "memory.h"
#include "proof.h"
#include "site.h"
#include "systemd.h"
#include "text.h"

#define LOG_TAIL_BYTES ((size_t)64 * 1024)

static bool is_unit(const struct engine *engine)
{
    return !engine->scratch && engine->site->supervisor == SUPERVISOR_SYSTEMD;
}

bool engine_start(const struct engine *engine, bool permit, struct process *out, struct error *err)
{
    if (is_unit(engine))
        return systemd_start(engine, permit, out, err);
    return detached_start(engine, permit, out, err);
}

bool engine_enable(const struct engine *engine, bool enable, struct error *err)
{
    return !is_unit(engine) || systemd_enable(engine, enable, err);
}

bool engine_signal_stop(const struct engine *engine, bool immediate, struct error *err)
{
    struct process found;
    autoptr(program) program = NULL;

    /* First, or its supervisor would take the end for a failure and start it again. Also when it
     * does not run: it may be about to be. */
    if (is_unit(engine) && !systemd_stop(engine, err))
        return false;
    if (!engine_find(engine, &found) || (is_unit(engine) && !immediate))
        return true;
    program = program_read(engine, err);
    if (program == NULL)
        return false;
    return process_signal(&found, immediate ? program->immediate_signal : program->stop_signal,
                          err);
}

char *engine_log_tail(const struct engine *engine, size_t lines)
{
    return engine_log_since(engine, 0, lines);
}

uint64_t engine_log_position(const struct engine *engine)
{
    struct stat status;

    return stat(engine->log, &status) == 0 ? (uint64_t)status.st_size : 0;
}

char *engine_log_since(const struct engine *engine, uint64_t position, size_t lines)
{
    struct error err = { 0 };
    uint64_t end = engine_log_position(engine);
    /* A log that is shorter now was moved away in between: all of the new one is new. */
    uint64_t length = end >= position ? end - position : end;
    size_t most = length < LOG_TAIL_BYTES ? (size_t)length : LOG_TAIL_BYTES;
    autofree char *text = most > 0 ? file_read_tail(engine->log, most, &err) : NULL;

    error_clear(&err);
    return xstrdup(text != NULL ? text_last_lines(text, lines) : "");
}

/* A link in the tree leads to where it leads inside, not to the host's file of that name. */
static bool is_inside(const char *tree, const char *path)
{
    struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT };
    autoclose int root = open(tree, O_PATH | O_DIRECTORY | O_CLOEXEC);
    autoclose int fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));

    return fd >= 0;
}

/* pattern with "*" in one of its parts; the path in the tree, or NULL. */
static char *match_in_tree(const char *tree, const char *pattern)
{
    const char *star = strchr(pattern, '*');
    size_t start = (size_t)(star - pattern);
    while (start > 0 && pattern[start - 1] != '/')
        start--;

    const char *rest = star + strcspn(star, "/");
    autofree char *part = xstrndup(pattern + start, (size_t)(rest - pattern) - start);
    autofree char *folder = xasprintf("%s/%.*s", tree, (int)start, pattern);
    struct error err = { 0 };
    char **names = file_names(folder, &err);
    const char *last = NULL;
    char *path = NULL;

    for (char **name = names; name != NULL && *name != NULL; name++) {
        autofree char *found = xasprintf("/%.*s%s%s", (int)start, pattern, *name, rest);
        if (fnmatch(part, *name, 0) != 0 || !is_inside(tree, found) ||
            (last != NULL && text_compare_versions(*name, last) < 0))
            continue;
        last = *name;
        free(path);
        path = steal(found);
    }
    file_free_names(names);
    error_clear(&err);
    return path;
}

char *engine_tree_path(const char *tree, const char *const candidates[])
{
    for (size_t i = 0; candidates[i] != NULL; i++) {
        if (strchr(candidates[i], '*') != NULL) {
            char *path = match_in_tree(tree, candidates[i]);
            if (path != NULL)
                return path;
        } else if (is_inside(tree, candidates[i])) {
            return xasprintf("/%s", candidates[i]);
        }
    }
    return NULL;
}
