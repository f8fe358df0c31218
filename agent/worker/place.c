#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "datastore.h"
#include "engine.h"
#include "error.h"
#include "file.h"
#include "json.h"
#include "memory.h"
#include "process.h"
#include "site.h"
#include "task.h"

char *place_folder(const struct site *site, const char *instance)
{
    return xasprintf("%s/instances/%s", site->state_dir, instance);
}

struct json_object *place_read(const struct site *site, const char *instance, struct error *err)
{
    autofree char *folder = place_folder(site, instance);
    autofree char *path = xasprintf("%s/instance.json", folder);

    if (!file_exists(path)) {
        error_set(err, ERROR_NOT_FOUND, "instance '%s' does not exist", instance);
        error_hint(err, "dbguestctl instance list");
        return NULL;
    }
    return json_read_file(path, err);
}

bool place_set(const char *folder, const char *name, struct json_object *value, struct error *err)
{
    autofree char *path = xasprintf("%s/instance.json", folder);
    autoptr(json_object) facts = json_read_file(path, err);

    if (facts == NULL) {
        json_object_put(value);
        return false;
    }
    json_add(facts, name, value);
    return json_write_file(path, facts, 0600, err);
}

bool place_make(const char *folder, struct json_object *facts, bool closed, struct error *err)
{
    autoptr(json_object) owned = facts;
    autofree char *path = xasprintf("%s/instance.json", folder);
    autofree char *files = xasprintf("%s/data/1/files", folder);
    autofree char *log = xasprintf("%s/log", folder);
    autofree char *generations = xasprintf("%s/generations", folder);

    if (!file_make_folder(folder, 0755, err) || (closed && !place_close(folder, err)))
        return false;
    return json_write_file(path, owned, 0600, err) && file_make_folder(files, 0700, err) &&
           file_make_folder(log, 0700, err) && file_make_folder(generations, 0755, err);
}

static bool uid_is_taken(const struct site *site, uid_t uid, char **instances)
{
    for (size_t i = 0; instances[i] != NULL; i++) {
        struct error ignored = { 0 };
        autoptr(json_object) facts = place_read(site, instances[i], &ignored);

        error_clear(&ignored);
        if (facts != NULL && json_get_int(facts, "uid") == uid)
            return true;
    }
    return false;
}

uid_t place_free_uid(const struct site *site, struct error *err)
{
    autofree char *folder = xasprintf("%s/instances", site->state_dir);
    char **instances = file_names(folder, err);
    uid_t found = 0;

    if (instances == NULL)
        return 0;
    for (unsigned int i = 0; i < site->uid_count && found == 0; i++)
        if (!uid_is_taken(site, site->uid_first + i, instances))
            found = site->uid_first + i;
    file_free_names(instances);
    if (found == 0)
        error_set(err, ERROR_BUSY, "all %u user ids of the configured range are taken",
                  site->uid_count);
    return found;
}

/* The last part of what a symbolic link names; NULL when there is none. */
static char *link_name(const char *path)
{
    char target[4096];
    ssize_t length = readlink(path, target, sizeof(target) - 1);

    if (length <= 0)
        return NULL;
    target[length] = '\0';
    const char *slash = strrchr(target, '/');
    return xstrdup(slash == NULL ? target : slash + 1);
}

int place_current(const char *folder)
{
    autofree char *path = xasprintf("%s/current", folder);
    autofree char *name = link_name(path);

    return name == NULL ? 0 : (int)strtol(name, NULL, 10);
}

static bool read_identity(struct engine *engine, const struct datastore *store, struct error *err)
{
    autofree char *path = xasprintf("%s/instance.json", engine->folder);
    autoptr(json_object) facts = json_read_file(path, err);

    if (facts == NULL)
        return false;
    engine->instance = xstrdup(json_get_string(facts, "name"));
    engine->datastore = xstrdup(json_get_string(facts, "datastore"));
    engine->user = xstrdup(store->user);
    engine->sockets = xstrdup(json_get_string(facts, "sockets"));
    engine->port = (int)json_get_int(facts, "port");
    engine->uid = (uid_t)json_get_int(facts, "uid");
    engine->scratch = json_get_bool(facts, "scratch");
    return true;
}

