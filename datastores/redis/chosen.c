#include "chosen.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/sysinfo.h>

#include "engine.h"
#include "error.h"
#include "file.h"
#include "json.h"
#include "memory.h"
#include "site.h"
#include "task.h"
#include "text.h"

/* What the settings that the agent moves at run time are when nobody asked for anything. */
static const struct {
    const char *name;
    const char *value;
} defaults[] = {
    { "appendonly", "yes" },
    { "auto-aof-rewrite-percentage", "100" },
    { "rdbcompression", "yes" },
    { "save", "" },
};

/* Several words on their line; the others are one word, whatever is in it. */
static const char *const word_settings[] = { "client-output-buffer-limit", "oom-score-adj-values",
                                             "save" };

/* Gate, paths, accounts and whatever would bring in another file, program or master. */
static const char *const our_settings[] = {
    "aclfile",
    "aof-load-truncated",
    "aof-use-rdb-preamble",
    "appenddirname",
    "appendfilename",
    "bind",
    "bind-source-addr",
    "daemonize",
    "dbfilename",
    "dir",
    "enable-debug-command",
    "enable-module-command",
    "enable-protected-configs",
    "include",
    "loadmodule",
    "logfile",
    "masterauth",
    "masteruser",
    "pidfile",
    "port",
    "protected-mode",
    "rdb-del-sync-files",
    "rename-command",
    "requirepass",
    "replicaof",
    "slaveof",
    "shutdown-on-sigint",
    "shutdown-on-sigterm",
    "supervised",
    "unixsocket",
    "unixsocketperm",
    "user",
};
static const char *const our_prefixes[] = { "cluster-", "repl-",   "replica-", "sentinel",
                                            "slave-",   "syslog-", "tls-" };

const char *const chosen_kept_names[] = {
    "active-expire-effort",
    "activedefrag",
    "hash-max-listpack-entries",
    "hash-max-listpack-value",
    "hz",
    "latency-monitor-threshold",
    "lazyfree-lazy-eviction",
    "lazyfree-lazy-expire",
    "lazyfree-lazy-server-del",
    "lazyfree-lazy-user-del",
    "lfu-decay-time",
    "lfu-log-factor",
    "list-max-listpack-size",
    "lua-time-limit",
    "maxclients",
    "maxmemory",
    "maxmemory-clients",
    "maxmemory-policy",
    "maxmemory-samples",
    "notify-keyspace-events",
    "set-max-intset-entries",
    "slowlog-log-slower-than",
    "slowlog-max-len",
    "stream-node-max-bytes",
    "stream-node-max-entries",
    "tcp-keepalive",
    "timeout",
    "zset-max-listpack-entries",
    "zset-max-listpack-value",
    NULL,
};

static char *path_of(const char *conf)
{
    return xasprintf("%s/chosen.json", conf);
}

struct json_object *chosen_read(const char *conf, struct error *err)
{
    autofree char *path = path_of(conf);

    return file_exists(path) ? json_read_file(path, err) : json_object_new_object();
}

bool chosen_write(const char *conf, struct json_object *chosen, struct error *err)
{
    autofree char *path = path_of(conf);

    return json_write_file(path, chosen, 0600, err);
}

static int64_t vm_bytes(void)
{
    struct sysinfo info;

    return sysinfo(&info) == 0 ? (int64_t)info.totalram * (int64_t)info.mem_unit : 0;
}

static int64_t count_instances(const struct task *task)
{
    autofree char *folder = xasprintf("%s/instances", task->site->state_dir);
    struct error ignored = { 0 };
    char **names = file_names(folder, &ignored);
    int64_t count = 0;

    while (names != NULL && names[count] != NULL)
        count++;
    if (names != NULL)
        file_free_names(names);
    error_clear(&ignored);
    return count > 0 ? count : 1;
}

/*
 * Six tenths, shared: the rest is for what the kernel copies while a child writes the data down,
 * for buffers, and the system. A share once given stays while the VM keeps its size: a new
 * neighbour must not make an upgrade start with less memory than the data takes.
 */
void chosen_by_memory(struct task *task, struct json_object *before, struct json_object *chosen)
{
    int64_t bytes = vm_bytes();
    struct json_object *memory = json_get(before, "memory");

    json_add_int(chosen, "memory_of", bytes);
    if (memory != NULL && json_get_int(before, "memory_of") == bytes) {
        json_add(chosen, "memory", json_copy(memory));
        return;
    }
    memory = json_add_object(chosen, "memory");
    json_add_int(memory, "maxmemory", bytes / 10 * 6 / count_instances(task));
}

