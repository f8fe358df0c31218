#include "program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "capture.h"
#include "config.h"
#include "daemon.h"
#include "error.h"
#include "file.h"
#include "json.h"
#include "log.h"
#include "memory.h"
#include "method.h"
#include "text.h"

#define DESCRIBE_S 10
#define PROGRAMS_MAX 64
#define NOT_A_PROGRAM "dbguest-launch"

struct program {
    struct daemon *daemon;
    char *path;
    struct timespec changed;
    struct json_object *said; /* the array of datastores; NULL when it could not be asked */
};

struct waiting {
    struct waiting *next;
    void (*then)(void *context);
    void *context;
};

struct programs {
    struct program programs[PROGRAMS_MAX];
    size_t count;
    size_t asking; /* that have not answered yet */
    bool known;
    struct timespec changed; /* the folder */
    struct waiting *waiting, **last;
};

struct programs *programs_new(void)
{
    struct programs *programs = xcalloc(1, sizeof(*programs));

    programs->last = &programs->waiting;
    return programs;
}

static bool same_time(const struct timespec *one, const struct timespec *other)
{
    return one->tv_sec == other->tv_sec && one->tv_nsec == other->tv_nsec;
}

static struct timespec time_of(const char *path)
{
    struct stat status = { 0 };

    if (stat(path, &status) != 0)
        return (struct timespec){ 0 };
    return status.st_mtim;
}

static bool still_true(const struct daemon *daemon)
{
    const struct programs *programs = daemon->programs;
    struct timespec changed = time_of(daemon->config->site.libexec_dir);

    if (!programs->known || !same_time(&changed, &programs->changed))
        return false;
    for (size_t i = 0; i < programs->count; i++) {
        changed = time_of(programs->programs[i].path);
        if (!same_time(&changed, &programs->programs[i].changed))
            return false;
    }
    return true;
}

static void all_known(struct daemon *daemon)
{
    struct programs *programs = daemon->programs;

    programs->known = true;
    while (programs->waiting != NULL) {
        struct waiting *waiting = programs->waiting;

        programs->waiting = waiting->next;
        if (programs->waiting == NULL)
            programs->last = &programs->waiting;
        waiting->then(waiting->context);
        free(waiting);
    }
}

static void program_on_described(void *context, const struct captured *captured)
{
    struct program *program = context;
    struct programs *programs = program->daemon->programs;
    struct error err = { 0 };
    autoptr(json_object) said = json_parse(captured->output, captured->length, &err);
    struct json_object *datastores = json_get(said, "datastores");

    if (json_object_is_type(datastores, json_type_array))
        program->said = json_object_get(datastores);
    else
        log_error("'%s describe' gave no description (status %d)", program->path, captured->status);
    error_clear(&err);
    if (--programs->asking == 0)
        all_known(program->daemon);
}

static void ask(struct daemon *daemon, struct program *program)
{
    struct error err = { 0 };
    const char *const argv[] = { program->path, "describe", NULL };
    struct capture *capture = capture_start(daemon, argv, "", DESCRIBE_S, &err);

    if (capture == NULL) {
        log_error("%s", err.message);
        error_clear(&err);
        return;
    }
    daemon->programs->asking++;
    capture_then(capture, true, program_on_described, program);
}

static bool is_program(const char *path)
{
    struct stat status = { 0 };

    return !text_ends(path, "/" NOT_A_PROGRAM) && stat(path, &status) == 0 &&
           S_ISREG(status.st_mode) && (status.st_mode & 0111) != 0;
}

static void forget_all(struct programs *programs)
{
    for (size_t i = 0; i < programs->count; i++) {
        free(programs->programs[i].path);
        json_object_put(programs->programs[i].said);
        programs->programs[i] = (struct program){ 0 };
    }
    programs->count = 0;
    programs->known = false;
}

static void ask_all(struct daemon *daemon)
{
    struct programs *programs = daemon->programs;
    const char *folder = daemon->config->site.libexec_dir;
    struct error ignored = { 0 };

    forget_all(programs);
    programs->changed = time_of(folder);
    char **names = file_names(folder, &ignored);
    for (char **name = names; name != NULL && *name != NULL; name++) {
        autofree char *path = xasprintf("%s/%s", folder, *name);
        struct program *program = &programs->programs[programs->count];

        if (programs->count == PROGRAMS_MAX || !is_program(path))
            continue;
        *program = (struct program){ .daemon = daemon, .changed = time_of(path) };
        program->path = steal(path);
        programs->count++;
        ask(daemon, program);
    }
    file_free_names(names);
    error_clear(&ignored);
    if (programs->asking == 0)
        all_known(daemon);
}

void programs_need(struct daemon *daemon, void (*then)(void *context), void *context)
{
    struct programs *programs = daemon->programs;

    if (programs->asking == 0 && still_true(daemon)) {
        then(context);
        return;
    }
    struct waiting *waiting = xcalloc(1, sizeof(*waiting));
    *waiting = (struct waiting){ .then = then, .context = context };
    *programs->last = waiting;
    programs->last = &waiting->next;
    if (programs->asking == 0)
        ask_all(daemon);
}

/* What was said of a datastore. */
static struct json_object *find(const struct daemon *daemon, const char *datastore,
                                const struct program **out)
{
    const struct programs *programs = daemon->programs;

    for (size_t i = 0; i < programs->count; i++) {
        struct json_object *said = programs->programs[i].said;
        size_t count = said != NULL ? json_object_array_length(said) : 0;

        for (size_t j = 0; j < count; j++) {
            struct json_object *row = json_object_array_get_idx(said, j);
            const char *name = json_get_string(row, "name");

            if (name == NULL || strcmp(name, datastore) != 0)
                continue;
            *out = &programs->programs[i];
            return row;
        }
    }
    return NULL;
}

const char *programs_path(const struct daemon *daemon, const char *datastore)
{
    const struct program *program = NULL;

    return find(daemon, datastore, &program) != NULL ? program->path : NULL;
}

const char *programs_any(const struct daemon *daemon)
{
    const struct programs *programs = daemon->programs;

    for (size_t i = 0; i < programs->count; i++)
        if (programs->programs[i].said != NULL)
            return programs->programs[i].path;
    return NULL;
}

static bool names(struct json_object *array, const char *word)
{
    size_t count = array != NULL ? json_object_array_length(array) : 0;

    for (size_t i = 0; i < count; i++)
        if (strcmp(json_object_get_string(json_object_array_get_idx(array, i)), word) == 0)
            return true;
    return false;
}

bool programs_check(const struct daemon *daemon, const char *datastore, const struct method *method,
                    struct error *err)
{
    const struct program *program = NULL;
    struct json_object *row = find(daemon, datastore, &program);

    if (row == NULL) {
        error_set(err, ERROR_UNSUPPORTED, "no program here serves datastore '%s'", datastore);
        return error_hint(err, "what is served: dbguestctl agent info");
    }
    if (method->needs != 0 && !names(json_get(row, "methods"), method->name)) {
        error_set(err, ERROR_UNSUPPORTED, "%s cannot do %s", datastore, method->name);
        return error_hint(err, "what it can: dbguestctl agent info");
    }
    return true;
}

struct json_object *programs_describe(const struct daemon *daemon)
{
    const struct programs *programs = daemon->programs;
    struct json_object *all = json_object_new_array();

    for (size_t i = 0; i < programs->count; i++) {
        struct json_object *said = programs->programs[i].said;
        size_t count = said != NULL ? json_object_array_length(said) : 0;

        for (size_t j = 0; j < count; j++)
            json_object_array_add(all, json_copy(json_object_array_get_idx(said, j)));
    }
    return all;
}