struct engine *place_engine(const struct site *site, const struct datastore *store,
                            const char *folder, int number, struct error *err)
{
    autoptr(engine) engine = xcalloc(1, sizeof(*engine));

    engine->site = site;
    engine->folder = xstrdup(folder);
    engine->number = number == 0 ? place_current(folder) : number;
    if (!read_identity(engine, store, err))
        return NULL;
    if (engine->number == 0) {
        error_set(err, ERROR_NEEDS_ATTENTION, "'%s' has no generation to run", engine->instance);
        return NULL;
    }

    engine->generation = xasprintf("%s/generations/%d", folder, engine->number);
    engine->conf = xasprintf("%s/conf", engine->generation);
    engine->log = xasprintf("%s/log/engine.log", folder);
    autofree char *version_link = xasprintf("%s/version", engine->generation);
    autofree char *data_link = xasprintf("%s/data", engine->generation);
    autofree char *data = link_name(data_link);
    engine->version = link_name(version_link);
    if (engine->version == NULL || data == NULL) {
        error_set(err, ERROR_NEEDS_ATTENTION, "generation %d of '%s' is incomplete", engine->number,
                  engine->instance);
        return NULL;
    }
    engine->tree = xasprintf("%s/%s/%s/tree", site->versions_dir, store->name, engine->version);
    engine->data = xasprintf("%s/data/%s", folder, data);
    engine->files = xasprintf("%s/files", engine->data);
    return steal(engine);
}

int place_data_number(const struct engine *engine)
{
    return (int)strtol(strrchr(engine->data, '/') + 1, NULL, 10);
}

bool place_make_generation(const struct site *site, const char *folder, const char *datastore,
                           const struct place_wanted_generation *wanted, struct error *err)
{
    autofree char *generation = xasprintf("%s/generations/%d", folder, wanted->number);
    autofree char *conf = xasprintf("%s/conf", generation);
    autofree char *path = xasprintf("%s/settings.json", generation);
    autofree char *version_link = xasprintf("%s/version", generation);
    autofree char *data_link = xasprintf("%s/data", generation);
    autofree char *version_folder =
        xasprintf("%s/%s/%s", site->versions_dir, datastore, wanted->version);
    autofree char *data = xasprintf("../../data/%d", wanted->data_number);
    autoptr(json_object) written =
        wanted->settings == NULL ? json_object_new_object() : json_copy(wanted->settings);

    if (wanted->number == place_current(folder))
        return error_set(err, ERROR_INTERNAL, "generation %d of '%s' is in use", wanted->number,
                         folder);
    return file_remove_tree(generation, err) && file_make_folder(conf, 0755, err) &&
           json_write_file(path, written, 0600, err) &&
           file_link(version_folder, version_link, err) && file_link(data, data_link, err);
}

bool place_use(const char *folder, int number, struct error *err)
{
    autofree char *target = xasprintf("generations/%d", number);
    autofree char *path = xasprintf("%s/current", folder);

    return place_current(folder) == number ? file_sync(folder, err) : file_link(target, path, err);
}

bool place_drop_generation(const char *folder, int number, struct error *err)
{
    autofree char *generation = xasprintf("%s/generations/%d", folder, number);

    return number == place_current(folder) || file_remove_tree(generation, err);
}

/* Whether a generation that is left names this data folder. */
static bool data_is_named(const char *folder, const char *data, char **generations)
{
    for (size_t i = 0; generations[i] != NULL; i++) {
        autofree char *path = xasprintf("%s/generations/%s/data", folder, generations[i]);
        autofree char *name = link_name(path);

        if (name != NULL && strcmp(name, data) == 0)
            return true;
    }
    return false;
}

