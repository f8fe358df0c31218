#include "upgrade_report.h"

#include "cleanup.h"
#include "engine.h"
#include "error.h"
#include "json.h"
#include "memory.h"
#include "outage.h"
#include "process.h"
#include "state.h"
#include "text.h"
#include "units.h"
#include "version.h"

/* What of a digest people compare: "sha256:9c41d0e7". */
#define DIGEST_SHOWN 15

static void add_row(struct text *text, const char *what, const char *before, const char *after,
                    const char *found)
{
    text_add(text, "  ");
    text_pad(text, what, 10);
    text_add(text, "  ");
    text_pad(text, before == NULL ? "-" : before, 17);
    text_add(text, "  ");
    text_pad(text, after == NULL ? "-" : after, 17);
    text_printf(text, "  %s\n", found);
}

static char *short_digest(struct task *task, const char *version)
{
    struct error ignored = { 0 };
    autoptr(json_object) manifest =
        version_find(task->site, task->engine->datastore, version, &ignored);
    const char *digest = json_get_string(manifest, "digest");

    error_clear(&ignored);
    return digest == NULL ? NULL : xasprintf("%.*s…", DIGEST_SHOWN, digest);
}

static void add_counts(struct text *text, struct json_object *proved)
{
    struct json_object_iter member;

    if (proved == NULL)
        return;
    json_object_object_foreachC (proved, member) {
        const char *count = json_object_get_string(member.val);
        add_row(text, member.key, count, count, "the same names, each as before");
    }
}

/* What had waited for a restart, and is in force since this one. */
static void add_settings(struct text *text, struct json_object *names)
{
    for (size_t i = 0; names != NULL && i < json_object_array_length(names); i++)
        add_row(text, "setting", "waiting", "in force",
                json_object_get_string(json_object_array_get_idx(names, i)));
}

/* Whether the process that was proved is the one that opens (C22). */
static bool is_proved(struct task *task)
{
    struct process proved;

    return process_from_json(task_fact(task, "process"), &proved) && process_lives(&proved);
}

static void add_report(struct task *task, struct json_object *result)
{
    const char *from = json_get_string(result, "from_version");
    const char *to = json_get_string(result, "version");
    autofree char *digest_before = short_digest(task, from);
    autofree char *digest_after = short_digest(task, to);
    autofree char *committed = units_stamp(json_get_string(result, "committed_at"), false);
    autofree char *expected =
        xasprintf("%.2f s expected", json_get_double(result, "expected_outage_s"));
    autofree char *seen = xasprintf("%.2f s seen", json_get_double(result, "outage_s"));
    autotext struct text text = { 0 };

    text_printf(&text, "Upgrade of %s, %s %s to %s, committed %s\n", task->engine->instance,
                task->engine->datastore, from, to, committed);
    add_row(&text, "", "BEFORE", "AFTER", "FOUND");
    add_row(&text, "executable", digest_before, digest_after,
            is_proved(task) ? "the running process is of the new tree, one process since its start"
                            : "the running process is of the new tree, started after the proof");
    add_row(&text, "position", task_fact_text(task, "position_before"),
            task_fact_text(task, "position_after"), "goes on where the fence took it");
    add_counts(&text, task_fact(task, "proved"));
    add_settings(&text, json_get(result, "settings_applied"));
    add_row(&text, "outage", expected, seen, "from the fence to the opening");
    json_add_string(result, "report", text.bytes);
}

void upgrade_report(struct task *task)
{
    struct json_object *result = task->state->result;
    char stamp[32];

    process_stamp(stamp);
    json_add_string(result, "instance", task->engine->instance);
    json_add_string(result, "version", task->engine->version);
    json_add_string(result, "from_version", task_fact_text(task, "from_version"));
    json_add_double(result, "outage_s", outage_s(task));
    json_add(result, "expected_outage_s", json_copy(task_fact(task, "expected_outage_s")));
    json_add(result, "proved", json_copy(task_fact(task, "proved")));
    json_add(result, "settings_applied", json_copy(task_fact(task, "settings_pending")));
    json_add(result, "rollback_until", NULL); /* back only before commit: nothing is kept */
    json_add_string(result, "committed_at", stamp);
    add_report(task, result);
}
