#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "catalogue.h"
#include "command.h"
#include "datastore.h"
#include "engine.h"
#include "error.h"
#include "file.h"
#include "journal.h"
#include "json.h"
#include "log.h"
#include "memory.h"
#include "method.h"
#include "operation.h"
#include "place.h"
#include "process.h"
#include "secrets.h"
#include "site.h"
#include "state.h"
#include "suspect.h"
#include "text.h"
#include "unfinished.h"

/* One request with all that hangs on it. */
struct work {
    struct task task;
    struct task_state state;
    const struct command *command;
    autoptr_site site;
    int lock;
};

static void work_done(struct work *work)
{
    if (work->task.engine != NULL)
        engine_free(work->task.engine);
    journal_free(work->task.journal);
    if (work->state.events >= 0)
        close(work->state.events);
    if (work->lock >= 0)
        close(work->lock);
    free(work->state.folder);
    json_object_put(work->state.facts);
    json_object_put(work->state.result);
    json_object_put(work->state.steps);
    json_object_put(work->state.request);
    site_free(work->site);
}

static void hide(const char *secret, void *err)
{
    error_hide(err, secret);
}

/* Which datastore it is about: named, that of the instance, or that of the backup. */
static bool find_store(struct work *work, struct error *err)
{
    struct json_object *params = work->task.params;
    const char *datastore = json_get_string(params, "datastore");
    const char *instance = json_get_string(params, "instance");
    const char *backup = json_get_string(params, "backup");
    autoptr(json_object) facts = NULL;

    if (datastore == NULL && instance != NULL && !work->command->without_instance) {
        facts = place_read(work->site, instance, err);
        if (facts == NULL)
            return false;
    } else if (datastore == NULL && backup != NULL) {
        facts = catalogue_find(work->site, backup, err);
        if (facts == NULL)
            return false;
    }
    if (facts != NULL)
        datastore = json_get_string(facts, "datastore");
    if (datastore == NULL)
        return true;

    work->task.store = command_store(datastore);
    if (work->task.store == NULL)
        return error_set(err, ERROR_UNSUPPORTED, "datastore '%s' is not served here", datastore);
    return true;
}

/* Points the task at its instance, if it has one. */
static bool find_engine(struct work *work, bool recovering, struct error *err)
{
    const char *instance = json_get_string(work->task.params, "instance");

    if (instance == NULL || work->command->without_instance)
        return true;

    autofree char *folder = place_folder(work->site, instance);
    if (!recovering && !work->command->while_closed && place_is_closed(folder)) {
        error_set(err, ERROR_NEEDS_ATTENTION, "'%s' is closed until it is recovered", instance);
        return error_hint(err, "dbguestctl instance recover %s", instance);
    }
    if (place_current(folder) == 0)
        return recovering || work->command->while_closed ||
               error_set(err, ERROR_NEEDS_ATTENTION, "'%s' is incomplete", instance);
    work->task.engine = place_engine(work->site, work->task.store, folder, 0, err);
    return work->task.engine != NULL;
}

static bool take_request(struct work *work, struct json_object *request, struct error *err)
{
    const char *method = json_get_string(request, "method");

    work->state.request = request;
    work->state.events = -1;
    work->lock = -1;
    work->state.facts = json_object_new_object();
    work->state.result = json_object_new_object();
    work->state.steps = json_object_new_array();
    work->task.state = &work->state;
    work->task.job = json_get_string(request, "job");
    if (work->task.job == NULL)
        work->task.job = "read";
    work->task.params = json_get(request, "params");
    work->state.method = method == NULL ? NULL : method_find(method);
    work->command = command_find(method);
    if (work->command == NULL || work->task.params == NULL)
        return error_set(err, ERROR_UNSUPPORTED, "no worker knows '%s'",
                         method == NULL ? "" : method);
    work->site = site_from_json(json_get(request, "site"), err);
    work->task.site = work->site;
    return work->site != NULL;
}

static void set_deadline(struct work *work)
{
    struct json_object *request = work->state.request;
    const char *boot = json_get_string(request, "boot_id");
    double deadline_s = json_get_double(request, "deadline_s");

    if (deadline_s <= 0)
        return;
    /* After a reboot the clock began anew: whatever it was, a deadline that long ago has passed. */
    bool same_boot = boot != NULL && strcmp(boot, process_boot_id()) == 0;
    work->state.ends_at = same_boot ? json_get_double(request, "accepted_clock_s") + deadline_s : 1;
}

