#include "command.h"

#include <string.h>

#include "catalogue.h"
#include "cleanup.h"
#include "datastore.h"
#include "engine.h"
#include "error.h"
#include "file.h"
#include "finding.h"
#include "json.h"
#include "memory.h"
#include "place.h"
#include "prediction.h"
#include "process.h"
#include "state.h"
#include "text.h"
#include "units.h"
#include "upgrade_check.h"
#include "upgrade_data.h"
#include "version.h"

#define CONF_BYTES ((uint64_t)64 << 20) /* a generation's conf, journals, logs */

static bool judge_edge(struct task *task, const char *from, const char *to, bool *migrates,
                       struct error *err)
{
    const char *reason = NULL;

    switch (task->store->edge(from, to, &reason)) {
    case EDGE_SAME_FORMAT:
        *migrates = false;
        return true;
    case EDGE_DOWNGRADE:
        error_set(err, ERROR_DOWNGRADE, "'%s' runs %s %s; %s is older%s%s", task->engine->instance,
                  task->store->name, from, to, reason == NULL ? "" : ": ",
                  reason == NULL ? "" : reason);
        return error_hint(err, "restore a backup of that version into a new instance");
    case EDGE_MIGRATE:
        *migrates = true;
        if (task->store->migrate != NULL || task->store->adapt != NULL)
            return true;
        break;
    case EDGE_NONE:
        break;
    }
    error_set(err, ERROR_INCOMPATIBLE, "%s %s cannot become %s%s%s", task->store->name, from, to,
              reason == NULL ? "" : ": ", reason == NULL ? "" : reason);
    return error_hint(err, "dbguestctl version list %s", task->store->name);
}

static const char *engine_version(struct json_object *manifest)
{
    return json_get_string(manifest, "engine_version");
}

/* The same engine's version in another build may go both ways; otherwise the engine decides. */
static bool judge(struct task *task, struct json_object *from, struct json_object *to,
                  bool *migrates, struct error *err)
{
    return judge_edge(task, engine_version(from), engine_version(to), migrates, err);
}

/* The newest version present that this one may become; NULL when there is none. */
static char *newest_allowed(struct task *task, struct json_object *from)
{
    autoptr(json_object) versions = json_object_new_array();
    struct error ignored = { 0 };
    const char *best = task->engine->version;
    bool migrates = false;

    version_list(task->site, task->store->name, versions, &ignored);
    for (size_t i = 0; i < json_object_array_length(versions); i++) {
        const char *version = json_get_string(json_object_array_get_idx(versions, i), "version");
        if (text_compare_versions(version, best) <= 0)
            continue;

        autoptr(json_object) to = version_find(task->site, task->store->name, version, &ignored);
        error_clear(&ignored);
        if (to != NULL && judge(task, from, to, &migrates, &ignored))
            best = version;
        error_clear(&ignored);
    }
    return best == task->engine->version ? NULL : xstrdup(best);
}

char *upgrade_newest(struct task *task)
{
    struct error ignored = { 0 };
    autoptr(json_object) from =
        version_find(task->site, task->store->name, task->engine->version, &ignored);

    error_clear(&ignored);
    return from != NULL ? newest_allowed(task, from) : NULL;
}

static struct json_object *find_target(struct task *task, const char *version, struct error *err)
{
    struct json_object *target = version_find(task->site, task->store->name, version, err);

    if (target == NULL && err->reason == ERROR_NOT_FOUND)
        error_hint(err, "version.pull it first: dbguestctl version pull %s apt:SUITE,…",
                   task->store->name);
    return target;
}

