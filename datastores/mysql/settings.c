#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "error.h"
#include "file.h"
#include "flavour.h"
#include "json.h"
#include "memory.h"
#include "my.h"
#include "site.h"
#include "text.h"

#define CONF_MODE 0400
#define POOL_LEAST ((uint64_t)64 << 20)
#define POOL_STEP ((uint64_t)16 << 20)

static const char *value_text(struct json_object *value)
{
    if (json_object_is_type(value, json_type_boolean))
        return json_object_get_boolean(value) ? "ON" : "OFF";
    return json_object_get_string(value);
}

/* One line of an option file, whose quoting knows no way for a quote within its like. */
static bool add_setting(struct text *out, const char *name, const char *value, struct error *err)
{
    char quote = strchr(value, '"') == NULL ? '"' : '\'';

    for (const char *c = value; *c != '\0'; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f || *c == quote)
            return error_set(err, ERROR_INVALID,
                             "setting '%s' may not hold control characters or both kinds of quotes",
                             name);
    text_printf(out, "%s=%c", name, quote);
    for (const char *c = value; *c != '\0'; c++)
        text_add_bytes(out, *c == '\\' ? "\\\\" : c, *c == '\\' ? 2 : 1);
    text_printf(out, "%c\n", quote);
    return true;
}

static bool check_value(const char *name, const char *value, struct error *err)
{
    if (strcmp(name, "event_scheduler") == 0 && strcasecmp(value, "ON") != 0 &&
        strcasecmp(value, "OFF") != 0)
        return error_set(err, ERROR_INVALID, "setting 'event_scheduler' may be ON or OFF");
    if (strcmp(name, "log_bin") == 0 && strchr(value, '/') != NULL)
        return error_set(err, ERROR_INVALID, "setting 'log_bin' may not be a path");
    return true;
}

/* Copies settings to chosen by their plain names, values as text. */
static bool read_settings(struct json_object *settings, struct json_object *chosen,
                          struct error *err)
{
    struct json_object_iter setting;

    json_object_object_foreachC (settings, setting) {
        const char *name = setting.key;
        autofree char *plain = my_setting_name(name);
        if (setting.val == NULL)
            continue;
        if (plain == NULL)
            return error_set(err, ERROR_INVALID, "'%s' is not the name of a setting", name);
        if (my_setting_is_ours(plain))
            return error_set(err, ERROR_INVALID, "setting '%s' is not yours to change", name);
        if (!check_value(plain, value_text(setting.val), err))
            return false;
        json_add_string(chosen, plain, value_text(setting.val));
    }
    return true;
}

static uint64_t memory_bytes(void)
{
    struct error err = { 0 };
    autofree char *text = file_read("/proc/meminfo", NULL, &err);
    const char *total = text == NULL ? NULL : strstr(text, "MemTotal:");

    error_clear(&err);
    return total == NULL ? 0 : (uint64_t)strtoull(total + strlen("MemTotal:"), NULL, 10) << 10;
}

static size_t instance_count(const struct site *site)
{
    struct error err = { 0 };
    autofree char *folder = xasprintf("%s/instances", site->state_dir);
    char **names = file_names(folder, &err);
    size_t count = 0;

    while (names != NULL && names[count] != NULL)
        count++;
    if (names != NULL)
        file_free_names(names);
    error_clear(&err);
    return count > 0 ? count : 1;
}

/* A quarter of this instance's share: sessions and the page cache need the rest. */
static void choose_by_memory(struct task *task, struct json_object *chosen,
                             struct json_object *memory)
{
    uint64_t pool = memory_bytes() / instance_count(task->site) / 4 / POOL_STEP * POOL_STEP;

    if (task->engine->scratch || pool < POOL_LEAST)
        pool = POOL_LEAST;
    if (json_get(chosen, "innodb_buffer_pool_size") == NULL) {
        autofree char *bytes = xasprintf("%llu", (unsigned long long)pool);
        json_add_string(memory, "innodb_buffer_pool_size", bytes);
    }
}

/* Other instances' histories must not look like this one's (C26): made of this machine and the
 * data's folder, which are never another's. */
static uint32_t server_id(const struct engine *engine)
{
    struct error err = { 0 };
    autofree char *machine = file_read("/etc/machine-id", NULL, &err);
    autofree char *text = xasprintf("%s %s", machine == NULL ? "" : machine, engine->data);
    uint32_t hash = 2166136261U; /* FNV-1a */

    error_clear(&err);
    for (const char *c = text; *c != '\0'; c++)
        hash = (hash ^ (unsigned char)*c) * 16777619U;
    return hash % 4294967294U + 1;
}

static void add_ours(struct text *out, const struct task *task)
{
    const struct engine *engine = task->engine;

    text_printf(out,
                "datadir=" ENGINE_DATA "\nsocket=" ENGINE_SOCKETS "/mysql.sock\n"
                "pid_file=/tmp/mysql.pid\ntmpdir=/tmp\nskip_name_resolve=ON\nlocal_infile=OFF\n"
                "lower_case_table_names=0\nserver_id=%lu\n%s",
                (unsigned long)server_id(engine), my_flavour(task)->own_settings);
    if (engine->port == 0 || engine->scratch)
        text_add(out, "skip_networking=ON\n");
    else
        text_printf(out, "port=%d\nbind_address=*\n", engine->port);
    text_add(out, "\n!include " ENGINE_CONF "/gate.cnf\n");
}

static bool add_all(struct text *out, struct json_object *settings, struct error *err)
{
    struct json_object_iter setting;

    json_object_object_foreachC (settings, setting) {
        if (strcmp(setting.key, "event_scheduler") != 0 &&
            !add_setting(out, setting.key, json_object_get_string(setting.val), err))
            return false;
    }
    return true;
}