static bool do_read(struct work *work, struct json_object *request, struct error *err)
{
    if (!take_request(work, request, err) || !find_store(work, err))
        return false;
    if (work->command->read == NULL)
        return error_set(err, ERROR_INTERNAL, "%s is no read", work->command->method);
    return command_check_support(&work->task, work->command->method, err) &&
           find_engine(work, true, err) &&
           command_read(work->command, &work->task, work->state.result, err);
}

static struct json_object *read_request(struct error *err)
{
    autotext struct text text = { 0 };
    char block[65536];
    ssize_t length;

    while ((length = read(STDIN_FILENO, block, sizeof(block))) > 0)
        text_add_bytes(&text, block, (size_t)length);
    return json_parse(text.bytes == NULL ? "" : text.bytes, text.length, err);
}

static int answer_read(void)
{
    struct error err = { 0 };
    struct work work = { .state = { .events = -1 }, .lock = -1 };
    autoptr(json_object) answer = json_object_new_object();
    struct json_object *request = read_request(&err);

    log_name("read");
    if (request != NULL && do_read(&work, request, &err)) {
        json_add(answer, "result", json_object_get(work.state.result));
    } else {
        json_add(answer, "error", error_to_json(&err));
    }
    printf("%s\n", json_line(answer));
    /* The daemon answers at the end of the output, while all that is below goes on. */
    bool told = fclose(stdout) == 0;
    error_clear(&err);
    work_done(&work);
    return told ? 0 : 1;
}

/* The lock on the job's folder first (C6): whoever has it does the job, everybody else goes away.
 */
