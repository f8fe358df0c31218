#include "suspect.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "error.h"
#include "file.h"
#include "journal.h"
#include "json.h"
#include "log.h"
#include "memory.h"
#include "method.h"
#include "place.h"
#include "process.h"
#include "site.h"
#include "state.h"

static char *mark_path(struct task *task)
{
    return xasprintf("%s/suspect-%s", task->site->run_dir, task->job);
}

void suspect_mark(struct task *task)
{
    autofree char *path = mark_path(task);
    struct error err = { 0 };

    if (!file_write(path, process_boot_id(), strlen(process_boot_id()), 0600, &err))
        log_error("%s", err.message);
    error_clear(&err);
}

void suspect_note(struct task *task)
{
    if (task->journal != NULL && journal_suspect(task->journal))
        suspect_mark(task);
}

bool suspect_is_marked(struct task *task)
{
    autofree char *path = mark_path(task);
    struct error ignored = { 0 };
    autofree char *boot = file_exists(path) ? file_read(path, NULL, &ignored) : NULL;

    error_clear(&ignored);
    return boot != NULL && strcmp(boot, process_boot_id()) == 0;
}

void suspect_clear(struct task *task)
{
    autofree char *path = mark_path(task);

    unlink(path); /* mostly there is none */
}

static char *attention_path(struct task *task)
{
    return xasprintf("%s/attention", task->state->folder);
}

/* Of a job that may have put anything back, or half of it. */
static void close_instance(struct task *task)
{
    const char *instance = json_get_string(task->params, "instance");
    autofree char *folder = instance != NULL ? place_folder(task->site, instance) : NULL;
    struct error err = { 0 };

    if (folder == NULL || !file_exists(folder) ||
        (task->state->method->locks & LOCK_X(LOCK_SERVICE)) != LOCK_X(LOCK_SERVICE))
        return;
    if (!place_close(folder, &err))
        log_error("%s", err.message);
    error_clear(&err);
}

static void make_corrupt_attention(struct task *task, struct error *err)
{
    const char *instance = json_get_string(task->params, "instance");
    struct error outer = { 0 };

    error_set(&outer, ERROR_NEEDS_ATTENTION, "nobody can tell what %s has done: %s", task->job,
              err->message);
    error_hint(&outer,
               "see to '%s'; when nothing of %s is left half done, remove its journal, then: %s%s",
               instance != NULL ? instance : "what it is about", task->job,
               instance != NULL ? "dbguestctl instance recover " : "systemctl restart dbguestd",
               instance != NULL ? instance : "");
    error_move(err, &outer);
}

bool suspect_unreadable(struct task *task, struct error *err)
{
    autofree char *path = attention_path(task);
    struct error failure = { 0 };

    if (json_get_bool(err->data, "suspect"))
        suspect_mark(task);
    if (err->reason == ERROR_CORRUPT) {
        close_instance(task);
        make_corrupt_attention(task, err);
    }
    if (err->reason != ERROR_NEEDS_ATTENTION)
        return false;
    autoptr(json_object) attention = error_to_json(err);
    if (!json_write_file(path, attention, 0600, &failure))
        log_error("%s", failure.message);
    error_clear(&failure);
    return false;
}

void suspect_readable(struct task *task)
{
    autofree char *path = attention_path(task);

    unlink(path); /* mostly there is none */
}

bool suspect_attention(struct task *task, struct error *err)
{
    const char *object = json_get_string(task->state->request, "object");
    struct json_object *record = json_object_new_object();
    struct error failure = { 0 };

    error_set(err, ERROR_NEEDS_ATTENTION,
              "the journal of %s could not be written; what the disk holds is not known",
              task->job);
    error_hint(err, "see to the disk, then: dbguestctl instance recover %s", object);
    json_add(record, "attention", error_to_json(err));
    if (!journal_write(task->journal, record, true, &failure))
        log_error("%s", failure.message);
    error_clear(&failure);
    return false;
}