/* What every engine trips over. */
static void find_common(struct task *task, struct json_object *findings)
{
    const char *name = task->engine->instance;
    autofree char *start = xasprintf("dbguestctl instance start %s", name);
    autofree char *backup = xasprintf("dbguestctl backup create %s", name);
    autoptr(json_object) newest = catalogue_newest(task->site, name);
    struct process process;

    if (!engine_find(task->engine, &process))
        finding_add(findings, "blocker", "not_active", "it does not run", start);
    if (newest == NULL) {
        finding_add(findings, "note", "backup_age", "there is no backup", backup);
        return;
    }
    const char *verified = json_get_string(newest, "verified_at");
    autofree char *age = units_age(process_time_s() - json_get_double(newest, "created_time"));
    autofree char *message = xasprintf("last good backup is %s old, %s", age,
                                       verified == NULL ? "not verified" : "verified");
    finding_add(findings, "note", "backup_age", message, NULL);
}

static void find_space(struct task *task, struct json_object *result, struct json_object *findings)
{
    uint64_t free_bytes = file_free_bytes(task->engine->folder);
    uint64_t needed_bytes =
        CONF_BYTES +
        upgrade_data_bytes(task, upgrade_data_from_word(json_get_string(result, "safepoint")));
    autofree char *message = xasprintf("%ju MiB needed, %ju MiB free",
                                       (uintmax_t)needed_bytes >> 20, (uintmax_t)free_bytes >> 20);

    json_add_int(result, "needed_bytes", (int64_t)needed_bytes);
    json_add_int(result, "free_bytes", (int64_t)free_bytes);
    if (free_bytes < needed_bytes)
        finding_add(findings, "blocker", "no_space", message,
                    "dbguestctl version list shows what may be removed");
}

static bool has_blocker(struct json_object *findings)
{
    for (size_t i = 0; i < json_object_array_length(findings); i++) {
        const char *severity = json_get_string(json_object_array_get_idx(findings, i), "severity");

        if (severity != NULL && strcmp(severity, "blocker") == 0)
            return true;
    }
    return false;
}

/* What is stored and waits for a start comes into force with this one: told beforehand, and kept
 * for the proof. */
static bool find_pending(struct task *task, struct json_object *result,
                         struct json_object *findings, struct error *err)
{
    autoptr(json_object) status = json_object_new_object();

    if (!task->store->status(task, status, err))
        return false;
    struct json_object *names = json_get(status, "restart_needed");
    for (size_t i = 0; names != NULL && i < json_object_array_length(names); i++) {
        autofree char *message =
            xasprintf("%s waits for a restart: the upgrade brings it into force",
                      json_object_get_string(json_object_array_get_idx(names, i)));

        finding_add(findings, "warning", "restart_pending", message,
                    "restart first, to tell the two changes apart; or take it back with "
                    "instance configure");
    }
    json_add(result, "settings_pending", json_copy(names));
    return true;
}

/* Of what runs only. */
static bool ask_engine(struct task *task, struct json_object *target, struct json_object *result,
                       struct json_object *findings, struct error *err)
{
    struct process process;

    if (!engine_find(task->engine, &process))
        return true;
    return find_pending(task, result, findings, err) &&
           (task->store->check_upgrade == NULL ||
            task->store->check_upgrade(task, target, findings, err));
}

/* How it would go, and how back. */
static bool add_way(struct task *task, bool migrates, struct json_object *result, struct error *err)
{
    static const char *const ways_back[] = {
        [SAFEPOINT_NONE] = "until commit all as before; afterwards both versions accept this data",
        [SAFEPOINT_CLONE] = "until commit all as before; afterwards the old data, kept as a clone",
        [SAFEPOINT_COPY] = "until commit all as before; afterwards the old data, kept beside",
    };
    enum safepoint safepoint = SAFEPOINT_NONE;

    if (!upgrade_data_choose(task, json_get_string(task->params, "safepoint"), migrates, &safepoint,
                             err))
        return false;
    json_add_string(result, "method",
                    migrates ? "another format: the data is migrated beside the old"
                             : "same format: stop the old, start the new");
    json_add_bool(result, "migrates", migrates);
    json_add_string(result, "safepoint", upgrade_data_word(safepoint));
    json_add_string(result, "way_back", ways_back[safepoint]);
    return true;
}