static bool enter_folder(struct work *work, const char *folder, struct error *err)
{
    autofree char *lock = xasprintf("%s/lock", folder);
    autofree char *pid = xasprintf("%s/pid", folder);
    autofree char *events = xasprintf("%s/events", folder);
    struct process self = { 0 };

    work->state.folder = xstrdup(folder);
    work->lock = file_lock(lock, false, err);
    if (work->lock < 0)
        return error_prefix(err, "another worker does this job");

    process_find(getpid(), &self);
    autoptr(json_object) record = process_to_json(&self);
    if (!json_write_file(pid, record, 0600, err))
        return false;
    work->state.events = open(events, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    return true; /* events are for watching only: without them the job goes on */
}

static bool open_work(struct work *work, const char *folder, struct error *err)
{
    autofree char *path = xasprintf("%s/request.json", folder);
    struct json_object *request = json_read_file(path, err);

    if (request == NULL || !take_request(work, request, err))
        return false;
    autofree char *name = xasprintf("%s %s", work->task.job, work->command->method);
    log_name(name);
    set_deadline(work);
    return enter_folder(work, folder, err);
}

static struct json_object *first_record(struct work *work)
{
    struct json_object *first = json_object_new_object();

    json_add_string(first, "job", work->task.job);
    json_add_string(first, "method", work->command->method);
    return first;
}

/* The outcome of what ended before its first step. */
static void end_early(struct work *work, struct error *err)
{
    struct json_object *record = json_object_new_object();
    struct json_object *end = json_add_object(record, "end");
    struct error failure = { 0 };

    json_add_string(end, "outcome", error_word(err->reason));
    json_add(end, "error", error_to_json(err));
    json_add_array(end, "steps");
    if (!journal_write(work->task.journal, record, true, &failure))
        log_error("cannot write the outcome: %s", failure.message);
    error_clear(&failure);
}

static bool prepare_run(struct work *work, struct error *err)
{
    return find_store(work, err) &&
           command_check_support(&work->task, work->command->method, err) &&
           secrets_join(&work->task, err) && find_engine(work, false, err) &&
           (!work->command->builds || unfinished_check(&work->task, err));
}

static bool run_folder(struct work *work, const char *folder, struct error *err)
{
    autofree char *journal = xasprintf("%s/journal", folder);

    if (!open_work(work, folder, err))
        return false;
    work->task.journal = journal_new(journal, first_record(work), err);
    if (work->task.journal == NULL)
        return false;

    log_info("started for %s", json_get_string(work->state.request, "asked_by"));
    if (!prepare_run(work, err)) {
        end_early(work, err);
        return true;
    }
    bool good = operation_run(work->command->operation, &work->task, err);
    suspect_note(&work->task);
    secrets_drop(&work->task);
    log_info("%s", good ? "ok" : err->message);
    return true;
}

/* It died before its first record: nothing has happened (C6). */
static bool end_unbegun(struct work *work, const char *path, struct error *err)
{
    unlink(path);
    error_clear(err);
    work->task.journal = journal_new(path, first_record(work), err);
    if (work->task.journal == NULL)
        return false;
    error_set(err, ERROR_INTERRUPTED, "the worker died before it began; nothing was done");
    end_early(work, err);
    return true;
}

/* There is nothing left that it could be done to, or undone. */
static bool is_deleted(struct work *work, const struct error *err)
{
    return err->reason == ERROR_NOT_FOUND && !work->command->while_closed &&
           !work->command->without_instance &&
           json_get_string(work->task.params, "instance") != NULL;
}

static bool end_deleted(struct work *work, struct error *err)
{
    err->reason = ERROR_INTERRUPTED;
    end_early(work, err);
    return true;
}

static bool recover_folder(struct work *work, const char *folder, struct error *err)
{
    autofree char *path = xasprintf("%s/journal", folder);

    if (!open_work(work, folder, err))
        return false;
    work->task.journal = journal_open(path, err);
    if (work->task.journal == NULL && err->reason == ERROR_NOT_FOUND)
        return end_unbegun(work, path, err);
    if (work->task.journal == NULL)
        return suspect_unreadable(&work->task, err);
    suspect_readable(&work->task);
    if (journal_end(journal_records(work->task.journal)) != NULL)
        return true; /* repeats its outcome (C5) */
    if (suspect_is_marked(&work->task))
        return suspect_attention(&work->task, err);

    task_read_facts(&work->task);
    log_info("recovering");
    if (!find_store(work, err)) {
        if (is_deleted(work, err))
            return end_deleted(work, err);
        /* What it was about is gone: only a finished delete or an undone create leaves that. */
        error_clear(err);
    }
    if (work->task.store != NULL && !find_engine(work, true, err))
        return false;
    bool good = operation_recover(work->command->operation, &work->task, err);
    suspect_note(&work->task);
    secrets_drop(&work->task);
    log_info("recovered: %s", good ? "ok" : err->message);
    return true;
}

bool worker_recover_folder(const char *folder, struct error *err)
{
    struct work work = { .state = { .events = -1, .by_person = true }, .lock = -1 };
    bool ended = recover_folder(&work, folder, err);

    if (!ended && suspect_is_marked(&work.task)) {
        /* A person has asked: what the disk holds is read again, and believed once it is synced. */
        suspect_clear(&work.task);
        work_done(&work);
        work = (struct work){ .state = { .events = -1, .by_person = true }, .lock = -1 };
        error_clear(err);
        ended = recover_folder(&work, folder, err);
    }
    work_done(&work);
    return ended && err->reason != ERROR_NEEDS_ATTENTION;
}

static int do_job(const char *folder,
                  bool (*function)(struct work *work, const char *folder, struct error *err))
{
    struct error err = { 0 };
    struct work work = { .state = { .events = -1 }, .lock = -1 };
    bool ended = function(&work, folder, &err);

    if (work.state.method != NULL && work.task.params != NULL)
        method_each_secret(work.state.method, work.task.params, hide, &err);
    if (!ended)
        log_error("%s", err.message);
    error_clear(&err);
    work_done(&work);
    return ended ? 0 : 1;
}

int worker_main(int argc, char **argv, const struct datastore *const stores[])
{
    struct rlimit none = { 0, 0 };

    command_stores = stores;
    signal(SIGPIPE, SIG_IGN);
    setrlimit(RLIMIT_CORE, &none); /* a core would hold passwords */
    prctl(PR_SET_DUMPABLE, 0);
    if (argc == 2 && strcmp(argv[1], "describe") == 0)
        return command_describe();
    if (argc == 2 && strcmp(argv[1], "read") == 0)
        return answer_read();
    if (argc == 3 && strcmp(argv[1], "run") == 0)
        return do_job(argv[2], run_folder);
    if (argc == 3 && strcmp(argv[1], "recover") == 0)
        return do_job(argv[2], recover_folder);
    fprintf(stderr, "usage: %s describe | read | run FOLDER | recover FOLDER\n", argv[0]);
    return 2;
}
