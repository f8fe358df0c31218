#include "store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "error.h"
#include "file.h"
#include "journal.h"
#include "json.h"
#include "log.h"
#include "memory.h"
#include "site.h"
#include "text.h"

DEFINE_AUTOPTR_FOR(DIR, DIR, closedir)

char *store_open_folder(const struct site *site, const char *id)
{
    return xasprintf("%s/jobs/open/%s", site->state_dir, id);
}

char *store_done_folder(const struct site *site, const char *id)
{
    return xasprintf("%s/jobs/done/%s", site->state_dir, id);
}

char *store_secrets_path(const struct site *site, const char *id)
{
    return xasprintf("%s/secrets/%s", site->run_dir, id);
}

/* Folders under way to their place begin with a dot: nobody was told of them. */
static void remove_unfinished(const char *folder)
{
    autoptr(DIR) dir = opendir(folder);
    const struct dirent *entry = NULL;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        autofree char *path = xasprintf("%s/%s", folder, entry->d_name);
        struct error err = { 0 };

        if (entry->d_name[0] != '.' || !text_ends(entry->d_name, ".tmp"))
            continue;
        if (!file_remove_tree(path, &err))
            log_error("%s", err.message);
        error_clear(&err);
    }
}

bool store_prepare(const struct site *site, struct error *err)
{
    autofree char *open_jobs = store_open_folder(site, "");
    autofree char *done_jobs = store_done_folder(site, "");

    if (!file_exists(open_jobs) && !file_make_folder(open_jobs, 0700, err))
        return false;
    if (!file_exists(done_jobs) && !file_make_folder(done_jobs, 0700, err))
        return false;
    remove_unfinished(open_jobs);
    return true;
}

int64_t store_last(const struct site *site)
{
    autofree char *path = xasprintf("%s/jobs/last", site->state_dir);
    struct error ignored = { 0 };
    autofree char *text = file_read(path, NULL, &ignored);

    error_clear(&ignored);
    return text != NULL ? strtoll(text, NULL, 10) : 0;
}

bool store_write_last(const struct site *site, int64_t last, struct error *err)
{
    autofree char *path = xasprintf("%s/jobs/last", site->state_dir);
    autofree char *text = xasprintf("%lld\n", (long long)last);

    return file_write(path, text, strlen(text), 0600, err);
}

static bool write_plain(const char *path, const char *text, struct error *err)
{
    autoclose int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    size_t length = strlen(text);

    if (fd < 0)
        return error_errno(err, "cannot make '%s'", path);
    if (write(fd, text, length) != (ssize_t)length)
        return error_errno(err, "cannot write '%s'", path);
    if (fdatasync(fd) != 0)
        return error_errno(err, "cannot sync '%s'", path);
    return true;
}

static bool write_into(const char *folder, const char *name, const char *text, struct error *err)
{
    autofree char *path = xasprintf("%s/%s", folder, name);

    return write_plain(path, text, err);
}

static const char *started_text(char stamp[32])
{
    process_stamp(stamp);
    return stamp;
}

static bool fill(const char *folder, const char *request, bool started, struct error *err)
{
    char stamp[32];

    if (mkdir(folder, 0700) != 0)
        return error_errno(err, "cannot make '%s'", folder);
    return write_into(folder, "request.json", request, err) &&
           (!started || write_into(folder, "started", started_text(stamp), err)) &&
           file_sync(folder, err);
}

bool store_accept(const struct site *site, const struct store_job *job, struct error *err)
{
    autofree char *making = xasprintf("%s/jobs/open/.%s.tmp", site->state_dir, job->id);
    autofree char *folder = store_open_folder(site, job->id);
    autofree char *secrets_path = store_secrets_path(site, job->id);
    struct error ignored = { 0 };

    if (job->secrets != NULL && !write_plain(secrets_path, job->secrets, err))
        return false;
    if (fill(making, job->request, job->started, err) && file_move(making, folder, err))
        return true;
    if (!file_remove_tree(making, &ignored))
        error_clear(&ignored);
    store_forget_secrets(site, job->id);
    return error_prefix(err, "cannot accept the job");
}

bool store_started(const char *folder, struct error *err)
{
    char stamp[32];

    return write_into(folder, "started", started_text(stamp), err) && file_sync(folder, err);
}