char *chosen_text(struct json_object *value)
{
    if (json_object_is_type(value, json_type_boolean))
        return xstrdup(json_object_get_boolean(value) ? "yes" : "no");
    return xstrdup(json_object_get_string(value));
}

static const char *default_of(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(defaults); i++)
        if (strcmp(defaults[i].name, name) == 0)
            return defaults[i].value;
    return "";
}

char *chosen_value(const struct engine *engine, const char *name)
{
    static const char *const places[] = { "settings", "kept", "memory" };
    struct error ignored = { 0 };
    autoptr(json_object) chosen = chosen_read(engine->conf, &ignored);

    error_clear(&ignored);
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        struct json_object *value = json_get(json_get(chosen, places[i]), name);
        if (value != NULL)
            return chosen_text(value);
    }
    return xstrdup(default_of(name));
}

bool chosen_has_default(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(defaults); i++)
        if (strcmp(defaults[i].name, name) == 0)
            return true;
    return false;
}

bool chosen_has_words(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(word_settings); i++)
        if (strcmp(word_settings[i], name) == 0)
            return true;
    return false;
}

static void add_quoted(struct text *text, const char *bytes, size_t length)
{
    text_add(text, " \"");
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        if (byte == '"' || byte == '\\')
            text_printf(text, "\\%c", byte);
        else if (byte < ' ' || byte >= 0x7f)
            text_printf(text, "\\x%02x", byte);
        else
            text_add_bytes(text, &byte, 1);
    }
    text_add(text, "\"");
}

static void add_line(struct text *text, const char *name, const char *value)
{
    text_add(text, name);
    if (!chosen_has_words(name) || value[0] == '\0')
        add_quoted(text, value, strlen(value));
    while (chosen_has_words(name) && *value != '\0') {
        size_t length = strcspn(value, " ");
        add_quoted(text, value, length);
        value += length;
        value += strspn(value, " ");
    }
    text_add(text, "\n");
}

/* "64mb" as bytes; false when it is no number with or without a unit of the engine's. */
static bool parse_amount(const char *text, long long *amount)
{
    static const struct {
        const char *name;
        long long factor;
    } units[] = {
        { "", 1 },        { "b", 1 },        { "k", 1000 },       { "kb", 1024 },
        { "m", 1000000 }, { "mb", 1 << 20 }, { "g", 1000000000 }, { "gb", 1 << 30 },
    };
    char *end = NULL;

    *amount = strtoll(text, &end, 10);
    if (end == text)
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(units); i++)
        if (strcasecmp(end, units[i].name) == 0) {
            *amount *= units[i].factor;
            return true;
        }
    return false;
}

bool chosen_same(const char *one, const char *other)
{
    long long amount = 0;
    long long other_amount = 0;

    if (parse_amount(one, &amount) && parse_amount(other, &other_amount))
        return amount == other_amount;
    return strcasecmp(one, other) == 0;
}

static bool is_ours(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(our_settings); i++)
        if (strcmp(name, our_settings[i]) == 0)
            return true;
    for (size_t i = 0; i < ARRAY_SIZE(our_prefixes); i++)
        if (text_starts(name, our_prefixes[i]))
            return true;
    return false;
}

bool chosen_allowed(const char *name, struct json_object *value, struct error *err)
{
    if (name[0] == '\0' || name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-")] != '\0')
        return error_set(err, ERROR_INVALID, "'%s' cannot be the name of a setting", name);
    if (is_ours(name))
        return error_set(err, ERROR_INVALID, "the setting '%s' is the agent's own", name);
    if (json_object_is_type(value, json_type_object) ||
        json_object_is_type(value, json_type_array) || value == NULL)
        return error_set(err, ERROR_INVALID, "the value of '%s' must be text, number or bool",
                         name);
    if (json_object_is_type(value, json_type_string) &&
        strlen(json_object_get_string(value)) != (size_t)json_object_get_string_len(value))
        return error_set(err, ERROR_INVALID, "the value of '%s' holds a NUL", name);
    return true;
}

void chosen_add_lines(struct text *text, struct json_object *settings)
{
    if (settings == NULL)
        return;
    struct json_object_iter setting;
    json_object_object_foreachC (settings, setting) {
        autofree char *words = chosen_text(setting.val);
        add_line(text, setting.key, words);
    }
}

bool chosen_write_kept(const char *conf, struct json_object *kept, struct error *err)
{
    autofree char *path = xasprintf("%s/kept.conf", conf);
    autotext struct text text = { 0 };

    chosen_add_lines(&text, kept);
    return file_write(path, text.bytes == NULL ? "" : text.bytes, text.length, 0644, err);
}
