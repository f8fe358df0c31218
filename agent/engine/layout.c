#include "layout.h"

#include <errno.h>
#include <json-c/json.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "environment.h"
#include "error.h"
#include "file.h"
#include "json.h"
#include "memory.h"

void engine_free(struct engine *engine)
{
    if (engine == NULL)
        return;
    free(engine->instance);
    free(engine->datastore);
    free(engine->user);
    free(engine->folder);
    free(engine->generation);
    free(engine->conf);
    free(engine->data);
    free(engine->files);
    free(engine->version);
    free(engine->tree);
    free(engine->sockets);
    free(engine->log);
    free(engine);
}

static char *resolve(const char *folder, const char *name, struct error *err)
{
    autofree char *path = xasprintf("%s/%s", folder, name);
    char *resolved = realpath(path, NULL);

    if (resolved == NULL)
        error_errno(err, "cannot resolve '%s'", path);
    return resolved;
}

/* The last part of a path that is resolved and so has one. */
static const char *last_part(const char *path)
{
    return strrchr(path, '/') + 1;
}

static bool read_instance(struct engine *engine, struct error *err)
{
    autofree char *path = xasprintf("%s/instance.json", engine->folder);
    autoptr(json_object) instance = json_read_file(path, err);
    const char *name = NULL;
    const char *datastore = NULL;
    const char *user = NULL;
    const char *sockets = NULL;
    int64_t uid = 0;

    if (instance == NULL)
        return false;
    if (!json_string(instance, "name", &name, err) ||
        !json_string(instance, "datastore", &datastore, err) ||
        !json_string(instance, "user", &user, err) ||
        !json_string(instance, "sockets", &sockets, err) || !json_int(instance, "uid", &uid, err))
        return error_prefix(err, "'%s'", path);
    /* 0 would be root, and -1 means "leave it" to setresuid(2): neither may come to run an engine.
     */
    if (uid <= 0 || uid >= UINT32_MAX || sockets[0] != '/')
        return error_set(err, ERROR_CORRUPT, "'%s' has a uid or sockets that cannot be", path);

    engine->instance = xstrdup(name);
    engine->datastore = xstrdup(datastore);
    engine->user = xstrdup(user);
    engine->sockets = xstrdup(sockets);
    engine->uid = (uid_t)uid;
    engine->port = (int)json_get_int(instance, "port");
    return true;
}

static bool read_generation(struct engine *engine, struct error *err)
{
    engine->generation = resolve(engine->folder, "current", err);
    if (engine->generation == NULL)
        return false;
    engine->number = (int)strtol(last_part(engine->generation), NULL, 10);
    engine->conf = xasprintf("%s/conf", engine->generation);

    engine->data = resolve(engine->generation, "data", err);
    autofree char *version = resolve(engine->generation, "version", err);
    if (engine->data == NULL || version == NULL)
        return false;

    engine->files = xasprintf("%s/files", engine->data);
    engine->version = xstrdup(last_part(version));
    engine->tree = resolve(version, "tree", err);
    return engine->tree != NULL;
}

struct engine *engine_load(const struct site *site, const char *folder, struct error *err)
{
    autoptr(engine) engine = xcalloc(1, sizeof(*engine));

    engine->site = site;
    engine->folder = realpath(folder, NULL);
    if (engine->folder == NULL) {
        error_errno(err, "cannot resolve '%s'", folder);
        return NULL;
    }
    engine->log = xasprintf("%s/log/engine.log", engine->folder);
    if (!read_instance(engine, err) || !read_generation(engine, err))
        return NULL;
    return steal(engine);
}

static struct json_object *strings_to_json(const char *const *strings)
{
    struct json_object *array = json_object_new_array();

    for (; strings != NULL && *strings != NULL; strings++)
        json_object_array_add(array, json_object_new_string(*strings));
    return array;
}

bool engine_write_launch(const struct engine *engine, const struct launch *launch,
                         struct error *err)
{
    autofree char *path = xasprintf("%s/launch.json", engine->generation);
    autoptr(json_object) object = json_object_new_object();

    json_add(object, "argv", strings_to_json(launch->argv));
    json_add(object, "env", strings_to_json(launch->env));
    json_add_int(object, "stop_signal", launch->stop_signal);
    json_add_int(object, "immediate_signal", launch->immediate_signal);
    return json_write_file(path, object, 0600, err);
}

/* Owned and NULL-ended; NULL when array is none of strings. */
static char **strings_from_json(struct json_object *array)
{
    if (!json_object_is_type(array, json_type_array))
        return NULL;

    size_t count = json_object_array_length(array);
    char **strings = xcalloc(count + 1, sizeof(*strings));
    for (size_t i = 0; i < count; i++) {
        struct json_object *string = json_object_array_get_idx(array, i);
        if (!json_object_is_type(string, json_type_string)) {
            layout_free_strings(strings);
            return NULL;
        }
        strings[i] = xstrdup(json_object_get_string(string));
    }
    return strings;
}

void layout_free_strings(char **strings)
{
    for (char **string = strings; string != NULL && *string != NULL; string++)
        free(*string);
    free(strings);
}

static bool is_signal(int number)
{
    return number > 0 && number < SIGRTMIN;
}

struct program *program_read(const struct engine *engine, struct error *err)
{
    autofree char *path = xasprintf("%s/launch.json", engine->generation);
    autoptr(json_object) object = json_read_file(path, err);
    autoptr(program) program = xcalloc(1, sizeof(*program));

    if (object == NULL)
        return NULL;
    program->argv = strings_from_json(json_get(object, "argv"));
    char **env = strings_from_json(json_get(object, "env"));
    program->env = environment_make(engine, (const char *const *)env, false);
    layout_free_strings(env);
    program->stop_signal = (int)json_get_int(object, "stop_signal");
    program->immediate_signal = (int)json_get_int(object, "immediate_signal");
    if (program->argv == NULL || program->argv[0] == NULL || program->argv[0][0] != '/' ||
        !is_signal(program->stop_signal) || !is_signal(program->immediate_signal)) {
        error_set(err, ERROR_CORRUPT, "'%s' does not say how to start the engine", path);
        return NULL;
    }
    return steal(program);
}

void program_free(struct program *program)
{
    if (program == NULL)
        return;
    layout_free_strings(program->argv);
    layout_free_strings(program->env);
    free(program);
}

bool layout_closed(const struct engine *engine)
{
    autofree char *path = xasprintf("%s/closed", engine->folder);

    /* What cannot be looked at may be closed. */
    return file_exists(path) || errno != ENOENT;
}

/* Beside the folder of its sockets, which need not be there yet. */
char *layout_permit_path(const struct engine *engine)
{
    int length = (int)(last_part(engine->sockets) - engine->sockets);

    return xasprintf("%.*spermits/%s", length, engine->sockets, engine->instance);
}

bool layout_permitted(const struct engine *engine)
{
    struct process giver;
    struct error unread = { 0 };
    autofree char *path = layout_permit_path(engine);

    /* On a disk it would outlive a reboot, and so permit what nobody watches any more. */
    if (!file_exists(path) || !file_is_tmpfs(path))
        return false;
    /* Nor does it outlive who gave it: a killed worker cannot take it back. */
    autoptr(json_object) permit = json_read_file(path, &unread);
    error_clear(&unread);
    return permit != NULL && process_from_json(permit, &giver) && process_lives(&giver);
}
