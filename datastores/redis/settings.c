#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "acl.h"
#include "aof.h"
#include "chosen.h"
#include "connection.h"
#include "engine.h"
#include "error.h"
#include "file.h"
#include "gate.h"
#include "json.h"
#include "memory.h"
#include "redis.h"
#include "site.h"
#include "task.h"
#include "text.h"

/* No setting and no comment: where the engine's parser complains of it, all before was right. */
#define CHECK_ENDS "dbguest-check-ends-here"

/*
 * The conf/ to take accounts and choices over from: this generation's own when it is the current
 * one, else the current one's, anew each time, for that one serves meanwhile.
 */
static char *earlier_conf(const struct engine *engine)
{
    autofree char *conf = xasprintf("%s/current/conf", engine->folder);

    return xstrdup(file_exists(conf) ? conf : engine->conf);
}

static bool check_form(const struct engine *engine, struct json_object *settings, struct error *err)
{
    struct json_object *value = json_get(settings, "appendonly");
    autofree char *text = value == NULL ? xstrdup("yes") : chosen_text(value);
    enum data_form form = aof_form(engine);
    enum data_form wanted = strcmp(text, "no") == 0 ? DATA_DUMP : DATA_APPENDED;

    if (form == DATA_EMPTY || form == wanted)
        return true;
    error_set(err, ERROR_INVALID, "'appendonly' is chosen when an instance is made");
    return error_hint(err, "the engine would come up empty: make a backup and restore it into a "
                           "new instance with the other setting");
}

static bool check_all(const struct engine *engine, struct json_object *settings, struct error *err)
{
    struct json_object_iter setting;
    json_object_object_foreachC (settings, setting) {
        if (!chosen_allowed(setting.key, setting.val, err))
            return false;
    }
    return check_form(engine, settings, err);
}

/* What was asked for, or kept, and is not any more, so that the engine's default is to return. */
static void note_removed(struct json_object *before, struct json_object *chosen)
{
    struct json_object *removed = json_add_array(chosen, "removed");
    struct json_object *settings = json_get(before, "settings");

    if (settings == NULL)
        return;
    struct json_object_iter setting;
    json_object_object_foreachC (settings, setting) {
        if (json_get(json_get(chosen, "settings"), setting.key) == NULL &&
            json_get(json_get(chosen, "memory"), setting.key) == NULL)
            json_object_array_add(removed, json_object_new_string(setting.key));
    }
}

static struct json_object *choose(struct task *task, struct json_object *settings,
                                  struct json_object *before)
{
    struct json_object *chosen = json_object_new_object();
    struct json_object *kept = json_get(before, "kept");

    json_add(chosen, "settings", json_copy(settings));
    json_add(chosen, "kept", kept == NULL ? json_object_new_object() : json_copy(kept));
    chosen_by_memory(task, before, chosen);
    note_removed(before, chosen);
    return chosen;
}

static void add_ours(struct text *text, struct task *task)
{
    bool seven = redis_at_least(task, "7.0");

    text_add(text, "# Written by dbguest anew at each change: ask for settings with\n"
                   "# dbguestctl instance configure\n");
    text_printf(text, "port %d\n", task->engine->port);
    /* A dash: an address family that the machine does not have is no reason to fail. */
    text_add(text, seven ? "bind * -::*\n" : "bind 0.0.0.0\n");
    text_add(text, "protected-mode no\n"
                   "unixsocket " ENGINE_SOCKETS "/" REDIS_SOCKET "\n"
                   "unixsocketperm 770\n"
                   "daemonize no\n"
                   "supervised no\n"
                   "logfile \"\"\n"
                   "always-show-logo no\n"
                   "dir " ENGINE_DATA "\n"
                   "aclfile " ENGINE_CONF "/acl/users.acl\n"
                   "appendonly yes\n"
                   "aof-use-rdb-preamble yes\n"
                   "save \"\"\n"
                   "maxmemory-policy noeviction\n"
                   /* For backups: a dump goes to the socket and touches no disk. */
                   "repl-diskless-sync yes\n"
                   "repl-diskless-sync-delay 0\n");
    if (seven)
        text_add(text, "enable-protected-configs no\n"
                       "enable-debug-command no\n"
                       "enable-module-command no\n");
}

