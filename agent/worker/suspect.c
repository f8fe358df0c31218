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
