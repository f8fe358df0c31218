/*
 * The version layer by hand, for test_version_sources.py:
 *
 *     version_driver STATE pull JOB SOURCE    all steps; with JSON on stdout, the result
 *     version_driver STATE available SOURCE     {"rows": [...]}
 *     version_driver STATE bundle VERSION FILE KEY
 *     version_driver STATE remove VERSION
 *     version_driver STATE sweep
 *
 * Errors are JSON on stdout too, with exit status 1. The datastore is called redis; what its engine
 * says of itself comes from a chroot into the tree. Keys are in STATE/keys.d.
 */
#include "version.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "datastore.h"
#include "engine.h"
#include "error.h"
#include "json.h"
#include "memory.h"
#include "process.h"
#include "site.h"
#include "task.h"

void task_progress(struct task *task, uint64_t done_bytes, uint64_t total_bytes)
{
    (void)task;
    (void)done_bytes;
    (void)total_bytes;
}

void task_what(struct task *task, const char *format, ...)
{
    (void)task;
    (void)format;
}

bool task_goes_on(struct task *task, struct error *err)
{
    (void)task;
    (void)err;
    return true;
}

void task_sleep_ms(struct task *task, int milliseconds)
{
    (void)task;
    usleep((useconds_t)milliseconds * 1000);
}

/* "Redis server v=7.0.15 sha=..." */
static bool probe(struct task *task, struct json_object *manifest, struct error *err)
{
    const char *const argv[] = { "chroot", task->engine->tree, "/usr/bin/redis-server", "--version",
                                 NULL };
    autoresult struct process_result result = { 0 };

    if (!process_run(argv, NULL, &result, err))
        return false;
    char *version = strstr(result.output.bytes, "v=");
    if (result.status != 0 || version == NULL)
        return error_set(err, ERROR_INCOMPATIBLE, "there is no Redis in the tree");
    version[strcspn(version, " \n")] = '\0';
    json_add_string(manifest, "engine_version", version + 2);
    return true;
}

static bool pull(struct task *task, struct json_object *result, struct error *err)
{
    static bool (*const steps[])(struct version_pull * pull, struct error * err) = {
        version_pull_look,   version_pull_space,  version_pull_fetch,
        version_pull_unpack, version_pull_verify, version_pull_publish,
    };
    autoptr(version_pull) pull = version_pull_new(task, err);
    struct error undo = { 0 };
    bool good = pull != NULL;

    if (!good)
        return false;
    /* Twice each: repeating is harmless. */
    for (size_t i = 0; i < 2 * ARRAY_SIZE(steps) && good; i++)
        good = steps[i / 2](pull, err);
    if (good)
        version_pull_result(pull, result);
    if (good)
        return version_pull_end(pull, err);
    if (!version_pull_unpublish(pull, &undo) || !version_pull_drop(pull, &undo))
        error_move(err, &undo);
    return false;
}

static bool bundle(struct task *task, char **argv, struct json_object *result, struct error *err)
{
    struct error undo = { 0 };

    json_add_string(task->params, "datastore", "redis");
    json_add_string(task->params, "version", argv[1]);
    json_add_string(task->params, "file", argv[2]);
    json_add_string(task->params, "key", argv[3]);
    bool good = version_bundle_check(task, err) && version_bundle_pack(task, err) &&
                version_bundle_seal(task, err) && version_bundle_publish(task, result, err);
    return version_bundle_drop(task, &undo) && good;
}

static bool run(struct task *task, char **argv, struct json_object *result, struct error *err)
{
    uint64_t freed_bytes = 0;

    if (strcmp(argv[0], "sweep") == 0) {
        version_sweep(task->site, NULL);
        return true;
    }
    if (strcmp(argv[0], "remove") == 0)
        return version_remove(task, "redis", argv[1], &freed_bytes, err);
    if (strcmp(argv[0], "available") == 0) {
        task->job = "read";
        return version_available(task, argv[1], json_add_array(result, "rows"), err);
    }
    if (strcmp(argv[0], "bundle") == 0)
        return bundle(task, argv, result, err);
    task->job = argv[1];
    json_add_string(task->params, "source", argv[2]);
    return pull(task, result, err);
}

int main(int argc, char **argv)
{
    static const char *const packages[] = { "redis-server", NULL };
    static const struct datastore store = {
        .name = "redis", .user = "redis", .packages = packages, .probe = probe
    };

    if (argc < 3)
        return 2;
    autofree char *versions = xasprintf("%s/versions", argv[1]);
    autofree char *backups = xasprintf("%s/backups", argv[1]);
    autofree char *keys = xasprintf("%s/keys.d", argv[1]);
    const struct site site = {
        .state_dir = argv[1],
        .versions_dir = versions,
        .backups_dir = backups,
        .libexec_dir = getenv("VERSION_DRIVER_LIBEXEC"),
        .policy = getenv("VERSION_DRIVER_POLICY"),
        .authfile = getenv("VERSION_DRIVER_AUTHFILE"),
        .keys_dir = keys,
        .uid_first = 61000,
        .uid_count = 100,
    };
    autoptr(json_object) params = json_object_new_object();
    autoptr(json_object) result = json_object_new_object();
    struct task task = { .site = &site, .store = &store, .job = "j1", .params = params };
    struct error err = { 0 };

    bool good = run(&task, argv + 2, result, &err);
    autoptr(json_object) failure = good ? NULL : error_to_json(&err);
    printf("%s\n", json_line(good ? result : failure));
    error_clear(&err);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