bool store_cancel(const char *folder, struct error *err)
{
    return write_into(folder, "cancel", "", err) && file_sync(folder, err);
}

bool store_hurry(const char *folder, const char *by, struct error *err)
{
    return write_into(folder, "immediate", by, err) && file_sync(folder, err);
}

bool store_attention(const char *folder, struct json_object *error, struct error *err)
{
    autofree char *path = xasprintf("%s/attention", folder);

    return json_write_file(path, error, 0600, err);
}

/* What its journal's last record says, or what could not be written there; NULL: nothing. */
static struct json_object *read_attention(const char *folder, struct json_object *records)
{
    size_t count = records != NULL ? json_object_array_length(records) : 0;
    struct json_object *said =
        count > 0 ? json_get(json_object_array_get_idx(records, count - 1), "attention") : NULL;
    autofree char *path = xasprintf("%s/attention", folder);
    struct error ignored = { 0 };

    if (said != NULL)
        return json_object_get(said);
    said = file_exists(path) ? json_read_file(path, &ignored) : NULL;
    error_clear(&ignored);
    return said;
}

void store_forget_secrets(const struct site *site, const char *id)
{
    autofree char *path = store_secrets_path(site, id);

    if (unlink(path) != 0 && errno != ENOENT)
        log_error("cannot remove '%s': %s", path, strerror(errno));
}

/* Whether the worker still has the lock on its folder; *process is who says so. */
static bool is_locked(const char *folder, struct process *process)
{
    autofree char *lock = xasprintf("%s/lock", folder);
    autofree char *pid = xasprintf("%s/pid", folder);
    struct error ignored = { 0 };

    *process = (struct process){ 0 };
    if (!file_exists(lock))
        return false;
    autoclose int fd = file_lock(lock, false, &ignored);
    bool busy = fd < 0 && ignored.reason == ERROR_BUSY;
    error_clear(&ignored);
    if (!busy)
        return false;

    autoptr(json_object) said = json_read_file(pid, &ignored);
    if (!process_from_json(said, process) || !process_lives(process))
        *process = (struct process){ 0 };
    error_clear(&ignored);
    return true;
}

enum verdict store_judge(const char *folder, struct json_object **record, struct process *process)
{
    autofree char *path = xasprintf("%s/journal", folder);
    struct error err = { 0 };

    *record = NULL;
    if (is_locked(folder, process))
        return VERDICT_LIVES;

    autoptr(json_object) records = journal_read(path, &err);
    error_clear(&err);
    *record = json_object_get(journal_end(records));
    if (*record != NULL) {
        size_t last = json_object_array_length(records) - 1;
        struct json_object *time = json_get(json_object_array_get_idx(records, last), "time");

        json_add(*record, "ended_at", json_object_get(time));
        return VERDICT_ENDED;
    }
    *record = read_attention(folder, records);
    if (*record != NULL)
        return VERDICT_ATTENTION;
    autofree char *pid = xasprintf("%s/pid", folder);
    return file_exists(pid) || records != NULL ? VERDICT_UNFINISHED : VERDICT_UNBORN;
}

/* The rest told how it came about; the result says what came of it. */
static void remove_traces(const char *folder)
{
    static const char *const traces[] = { "journal",   "events",    "started", "cancel",
                                          "attention", "immediate", "pid",     "lock" };

    for (size_t i = 0; i < ARRAY_SIZE(traces); i++) {
        autofree char *path = xasprintf("%s/%s", folder, traces[i]);

        if (unlink(path) != 0 && errno != ENOENT)
            log_error("cannot remove '%s': %s", path, strerror(errno));
    }
}

bool store_finish(const struct site *site, const char *id, struct json_object *end,
                  struct error *err)
{
    autofree char *open_folder = store_open_folder(site, id);
    autofree char *done_folder = store_done_folder(site, id);
    autofree char *result = xasprintf("%s/result", open_folder);

    if (!json_write_file(result, end, 0600, err) || !file_move(open_folder, done_folder, err))
        return error_prefix(err, "cannot keep the outcome of %s", id);
    remove_traces(done_folder);
    store_forget_secrets(site, id);
    return true;
}
