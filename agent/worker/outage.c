#include "outage.h"

#include <string.h>

#include "error.h"
#include "json.h"
#include "process.h"
#include "state.h"

bool outage_begin(struct task *task, struct error *err)
{
    struct json_object *facts = json_object_new_object();

    json_add_double(facts, "fenced_at", process_clock_s());
    json_add_double(facts, "fenced_time", process_time_s());
    json_add_string(facts, "boot_id", process_boot_id());
    return task_keep_facts(task, facts, err);
}

bool outage_began(struct task *task)
{
    return task_fact(task, "fenced_at") != NULL;
}

void outage_end(struct task *task)
{
    if (outage_began(task))
        json_add_double(task->state->facts, "outage_s", outage_s(task));
}

double outage_s(struct task *task)
{
    struct json_object *facts = task->state->facts;
    const char *boot = task_fact_text(task, "boot_id");

    if (task_fact(task, "outage_s") != NULL)
        return json_get_double(facts, "outage_s");
    if (boot != NULL && strcmp(boot, process_boot_id()) == 0)
        return process_clock_s() - json_get_double(facts, "fenced_at");
    return process_time_s() - json_get_double(facts, "fenced_time");
}
