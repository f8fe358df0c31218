#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "finding.h"
#include "flavour.h"
#include "json.h"
#include "memory.h"
#include "my.h"
#include "text.h"

/* What a size is at least, and the largest piece that servers deal memory out by. */
#define SIZE_LEAST (1024.0 * 1024)
#define SIZE_STEP (128 * SIZE_LEAST)

/* "256M" is 268435456 for an option file only; NULL when value is no number. Caller frees. */
static char *number_of(const char *value)
{
    static const char suffixes[] = "KkMmGgTtPpEe";
    char *end = NULL;

    if (strchr("-0123456789", value[0]) == NULL || value[0] == '\0')
        return NULL;

    long long whole = strtoll(value, &end, 10);
    if (*end == '.') {
        strtod(value, &end);
        return *end == '\0' ? xstrdup(value) : NULL;
    }
    const char *suffix = *end == '\0' ? NULL : strchr(suffixes, *end);
    if (*end != '\0' && (suffix == NULL || end[1] != '\0'))
        return NULL;
    for (long i = 0; suffix != NULL && i <= (suffix - suffixes) / 2; i++)
        whole *= 1024;
    return xasprintf("%lld", whole);
}

bool my_set_global(struct connection *db, const char *name, const char *value, struct error *err)
{
    autofree char *number = value == NULL ? NULL : number_of(value);
    struct error first = { 0 };

    if (value == NULL)
        return my_run(db, err, "SET GLOBAL %I = DEFAULT", name);
    if (number == NULL)
        return my_run(db, err, "SET GLOBAL %I = %L", name, value);
    if (my_run(db, &first, "SET GLOBAL %I = %s", name, number))
        return true;
    if (my_errno(db) != MY_WRONG_TYPE) {
        error_move(err, &first);
        return false;
    }
    error_clear(&first);
    return my_run(db, err, "SET GLOBAL %I = %L", name, value);
}

static int truth_of(const char *value)
{
    if (strcasecmp(value, "ON") == 0 || strcmp(value, "1") == 0 || strcasecmp(value, "TRUE") == 0)
        return 1;
    if (strcasecmp(value, "OFF") == 0 || strcmp(value, "0") == 0 || strcasecmp(value, "FALSE") == 0)
        return 0;
    return -1;
}

/* Whether the server shows what was chosen, however each of them writes it; it rounds sizes up. */
static bool same_value(const char *chosen, const char *running)
{
    autofree char *number = number_of(chosen);
    double wanted = number == NULL ? 0 : strtod(number, NULL);
    double more = strtod(running, NULL) - wanted;

    if (strcasecmp(chosen, running) == 0)
        return true;
    if (truth_of(chosen) >= 0 && truth_of(chosen) == truth_of(running))
        return true;
    return number != NULL && (more == 0 || (wanted >= SIZE_LEAST && more > 0 && more < SIZE_STEP));
}

/* Name: value of all that can be seen. */
static struct json_object *running_settings(struct connection *db, struct error *err)
{
    autoptr(rows) rows = my_query(db, err, "SHOW GLOBAL VARIABLES");
    if (rows == NULL)
        return NULL;

    struct json_object *running = json_object_new_object();
    for (char **row = my_next(rows); row != NULL; row = my_next(rows))
        json_add_string(running, row[0], row[1]);
    return running;
}

/* Takes effect at once, or its name is kept. */
static bool apply(struct connection *db, const char *name, const char *value,
                  struct json_object *restart_needed, struct error *err)
{
    struct error refused = { 0 };

    if (my_set_global(db, name, value, &refused))
        return true;

    unsigned int number = my_errno(db);
    /* The value itself is good (check_settings), but not while it runs: a pool that grows too far.
     */
    if (number == MY_READ_ONLY || number == MY_UNKNOWN_VARIABLE || number == MY_WRONG_VALUE) {
        error_clear(&refused);
        json_object_array_add(restart_needed, json_object_new_string(name));
        return true;
    }
    error_move(err, &refused);
    return error_prefix(err, "cannot set '%s'", name);
}

static bool apply_chosen(struct connection *db, struct json_object *settings,
                         struct json_object *running, struct json_object *restart_needed,
                         struct error *err)
{
    struct json_object_iter setting;

    json_object_object_foreachC (settings, setting) {
        const char *name = setting.key;
        const char *wanted = json_object_get_string(setting.val);
        const char *now = json_get_string(running, name);
        /* The gate has the events. */
        if (strcmp(name, "event_scheduler") == 0 || (now != NULL && same_value(wanted, now)))
            continue;
        if (!apply(db, name, wanted, restart_needed, err))
            return false;
    }
    return true;
}

