#include "command.h"

#include "error.h"
#include "json.h"
#include "newcomer.h"
#include "operation.h"
#include "process.h"
#include "restored.h"
#include "state.h"

static bool check(struct task *task, struct error *err)
{
    const char *version = restored_version(task, err);

    return version != NULL &&
           newcomer_check(task, json_get_string(task->params, "instance"), version, err);
}

static bool finish(struct task *task, struct error *err)
{
    if (!newcomer_finish(task, err))
        return false;
    json_add_string(task->state->result, "backup", json_get_string(task->params, "backup"));
    json_add(task->state->result, "compared", json_copy(task_fact(task, "compared")));
    return true;
}

static const struct step restore_steps[] = {
    { "check", check, NULL },
    { "folder", newcomer_make, newcomer_drop },
    { "configure", newcomer_configure, NULL },
    { "restore", restored_fill, NULL },
    { "start", newcomer_start, newcomer_stop },
    { "compare", restored_compare, NULL },
    { 0 },
};

const struct operation backup_restore_operation = {
    .steps = restore_steps,
    .set = newcomer_set,
    .ready = newcomer_ready,
    .finish = finish,
};