static bool write_main(struct task *task, struct json_object *chosen, struct error *err)
{
    autofree char *path = xasprintf("%s/redis.conf", task->engine->conf);
    autotext struct text text = { 0 };

    add_ours(&text, task);
    text_add(&text, "# chosen by memory\n");
    chosen_add_lines(&text, json_get(chosen, "memory"));
    text_add(&text, "include " ENGINE_CONF "/kept.conf\n# asked for\n");
    chosen_add_lines(&text, json_get(chosen, "settings"));
    text_add(&text, "include " ENGINE_CONF "/gate.conf\n");
    return chosen_write_kept(task->engine->conf, json_get(chosen, "kept"), err) &&
           file_write(path, text.bytes, text.length, 0644, err);
}

static bool write_launch(struct task *task, struct error *err)
{
    autofree char *program =
        engine_tree_path(task->engine->tree, flavour_find(task->store->name)->programs);
    const char *argv[] = { program, ENGINE_CONF "/redis.conf", NULL };
    struct launch launch = { .argv = argv, .stop_signal = SIGTERM, .immediate_signal = SIGKILL };

    if (program == NULL)
        return error_set(err, ERROR_INCOMPATIBLE, "the tree of '%s' holds no %s",
                         task->engine->version, task->store->name);
    return engine_write_launch(task->engine, &launch, err);
}

/* Others may not look into conf/, so that the files in it can be the engine's to read. */
static bool make_folder(const struct engine *engine, struct error *err)
{
    if (!file_make_folder(engine->conf, 0750, err))
        return false;
    if (lchown(engine->conf, 0, (gid_t)engine->uid) != 0 || chmod(engine->conf, 0750) != 0)
        return error_errno(err, "cannot let the engine read '%s'", engine->conf);
    return true;
}

static bool write_accounts(struct task *task, const char *conf, enum gate gate, struct error *err)
{
    autoptr(acl) acl = acl_read_files(conf, err);
    autofree char *secret = acl == NULL ? NULL : secret_read(task->engine, true, err);

    if (secret == NULL)
        return false;
    explicit_bzero(secret, strlen(secret));
    return acl_write(task, acl, gate, err);
}

bool redis_configure(struct task *task, struct json_object *settings, enum gate gate,
                     struct error *err)
{
    autofree char *conf = earlier_conf(task->engine);
    autoptr(json_object) before = NULL;
    autoptr(json_object) chosen = NULL;

    if (!check_all(task->engine, settings, err) || (before = chosen_read(conf, err)) == NULL)
        return false;
    chosen = choose(task, settings, before);
    return make_folder(task->engine, err) && gate_write(task, gate, err) &&
           write_accounts(task, conf, gate, err) && write_main(task, chosen, err) &&
           chosen_write(task->engine->conf, chosen, err) && write_launch(task, err);
}

/* redis.conf without what the check has no files for; the lines of the includes in their place. */
static char *text_to_check(const struct engine *engine, struct error *err)
{
    autofree char *path = xasprintf("%s/redis.conf", engine->conf);
    autofree char *kept_path = xasprintf("%s/kept.conf", engine->conf);
    autofree char *conf = file_read(path, NULL, err);
    autofree char *kept = conf == NULL ? NULL : file_read(kept_path, NULL, err);
    autotext struct text text = { 0 };

    if (kept == NULL)
        return NULL;
    text_add(&text, kept);
    for (const char *line = conf; *line != '\0'; line += *line == '\n') {
        size_t length = strcspn(line, "\n");
        if (!text_starts(line, "include ") && !text_starts(line, "aclfile ") &&
            !text_starts(line, "dir ")) {
            text_add_bytes(&text, line, length);
            text_add(&text, "\n");
        }
        line += length;
    }
    text_add(&text, CHECK_ENDS "\n");
    return steal(text.bytes);
}

