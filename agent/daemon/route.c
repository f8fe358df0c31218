#include "route.h"

#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "daemon.h"
#include "error.h"
#include "file.h"
#include "instance.h"
#include "jobs.h"
#include "json.h"
#include "memory.h"
#include "method.h"
#include "program.h"
#include "request.h"

static void route_free(struct route *route)
{
    error_clear(&route->err);
    free(route->datastore);
    free(route->version);
    free(route->program);
    free(route->manifest);
    free(route);
}

static void fail(struct route *route)
{
    route->then(route->request, route);
    route_free(route);
}

static bool is_new(const struct method *method, const char *name)
{
    const struct param *param = NULL;

    for (size_t i = 0; (param = method_param(method, i)) != NULL; i++)
        if (strcmp(param->name, name) == 0)
            return (param->flags & PARAM_NEW) != 0;
    return false;
}

static bool blame_missing(const struct route *route, const char *name, struct error *err)
{
    const char *nearest = instances_nearest(route->request->daemon, name);

    error_set(err, ERROR_NOT_FOUND, "instance '%s' does not exist", name);
    if (nearest != NULL)
        return error_hint(err, "did you mean '%s'?  dbguestctl instance list", nearest);
    return error_hint(err, "dbguestctl instance list");
}

/* An instance that is just being made counts as there, for those who queue behind its making. */
static bool find_instance(struct route *route, const char *name, struct error *err)
{
    const struct request *request = route->request;
    const struct instance *instance = instances_find(request->daemon, name);
    const char *made = jobs_makes_instance(request->daemon, name);

    if (is_new(request->method, "instance")) {
        if (instance == NULL)
            return true;
        error_set(err, ERROR_EXISTS, "instance '%s' exists already", name);
        return error_hint(err, "dbguestctl instance show %s", name);
    }
    if (instance == NULL && made == NULL)
        return blame_missing(route, name, err);
    free(route->datastore);
    route->datastore = xstrdup(instance != NULL ? instance_datastore(instance) : made);
    return true;
}

static void route_on_programs(void *context)
{
    struct route *route = context;
    struct daemon *daemon = route->request->daemon;
    const char *path = NULL;

    if (route->datastore == NULL)
        path = programs_any(daemon);
    else if (!programs_check(daemon, route->datastore, route->request->method, &route->err))
        path = NULL;
    else
        path = programs_path(daemon, route->datastore);

    if (path == NULL && route->err.reason == ERROR_NONE)
        error_set(&route->err, ERROR_UNSUPPORTED, "there is no datastore program in '%s'",
                  daemon->config->site.libexec_dir);
    if (path == NULL) {
        fail(route);
        return;
    }
    route->program = xstrdup(path);
    route->then(route->request, route);
    route_free(route);
}

static void read_manifest(void *context)
{
    struct route *route = context;
    autoptr(json_object) manifest = json_read_file(route->manifest, &route->err);

    if (manifest == NULL)
        return;
    route->datastore = xstrdup(json_get_string(manifest, "datastore"));
    if (route->version == NULL)
        route->version = xstrdup(json_get_string(manifest, "version"));
    if (route->datastore == NULL)
        error_set(&route->err, ERROR_CORRUPT, "'%s' names no datastore", route->manifest);
}

static void route_on_manifest(void *context)
{
    struct route *route = context;
    const char *backup = json_get_string(route->request->params, "backup");

    if (route->datastore != NULL) {
        programs_need(route->request->daemon, route_on_programs, route);
        return;
    }
    if (route->err.reason == ERROR_INTERNAL || route->err.reason == ERROR_NOT_FOUND) {
        error_set(&route->err, ERROR_NOT_FOUND, "backup '%s' does not exist", backup);
        error_hint(&route->err, "dbguestctl backup list");
    }
    fail(route);
}

/* Backups are kept when their instance is deleted. */
static bool outlives_instance(const struct method *method)
{
    return strcmp(method->name, "backup.list") == 0;
}

void route_find(struct request *request, void (*then)(struct request *request, struct route *route))
{
    struct route *route = xcalloc(1, sizeof(*route));
    const char *instance = json_get_string(request->params, "instance");
    const char *backup = json_get_string(request->params, "backup");

    route->request = request;
    route->then = then;
    route->datastore = xstrdup(json_get_string(request->params, "datastore"));
    route->version = xstrdup(json_get_string(request->params, "version"));
    if (instance != NULL && !outlives_instance(request->method) &&
        !find_instance(route, instance, &route->err)) {
        fail(route);
        return;
    }
    if (backup == NULL || is_new(request->method, "backup")) {
        programs_need(request->daemon, route_on_programs, route);
        return;
    }
    route->manifest =
        xasprintf("%s/%s/manifest.json", request->daemon->config->site.backups_dir, backup);
    work_queue(request->daemon, read_manifest, route_on_manifest, route);
}
