#include "unfinished.h"

#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "command.h"
#include "error.h"
#include "file.h"
#include "journal.h"
#include "json.h"
#include "log.h"
#include "memory.h"
#include "site.h"
#include "state.h"

/* One that needed attention is told its end, also when a person took its journal away. */
static bool needs_attention(const char *folder)
{
    autofree char *path = xasprintf("%s/attention", folder);

    return file_exists(path);
}

/* One that cannot be read (a newer dbguest's) counts: nobody knows that it has ended (C1). */
static bool has_ended(const char *folder)
{
    struct error err = { 0 };
    autofree char *path = xasprintf("%s/journal", folder);
    autoptr(json_object) records = journal_read(path, &err);
    bool unborn = records == NULL && (err.reason == ERROR_NOT_FOUND || !file_exists(path));

    error_clear(&err);
    return (unborn && !needs_attention(folder)) || journal_end(records) != NULL;
}

static bool is_of(const char *folder, const char *instance, bool builders)
{
    struct error ignored = { 0 };
    autofree char *path = xasprintf("%s/request.json", folder);
    autoptr(json_object) request = json_read_file(path, &ignored);
    const char *of = json_get_string(json_get(request, "params"), "instance");
    const struct command *command = command_find(json_get_string(request, "method"));

    error_clear(&ignored);
    return of != NULL && strcmp(of, instance) == 0 &&
           (!builders || (command != NULL && command->builds));
}

static bool is_left(struct task *task, const char *folder, bool builders)
{
    return strcmp(strrchr(folder, '/') + 1, task->job) != 0 &&
           is_of(folder, json_get_string(task->params, "instance"), builders) && !has_ended(folder);
}

/* "j9" is before "j10". */
static int compare_ids(const void *one, const void *other)
{
    const char *a = *(char *const *)one;
    const char *b = *(char *const *)other;
    size_t lengths[] = { strlen(a), strlen(b) };

    return lengths[0] == lengths[1] ? strcmp(a, b)
                                    : (lengths[0] > lengths[1]) - (lengths[0] < lengths[1]);
}

static void sort_ids(char **names)
{
    size_t count = 0;

    while (names[count] != NULL)
        count++;
    if (count > 1)
        qsort(names, count, sizeof(char *), compare_ids);
}

/* Calls each for all of them, the oldest first, until it is false. */
static bool walk(struct task *task, bool builders, bool (*each)(const char *folder, void *context),
                 void *context, struct error *err)
{
    autofree char *open = xasprintf("%s/jobs/open", task->site->state_dir);
    char **names = file_names(open, err);
    bool good = names != NULL;

    if (good)
        sort_ids(names);
    for (size_t i = 0; good && names[i] != NULL; i++) {
        autofree char *folder = xasprintf("%s/%s", open, names[i]);

        if (is_left(task, folder, builders))
            good = each(folder, context);
    }
    file_free_names(names);
    return good;
}

static bool keep_first(const char *folder, void *context)
{
    char **found = context;

    *found = xstrdup(folder);
    return false;
}

char *unfinished_find(struct task *task, struct error *err)
{
    char *found = NULL;

    walk(task, false, keep_first, &found, err);
    return found;
}

bool unfinished_check(struct task *task, struct error *err)
{
    const char *instance = json_get_string(task->params, "instance");
    autofree char *found = NULL;

    if (walk(task, true, keep_first, &found, err) || found == NULL)
        return err->reason == ERROR_NONE;
    error_set(err, ERROR_NEEDS_ATTENTION, "%s of '%s' is not finished: its recovery comes first",
              strrchr(found, '/') + 1, instance);
    return error_hint(err, "dbguestctl instance recover %s", instance);
}

static bool end_one(const char *folder, void *context)
{
    const char *instance = context;
    struct error err = { 0 };
    autofree char *lock_path = xasprintf("%s/lock", folder);
    autofree char *path = xasprintf("%s/journal", folder);
    autoclose int lock = file_lock(lock_path, false, &err);
    autoptr(journal) journal = lock < 0 ? NULL : journal_open(path, &err);
    struct error gone = { 0 };

    if (journal != NULL) {
        struct json_object *record = json_object_new_object();
        struct json_object *end = json_add_object(record, "end");

        error_set(&gone, ERROR_INTERRUPTED, "'%s' was deleted", instance);
        json_add_string(end, "outcome", error_word(gone.reason));
        json_add(end, "error", error_to_json(&gone));
        journal_write(journal, record, true, &err);
    }
    if (err.reason != ERROR_NONE)
        log_error("%s", err.message);
    error_clear(&gone);
    error_clear(&err);
    return true;
}

void unfinished_end(struct task *task)
{
    struct error err = { 0 };
    autofree char *instance = xstrdup(json_get_string(task->params, "instance"));

    if (!walk(task, false, end_one, instance, &err))
        log_error("%s", err.message);
    error_clear(&err);
}