static int memory_file(const char *text, struct error *err)
{
    autoclose int fd = memfd_create("conf", MFD_CLOEXEC);

    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) ||
        lseek(fd, 0, SEEK_SET) != 0) {
        error_errno(err, "cannot hand the settings over");
        return -1;
    }
    return steal_fd(&fd);
}

/*
 * The engine has no option for this. It reads a configuration from stdin too, and stops at the
 * first line that it does not understand, before it does anything: ours is the last one.
 */
bool redis_check_settings(struct task *task, struct error *err)
{
    autofree char *text = text_to_check(task->engine, err);
    autoclose int input = text == NULL ? -1 : memory_file(text, err);
    autofree char *program =
        engine_tree_path(task->engine->tree, flavour_find(task->store->name)->programs);
    const char *argv[] = { program, "-", NULL };
    struct engine_tool tool = {
        .argv = argv, .input = input, .without_data = true, .tick = task_tick, .context = task
    };
    autoresult struct process_result result = { 0 };

    if (input < 0)
        return false;
    if (!engine_run_tool(task->engine, &tool, &result, err))
        return error_prefix(err, "cannot check the settings");

    const char *said = result.errors.bytes == NULL ? "" : result.errors.bytes;
    const char *fault = strstr(said, ">>> '");
    if (fault != NULL && text_starts(fault, ">>> '" CHECK_ENDS))
        return true;
    error_set(err, ERROR_ENGINE, "the engine does not accept the settings");
    return error_native(err, fault != NULL ? fault : text_last_lines(said, 5));
}

/* Brings one setting into force; what a running engine cannot change waits for its restart. */
static bool reload_one(redisContext *db, const char *name, const char *value,
                       struct json_object *restart_needed, struct error *err)
{
    autofree char *present = connection_setting(db, name, err);

    if (err->reason != ERROR_NONE)
        return false;
    if (present != NULL && !chosen_has_words(name) && chosen_same(present, value))
        return true;
    if (present != NULL && connection_set(db, name, value, err))
        return true;
    if (present != NULL && strstr(err->native, "immutable") == NULL)
        return false;
    error_clear(err);
    json_object_array_add(restart_needed, json_object_new_string(name));
    return true;
}

/* What nobody asks for any more: the engine's own defaults only a restart brings back. */
static bool reload_removed(struct task *task, redisContext *db, struct json_object *removed,
                           struct json_object *restart_needed, struct error *err)
{
    for (size_t i = 0; removed != NULL && i < json_object_array_length(removed); i++) {
        struct json_object *name = json_object_array_get_idx(removed, i);
        autofree char *value = chosen_value(task->engine, json_object_get_string(name));
        if (!chosen_has_default(json_object_get_string(name)))
            json_object_array_add(restart_needed, json_object_get(name));
        else if (!reload_one(db, json_object_get_string(name), value, restart_needed, err))
            return false;
    }
    return true;
}

static bool reload_all(struct task *task, redisContext *db, struct json_object *settings,
                       struct json_object *restart_needed, struct error *err)
{
    struct json_object_iter setting;

    if (settings == NULL)
        return true;
    json_object_object_foreachC (settings, setting) {
        autofree char *text = chosen_value(task->engine, setting.key);
        if (!reload_one(db, setting.key, text, restart_needed, err))
            return false;
    }
    return true;
}

bool redis_reload(struct task *task, struct json_object *restart_needed, struct error *err)
{
    autoptr(json_object) chosen = chosen_read(task->engine->conf, err);
    autoptr(redisContext) db = chosen == NULL ? NULL : connection_open(task, err);

    return db != NULL && reload_all(task, db, json_get(chosen, "memory"), restart_needed, err) &&
           reload_all(task, db, json_get(chosen, "kept"), restart_needed, err) &&
           reload_all(task, db, json_get(chosen, "settings"), restart_needed, err) &&
           reload_removed(task, db, json_get(chosen, "removed"), restart_needed, err);
}