/* What the running server took from its option file or was told later. */
static const char *origins_of(const struct task *task)
{
    return my_flavour(task) == &flavour_mysql
               ? "SELECT LOWER(VARIABLE_NAME) FROM performance_schema.variables_info WHERE "
                 "VARIABLE_SOURCE IN ('EXPLICIT', 'DYNAMIC')"
               : "SELECT LOWER(VARIABLE_NAME) FROM information_schema.SYSTEM_VARIABLES WHERE "
                 "GLOBAL_VALUE_ORIGIN IN ('CONFIG', 'SQL')";
}

bool mysql_reload(struct task *task, struct json_object *restart_needed, struct error *err)
{
    autoptr(json_object) chosen = my_settings(task, err);
    autoptr(json_object) memory = chosen == NULL ? NULL : my_memory_settings(task, err);
    autoptr(connection) db = memory == NULL ? NULL : my_connect_for_change(task, err);
    autoptr(json_object) running = db == NULL ? NULL : running_settings(db, err);

    /* What memory decides waits for the next start: a pool that grows by itself, because somebody
     * changed another setting, may hold the server up for long. */
    if (running == NULL || !apply_chosen(db, chosen, running, restart_needed, err))
        return false;

    /* What is no longer chosen goes back to the default. */
    autoptr(rows) rows = my_query(db, err, "%s", origins_of(task));
    if (rows == NULL)
        return false;
    for (char **row = my_next(rows); row != NULL; row = my_next(rows))
        if (json_get(chosen, row[0]) == NULL && json_get(memory, row[0]) == NULL &&
            !my_setting_is_chosen_by_us(row[0]) && !apply(db, row[0], NULL, restart_needed, err))
            return false;
    return my_open_events(task, db, err);
}

bool my_find_restart_needed(struct task *task, struct connection *db, struct json_object *names,
                            struct error *err)
{
    autoptr(json_object) chosen = my_settings(task, err);
    autoptr(json_object) running = chosen == NULL ? NULL : running_settings(db, err);

    if (running == NULL)
        return false;

    struct json_object_iter setting;
    json_object_object_foreachC (chosen, setting) {
        const char *name = setting.key;
        const char *now = json_get_string(running, name);
        autofree char *number = now == NULL ? NULL : number_of(now);
        /* Of words the server shows its own form: only numbers and truths can be compared. The gate
         * has the events. */
        if (now != NULL && strcmp(name, "event_scheduler") != 0 &&
            (number != NULL || truth_of(now) >= 0) &&
            !same_value(json_object_get_string(setting.val), now))
            json_object_array_add(names, json_object_new_string(name));
    }
    return true;
}

/* Of what is not chosen: what is chosen and not in force waits for a restart. MySQL does not say
 * what a start would give. */
bool my_find_changed(struct task *task, struct connection *db, struct json_object *findings,
                     struct error *err)
{
    static const char set_since_sql[] =
        "SELECT LOWER(VARIABLE_NAME), GLOBAL_VALUE, DEFAULT_VALUE FROM "
        "information_schema.SYSTEM_VARIABLES WHERE GLOBAL_VALUE_ORIGIN = 'SQL' AND GLOBAL_VALUE IS "
        "NOT NULL AND DEFAULT_VALUE IS NOT NULL ORDER BY VARIABLE_NAME";

    if (my_flavour(task) != &flavour_mariadb)
        return true;

    autoptr(json_object) chosen = my_settings(task, err);
    autoptr(json_object) memory = chosen == NULL ? NULL : my_memory_settings(task, err);
    autoptr(rows) rows = memory == NULL ? NULL : my_query(db, err, "%s", set_since_sql);
    if (rows == NULL)
        return false;
    for (char **row = my_next(rows); row != NULL; row = my_next(rows)) {
        if (json_get(chosen, row[0]) != NULL || json_get(memory, row[0]) != NULL ||
            my_setting_is_chosen_by_us(row[0]) || same_value(row[2], row[1]))
            continue;
        autofree char *message = xasprintf("'%s' is '%s' now and will be '%s': SET GLOBAL is not "
                                           "kept",
                                           row[0], row[1], row[2]);
        finding_add(findings, "warning", "setting_changed", message,
                    "to keep it: dbguestctl instance configure");
    }
    return true;
}
