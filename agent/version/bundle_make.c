#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bundle_file.h"
#include "error.h"
#include "file.h"
#include "json.h"
#include "key.h"
#include "log.h"
#include "memory.h"
#include "process.h"
#include "site.h"
#include "task.h"
#include "text.h"
#include "version.h"

/*
 * Making a bundle, beside the file that it is going to be: FOLDER/.NAME.JOB is packed, gets its
 * head, and is then given its name by link(2), which never replaces what is there.
 */

/* tar reads it in one order whatever the disk's is; its failing packer is its own failure. */
static const char pack_script[] =
    "exec tar --create --format=gnu --sort=name --numeric-owner --owner=0 --group=0 "
    "--use-compress-program='zstd -q -10 -T0' --directory=\"$1\" . >>\"$2\"";

static const char *param(const struct task *task, const char *name)
{
    return json_get_string(task->params, name);
}

static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == path ? xstrdup("/") : xstrndup(path, (size_t)(slash - path));
}

static char *part_path(const struct task *task)
{
    const char *path = param(task, "file");
    autofree char *folder = folder_of(path);

    return xasprintf("%s/.%s.%s", folder, strrchr(path, '/') + 1, task->job);
}

static struct json_object *find_version(const struct task *task, struct error *err)
{
    return version_find(task->site, param(task, "datastore"), param(task, "version"), err);
}

static bool check_file(const char *path, struct error *err)
{
    struct stat status;
    autofree char *folder = path[0] == '/' ? folder_of(path) : NULL;

    if (folder == NULL || text_ends(path, "/"))
        return error_set(err, ERROR_INVALID, "file must be an absolute path, not '%s'", path);
    if (stat(folder, &status) != 0 || !S_ISDIR(status.st_mode))
        return error_set(err, ERROR_NOT_FOUND, "there is no folder '%s'", folder);
    if (lstat(path, &status) == 0) {
        error_set(err, ERROR_EXISTS, "'%s' exists already", path);
        return error_hint(err, "give another name, or move it away");
    }
    return true;
}

bool version_bundle_check(struct task *task, struct error *err)
{
    const char *path = param(task, "file");
    autoptr(json_object) version = find_version(task, err);

    if (version == NULL || !check_file(path, err))
        return false;
    autoptr(key) key = key_read_private(param(task, "key"), err);
    autofree char *folder = folder_of(path);
    /* zstd makes a third of a tree. */
    uint64_t needed = (uint64_t)json_get_int(version, "size_bytes") / 2;
    return key != NULL && file_need_space(folder, needed, "the bundle", err);
}

/* What was pulled by whom here is nobody's business elsewhere. */
static struct json_object *make_manifest(struct json_object *version)
{
    struct json_object *manifest = json_object_new_object();
    struct json_object *copy = json_copy(version);
    char stamp[32];

    process_stamp(stamp);
    json_object_object_del(copy, "job");
    json_object_object_del(copy, "state_dir");
    json_add_int(manifest, "format", 1);
    json_add_string(manifest, "packed_at", stamp);
    json_add(manifest, "version", copy);
    return manifest;
}

static uint64_t head_room(struct json_object *version)
{
    autoptr(json_object) manifest = make_manifest(version);

    return bundle_head_room(manifest, (uint64_t)json_get_int(version, "size_bytes"));
}

struct packing {
    struct task *task;
    const char *part;
};

static bool tick(void *context, struct error *err)
{
    struct packing *packing = context;
    struct stat status;

    if (stat(packing->part, &status) == 0)
        task_progress(packing->task, (uint64_t)status.st_size, 0);
    return task_goes_on(packing->task, err);
}

bool version_bundle_pack(struct task *task, struct error *err)
{
    autoptr(json_object) version = find_version(task, err);
    autofree char *part = part_path(task);
    autofree char *tree =
        version_tree_path(task->site, param(task, "datastore"), param(task, "version"));
    const char *const argv[] = { "unshare",   "--pid", "--fork", "--kill-child", "sh", "-c",
                                 pack_script, "sh",    tree,     part,           NULL };
    struct packing packing = { task, part };
    const struct process_options options = { .tick = tick, .context = &packing };
    autoresult struct process_result result = { 0 };
    autoclose int fd = open(part, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);

    if (version == NULL)
        return false;
    if (fd < 0 || ftruncate(fd, (off_t)head_room(version)) != 0)
        return error_errno(err, "cannot make '%s'", part);
    return process_check(argv, &options, &result, err) || error_prefix(err, "cannot pack the tree");
}

bool version_bundle_seal(struct task *task, struct error *err)
{
    autoptr(json_object) version = find_version(task, err);
    autoptr(key) key = version != NULL ? key_read_private(param(task, "key"), err) : NULL;
    autofree char *part = part_path(task);
    autoclose int fd = open(part, O_RDWR | O_NOFOLLOW | O_CLOEXEC);

    if (key == NULL)
        return false;
    autoptr(json_object) manifest = make_manifest(version);
    autofree char *name = key_name(key);
    if (fd < 0)
        return error_errno(err, "cannot open '%s'", part);
    task_what(task, "by the key %.19s...", name);
    return bundle_write_head(fd, head_room(version), manifest, key, err) &&
           (fsync(fd) == 0 || error_errno(err, "cannot write '%s'", part));
}

static bool is_same_file(const char *one, const char *other)
{
    struct stat first;
    struct stat second;

    return lstat(one, &first) == 0 && lstat(other, &second) == 0 && first.st_dev == second.st_dev &&
           first.st_ino == second.st_ino;
}

bool version_bundle_publish(struct task *task, struct json_object *result, struct error *err)
{
    const char *path = param(task, "file");
    autoptr(json_object) version = find_version(task, err);
    autofree char *part = part_path(task);
    autofree char *folder = folder_of(path);
    struct stat status;

    if (version == NULL)
        return false;
    if (link(part, path) != 0 && !is_same_file(part, path)) {
        error_errno(err, "cannot make '%s'", path);
        if (errno == EEXIST)
            err->reason = ERROR_EXISTS;
        return false;
    }
    if (stat(path, &status) != 0 || !file_sync(folder, err))
        return error_errno(err, "cannot look at '%s'", path);
    json_add_string(result, "datastore", param(task, "datastore"));
    json_add_string(result, "version", param(task, "version"));
    json_add_string(result, "file", path);
    json_add_string(result, "digest", json_get_string(version, "digest"));
    json_add_int(result, "size_bytes", status.st_size);
    log_info("version %s of %s is in the bundle '%s'", param(task, "version"),
             param(task, "datastore"), path);
    return true;
}

bool version_bundle_unpublish(struct task *task, struct error *err)
{
    autofree char *part = part_path(task);

    return !is_same_file(part, param(task, "file")) || file_remove(param(task, "file"), err);
}

bool version_bundle_drop(struct task *task, struct error *err)
{
    autofree char *part = part_path(task);
    autofree char *folder = folder_of(param(task, "file"));

    return !file_exists(folder) || file_remove(part, err);
}
