#include "command.h"
#include "datastore.h"
#include "engine.h"
#include "json.h"
#include "newcomer.h"
#include "operation.h"
#include "task.h"

static bool check(struct task *task, struct error *err)
{
    return newcomer_check(task, json_get_string(task->params, "instance"),
                          json_get_string(task->params, "version"), err);
}

static bool initialize(struct task *task, struct error *err)
{
    return task->store->initialize(task, err);
}

static const struct step create_steps[] = {
    { "check", check, NULL },
    { "folder", newcomer_make, newcomer_drop },
    { "configure", newcomer_configure, NULL },
    { "initialize", initialize, NULL },
    { "start", newcomer_start, newcomer_stop },
    { "catalog", command_make_catalog, NULL },
    { 0 },
};

const struct operation create_operation = {
    .steps = create_steps,
    .set = newcomer_set,
    .ready = newcomer_ready,
    .finish = newcomer_finish,
};