static bool write_conf(const struct task *task, const char *name, const char *text,
                       struct error *err)
{
    autofree char *path = xasprintf("%s/%s", task->engine->conf, name);

    return file_write_owned(path, text, strlen(text), CONF_MODE, task->engine->uid, err);
}

static bool write_my_cnf(struct task *task, struct json_object *chosen, struct json_object *memory,
                         struct error *err)
{
    autotext struct text text = { 0 };

    /* The last line of a name wins: defaults first, then the tenant's, then ours. */
    text_add(&text, "[mysqld]\ncharacter_set_server=utf8mb4\nperformance_schema=OFF\n");
    if (my_flavour(task) == &flavour_mysql && json_get(chosen, "log_bin") == NULL)
        text_add(&text, "skip_log_bin\n");
    if (!add_all(&text, memory, err) || !add_all(&text, chosen, err))
        return false;
    add_ours(&text, task);
    return write_conf(task, "my.cnf", text.bytes, err);
}

/* What was chosen by whom, for reload, status and facts. */
static bool write_notes(struct task *task, struct json_object *chosen, struct json_object *memory,
                        struct error *err)
{
    autoptr(json_object) notes = json_object_new_object();
    autofree char *path = xasprintf("%s/chosen.json", task->engine->conf);

    json_add(notes, "chosen", json_object_get(chosen));
    json_add(notes, "memory", json_object_get(memory));
    return json_write_file(path, notes, 0600, err);
}

char *my_server(const struct task *task, struct error *err)
{
    const struct flavour *flavour = my_flavour(task);
    char *path = engine_tree_path(task->engine->tree, flavour->servers);

    if (path == NULL)
        error_set(err, ERROR_INCOMPATIBLE, "there is no server of %s in the tree", flavour->name);
    return path;
}

static bool write_launch(struct task *task, struct error *err)
{
    autofree char *server = my_server(task, err);
    const char *const argv[] = { server, MY_DEFAULTS, NULL };
    const struct launch launch = { .argv = argv,
                                   .stop_signal = SIGTERM,
                                   .immediate_signal = SIGKILL };

    return server != NULL && engine_write_launch(task->engine, &launch, err);
}

bool mysql_configure(struct task *task, struct json_object *settings, enum gate gate,
                     struct error *err)
{
    autoptr(json_object) chosen = json_object_new_object();
    autoptr(json_object) memory = json_object_new_object();

    if (!read_settings(settings, chosen, err))
        return false;
    choose_by_memory(task, chosen, memory);

    const char *events = json_get_string(chosen, "event_scheduler");
    return write_my_cnf(task, chosen, memory, err) && write_notes(task, chosen, memory, err) &&
           my_write_gate(task, events != NULL ? events : my_flavour(task)->event_scheduler, gate,
                         err) &&
           write_launch(task, err);
}

static struct json_object *read_notes(const struct task *task, const char *member,
                                      struct error *err)
{
    autofree char *path = xasprintf("%s/chosen.json", task->engine->conf);
    autoptr(json_object) notes = json_read_file(path, err);

    return notes == NULL ? NULL : json_object_get(json_get(notes, member));
}

struct json_object *my_settings(const struct task *task, struct error *err)
{
    return read_notes(task, "chosen", err);
}

struct json_object *my_memory_settings(const struct task *task, struct error *err)
{
    return read_notes(task, "memory", err);
}

/* Without the time, "[Warning] [MY-000081] [Server] " and "Buffered warning: " before it. */
static char *bare_message(const char *line)
{
    const char *at = strchr(line, '[');

    while (at != NULL && *at == '[' && strstr(at, "] ") != NULL)
        at = strstr(at, "] ") + 2;
    if (at == NULL || *at == '[')
        at = line;
    if (text_starts(at, "Buffered ") && strstr(at, ": ") != NULL)
        at = strstr(at, ": ") + 2;
    return xstrdup(at);
}

/* The first line in which the server refuses, or changes a value that it was given. */
static char *find_refusal(const char *log)
{
    static const char *const words[] = { "[ERROR]", " adjusted to ", "unique option prefix",
                                         "unknown variable", "unknown option" };

    for (const char *line = log; *line != '\0';) {
        const char *end = strchrnul(line, '\n');
        autofree char *text = xstrndup(line, (size_t)(end - line));
        for (size_t i = 0; i < ARRAY_SIZE(words); i++)
            if (strstr(text, words[i]) != NULL)
                return bare_message(text);
        line = *end == '\0' ? end : end + 1;
    }
    return NULL;
}

/* The folder is another, so that the server reads nothing of the data that may be in use. */
bool mysql_check_settings(struct task *task, struct error *err)
{
    autofree char *server = my_server(task, err);
    bool mysql = my_flavour(task) == &flavour_mysql;
    const char *const argv[] = { server,
                                 MY_DEFAULTS,
                                 "--datadir=/tmp",
                                 mysql ? "--validate-config" : "--help",
                                 mysql ? "--log-error-verbosity=2" : "--verbose",
                                 NULL };
    const struct engine_tool tool = { .argv = argv, .tick = task_tick, .context = task };
    autoresult struct process_result result = { 0 };

    if (server == NULL || !engine_run_tool(task->engine, &tool, &result, err))
        return false;

    const char *log = result.errors.bytes == NULL ? "" : result.errors.bytes;
    autofree char *refusal = find_refusal(log);
    if (refusal == NULL && result.status == 0)
        return true;
    error_set(err, ERROR_ENGINE, "the engine does not accept the settings");
    return error_native(err, refusal != NULL ? refusal : text_last_lines(log, 3));
}
