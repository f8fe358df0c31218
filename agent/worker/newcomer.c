#include "newcomer.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cleanup.h"
#include "command.h"
#include "datastore.h"
#include "engine.h"
#include "error.h"
#include "file.h"
#include "json.h"
#include "memory.h"
#include "place.h"
#include "process.h"
#include "site.h"
#include "state.h"
#include "version.h"

#define FRESH_BYTES ((uint64_t)256 << 20) /* an empty engine with its logs */

static bool port_is_free(int port, struct error *err)
{
    autoclose int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    int yes = 1;

    if (fd < 0)
        return error_errno(err, "cannot make a socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        error_set(err, ERROR_EXISTS, "port %d is taken", port);
        return error_hint(err, "choose another port: --port N");
    }
    return true;
}

/* A stopped instance listens nowhere, and still wants its port back. */
static bool port_is_nobodys(struct task *task, int port, struct error *err)
{
    autofree char *folder = xasprintf("%s/instances", task->site->state_dir);
    char **names = file_names(folder, err);
    bool good = names != NULL;

    for (size_t i = 0; good && names[i] != NULL; i++) {
        struct error ignored = { 0 };
        autoptr(json_object) facts = place_read(task->site, names[i], &ignored);

        error_clear(&ignored);
        if (facts != NULL && json_get_int(facts, "port") == port)
            good = error_set(err, ERROR_EXISTS, "port %d belongs to '%s'", port, names[i]) ||
                   error_hint(err, "say --port with another one");
    }
    file_free_names(names);
    return good && port_is_free(port, err);
}

static bool keep_facts(struct task *task, const char *name, const char *folder, const char *version,
                       struct error *err)
{
    uid_t uid = place_free_uid(task->site, err);
    bool scratch = strcmp(name, task->job) == 0;

    if (uid == 0)
        return false;
    struct json_object *facts = json_object_new_object();
    json_add_string(facts, "name", name);
    json_add_string(facts, "folder", folder);
    json_add_string(facts, "version", version);
    json_add_int(facts, "port", scratch ? 0 : json_get_int(task->params, "port"));
    json_add_int(facts, "uid", uid);
    return task_keep_facts(task, facts, err);
}

static bool version_is_there(struct task *task, const char *version, struct error *err)
{
    autoptr(json_object) manifest = version_find(task->site, task->store->name, version, err);

    return manifest != NULL;
}

bool newcomer_check(struct task *task, const char *name, const char *version, struct error *err)
{
    autofree char *folder = place_folder(task->site, name);
    int port = (int)json_get_int(task->params, "port");

    if (file_exists(folder))
        return error_set(err, ERROR_EXISTS, "instance '%s' exists", name);
    return version_is_there(task, version, err) &&
           (port == 0 || port_is_nobodys(task, port, err)) &&
           file_need_space(task->site->state_dir, FRESH_BYTES, "a new instance", err) &&
           keep_facts(task, name, folder, version, err);
}

bool newcomer_check_scratch(struct task *task, const char *version, struct error *err)
{
    autofree char *folder = xasprintf("%s/scratch/%s", task->site->state_dir, task->job);

    return version_is_there(task, version, err) &&
           keep_facts(task, task->job, folder, version, err);
}

static bool is_scratch(struct task *task)
{
    return strcmp(task_fact_text(task, "name"), task->job) == 0;
}

bool newcomer_set(struct task *task, struct error *err)
{
    const char *folder = task_fact_text(task, "folder");

    if (folder == NULL || place_current(folder) == 0)
        return true; /* it never came into being */
    if (task->engine != NULL)
        engine_free(task->engine);
    task->engine = place_engine(task->site, task->store, folder, 0, err);
    return task->engine != NULL;
}

static struct json_object *identity(struct task *task)
{
    struct json_object *facts = json_object_new_object();
    const char *name = task_fact_text(task, "name");
    autofree char *sockets = xasprintf("%s/%s", task->site->run_dir, name);
    char stamp[32];

    process_stamp(stamp);
    json_add_string(facts, "name", name);
    json_add_string(facts, "datastore", task->store->name);
    json_add_string(facts, "user", task->store->user);
    json_add_int(facts, "uid", json_get_int(task->state->facts, "uid"));
    json_add_int(facts, "port", json_get_int(task->state->facts, "port"));
    json_add_string(facts, "sockets", sockets);
    json_add_string(facts, "wanted", "stopped"); /* until it is finished */
    json_add_string(facts, "created_at", stamp);
    json_add_string(facts, "generation_at", stamp);
    json_add_bool(facts, "scratch", is_scratch(task));
    return facts;
}

bool newcomer_make(struct task *task, struct error *err)
{
    const char *folder = task_fact_text(task, "folder");
    const struct place_wanted_generation first = {
        .version = task_fact_text(task, "version"),
        .number = 1,
        .data_number = 1,
        .settings = json_get(task->params, "settings"),
    };

    if (!place_make(folder, identity(task), true, err) ||
        !place_make_generation(task->site, folder, task->store->name, &first, err) ||
        !place_use(folder, 1, err) || !newcomer_set(task, err))
        return false;
    return file_own_tree(task->engine->files, task->engine->uid, err);
}

bool newcomer_stop(struct task *task, struct error *err)
{
    return task->engine == NULL || command_stop_engine(task, STOP_IMMEDIATE, err);
}

bool newcomer_drop(struct task *task, struct error *err)
{
    const char *folder = task_fact_text(task, "folder");
    int above = (int)(strrchr(folder, '/') - folder);
    autofree char *hidden = xasprintf("%.*s/.dropped-%s", above, folder, task->job);
    autofree char *sockets = xasprintf("%s/%s", task->site->run_dir, task_fact_text(task, "name"));

    if (!newcomer_stop(task, err))
        return false;
    if (task->engine != NULL)
        engine_free(task->engine);
    task->engine = NULL;
    /* One rename: half of it would be no engine to act on when this is repeated. */
    if (file_exists(folder) && !file_move(folder, hidden, err))
        return false;
    return file_remove_tree(hidden, err) && file_remove_tree(sockets, err);
}

bool newcomer_configure(struct task *task, struct error *err)
{
    autoptr(json_object) settings = place_settings(task->engine);

    if (task->store->configure(task, settings, GATE_CLOSED, err) &&
        (task->store->check_settings == NULL || task->store->check_settings(task, err)))
        return true;
    return error_prefix(err, "cannot configure '%s'; nothing was changed", task->engine->instance);
}

bool newcomer_start(struct task *task, struct error *err)
{
    return command_start_engine(task, err);
}

bool newcomer_ready(struct task *task, struct error *err)
{
    return command_start_engine(task, err); /* what runs already is left alone */
}

bool newcomer_finish(struct task *task, struct error *err)
{
    struct engine *engine = task->engine;

    if (!place_want(engine->folder, true, err) || !command_start_engine(task, err) ||
        !task->store->gate(task, GATE_OPEN, NULL, err) || !engine_enable(engine, true, err) ||
        !place_reopen(engine->folder, err))
        return false;
    command_fill_instance(task, task->state->result, false);
    return true;
}