static bool examine(struct task *task, struct json_object *target, bool migrates,
                    struct json_object *result, struct error *err)
{
    struct json_object *findings = json_add_array(result, "findings");

    if (!add_way(task, migrates, result, err))
        return false;
    json_add_double(
        result, "expected_outage_s",
        prediction_outage_s(task, migrates,
                            upgrade_data_from_word(json_get_string(result, "safepoint"))));
    find_space(task, result, findings);
    find_common(task, findings);
    if (!ask_engine(task, target, result, findings, err))
        return false;
    json_add_bool(result, "ok", !has_blocker(findings));
    return true;
}

bool upgrade_check(struct task *task, const char *version, struct json_object *result,
                   struct error *err)
{
    const char *own = task->engine->version;
    autoptr(json_object) from = version_find(task->site, task->store->name, own, err);
    autofree char *newest = NULL;

    if (from == NULL)
        return false;
    if (version == NULL) {
        newest = newest_allowed(task, from);
        version = newest;
    }
    if (version == NULL) {
        error_set(err, ERROR_NOT_FOUND, "no version newer than %s that '%s' may become is present",
                  own, task->engine->instance);
        return error_hint(err, "dbguestctl version pull %s apt:SUITE,…", task->store->name);
    }
    if (strcmp(version, own) == 0)
        return error_set(err, ERROR_INVALID, "'%s' runs %s already", task->engine->instance, own);

    autoptr(json_object) target = find_target(task, version, err);
    bool migrates = false;
    if (target == NULL || !judge(task, from, target, &migrates, err))
        return false;
    json_add_string(result, "instance", task->engine->instance);
    json_add_string(result, "datastore", task->engine->datastore);
    json_add_string(result, "version", version);
    json_add_string(result, "from_version", own);
    return examine(task, target, migrates, result, err);
}

struct json_object *upgrade_check_edge(struct task *task, struct json_object *check)
{
    struct json_object *edge = json_object_new_object();

    json_add_string(edge, "datastore", task->engine->datastore);
    json_add_string(edge, "from_version", task->engine->version);
    json_add_string(edge, "version", json_get_string(check, "version"));
    json_add(edge, "expected_outage_s", json_copy(json_get(check, "expected_outage_s")));
    return edge;
}

void upgrade_check_what(struct task *task, struct json_object *findings)
{
    static const char *const severities[] = { "blocker", "warning", "note" };
    int counts[ARRAY_SIZE(severities)] = { 0 };

    for (size_t i = 0; i < json_object_array_length(findings); i++) {
        const char *severity = json_get_string(json_object_array_get_idx(findings, i), "severity");

        for (size_t k = 0; severity != NULL && k < ARRAY_SIZE(severities); k++)
            counts[k] += strcmp(severity, severities[k]) == 0;
    }
    autofree char *blockers = units_count(counts[0], "blocker");
    autofree char *warnings = units_count(counts[1], "warning");
    autofree char *notes = units_count(counts[2], "note");
    task_what(task, "%s, %s, %s", blockers, warnings, notes);
}

bool upgrade_check_blockers(struct task *task, struct json_object *result, struct error *err)
{
    if (json_get_bool(result, "ok"))
        return true;
    error_set(err, ERROR_BLOCKED, "findings keep '%s' from %s", task->engine->instance,
              json_get_string(result, "version"));
    error_hint(err, "dbguestctl instance check-upgrade %s %s", task->engine->instance,
               json_get_string(result, "version"));
    return error_add(err, "findings", json_copy(json_get(result, "findings")));
}

bool command_check_upgrade(struct task *task, struct json_object *result, struct error *err)
{
    if (task->engine == NULL)
        return error_set(err, ERROR_NEEDS_ATTENTION, "'%s' is incomplete",
                         json_get_string(task->params, "instance"));
    return upgrade_check(task, json_get_string(task->params, "version"), result, err);
}