static bool drop_unnamed_data(const char *folder, struct error *err)
{
    autofree char *generations_folder = xasprintf("%s/generations", folder);
    autofree char *data_folder = xasprintf("%s/data", folder);
    char **generations = file_names(generations_folder, err);
    char **data = generations == NULL ? NULL : file_names(data_folder, err);
    bool good = data != NULL;

    for (size_t i = 0; good && data[i] != NULL; i++) {
        autofree char *path = xasprintf("%s/%s", data_folder, data[i]);

        if (!data_is_named(folder, data[i], generations))
            good = file_remove_tree(path, err);
    }
    file_free_names(data);
    file_free_names(generations);
    return good;
}

bool place_tidy(const char *folder, int number, struct error *err)
{
    autofree char *generations_folder = xasprintf("%s/generations", folder);
    char **generations = file_names(generations_folder, err);
    int before = 0;
    bool good = generations != NULL;

    for (size_t i = 0; good && generations[i] != NULL; i++) {
        int other = (int)strtol(generations[i], NULL, 10);
        if (other < number && other > before)
            before = other;
    }
    for (size_t i = 0; good && generations[i] != NULL; i++) {
        int other = (int)strtol(generations[i], NULL, 10);
        if (other < before)
            good = place_drop_generation(folder, other, err);
    }
    file_free_names(generations);
    return good && drop_unnamed_data(folder, err);
}

bool place_release(const char *folder, struct error *err)
{
    autofree char *generations_folder = xasprintf("%s/generations", folder);
    char **generations = file_names(generations_folder, err);
    bool good = generations != NULL;

    for (size_t i = 0; good && generations[i] != NULL; i++)
        good = place_drop_generation(folder, (int)strtol(generations[i], NULL, 10), err);
    file_free_names(generations);
    return good && drop_unnamed_data(folder, err);
}

struct json_object *place_settings(const struct engine *engine)
{
    autofree char *path = xasprintf("%s/settings.json", engine->generation);
    struct error ignored = { 0 };
    struct json_object *settings = json_read_file(path, &ignored);

    error_clear(&ignored);
    return settings == NULL ? json_object_new_object() : settings;
}

bool place_write_settings(const struct engine *engine, struct json_object *settings,
                          struct error *err)
{
    autofree char *path = xasprintf("%s/settings.json", engine->generation);

    return json_write_file(path, settings, 0600, err);
}

bool place_is_closed(const char *folder)
{
    autofree char *path = xasprintf("%s/closed", folder);

    return file_exists(path);
}

bool place_close(const char *folder, struct error *err)
{
    autofree char *path = xasprintf("%s/closed", folder);

    return file_exists(path) ? file_sync(folder, err) : file_write(path, "", 0, 0600, err);
}

bool place_reopen(const char *folder, struct error *err)
{
    autofree char *path = xasprintf("%s/closed", folder);

    return file_remove(path, err);
}

int place_look(const struct engine *engine, struct error *err)
{
    autoclose int fd = open(engine->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) == 0 && !place_is_closed(engine->folder))
        return steal_fd(&fd);
    error_set(err, ERROR_BUSY, "'%s' is closed: it is being changed, or waits for its recovery",
              engine->instance);
    error_hint(err, "dbguestctl instance show %s", engine->instance);
    return -1;
}

bool place_await_looks(struct task *task, struct error *err)
{
    autoclose int fd = open(task->engine->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return error_errno(err, "cannot open '%s'", task->engine->folder);
    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return error_errno(err, "cannot lock '%s'", task->engine->folder);
        if (!task_goes_on(task, err))
            return false;
        task_sleep_ms(task, 1);
    }
    return true;
}

bool place_wanted(const char *folder)
{
    autofree char *path = xasprintf("%s/instance.json", folder);
    struct error ignored = { 0 };
    autoptr(json_object) facts = json_read_file(path, &ignored);
    const char *wanted = json_get_string(facts, "wanted");

    error_clear(&ignored);
    return wanted != NULL && strcmp(wanted, "running") == 0;
}

bool place_want(const char *folder, bool running, struct error *err)
{
    if (place_wanted(folder) == running)
        return true;
    return place_set(folder, "wanted", json_object_new_string(running ? "running" : "stopped"),
                     err);
}
