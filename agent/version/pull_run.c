#include "pull.h"

#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "memory.h"
#include "process.h"
#include "task.h"
#include "text.h"

#define TICK_S 0.1
#define LOOK_S 1.0
#define QUOTED_LINES 6
#define ARGUMENTS_MAX 192
/* A tree is for users of its own: what is made in it must not depend on the umask of ours. */
#define UMASK "umask 022 && exec \"$@\""

char *pull_folder(const struct version_pull *pull, const char *name, struct error *err)
{
    autofree char *folder = xasprintf("%s/%s", pull->work, name);

    return file_make_folder(folder, 0755, err) ? steal(folder) : NULL;
}

char *pull_keep(const struct version_pull *pull, const char *name, struct error *err)
{
    autofree char *folder = xasprintf("%s/%s", pull->kept, name);
    autofree char *mark = xasprintf("%s/" VERSION_KEPT_JOB, pull->kept);
    const char *job = pull->task->job;

    return file_make_folder(folder, 0700, err) && file_write(mark, job, strlen(job), 0600, err)
               ? steal(folder)
               : NULL;
}

static uint64_t measure_growth(const struct version_pull *pull)
{
    return file_tree_bytes(pull->growing);
}

void pull_watch(struct version_pull *pull, const char *growing, uint64_t total_bytes)
{
    pull->measure = measure_growth;
    pull->growing = growing;
    pull->total_bytes = total_bytes;
}

/* Looking at a tree of 10,000 files takes some 30 ms: once a second it costs nothing. */
static void show_progress(struct version_pull *pull, double now_s)
{
    if (pull->measure == NULL || now_s < pull->next_look_s)
        return;

    uint64_t done = pull->measure(pull);
    if (pull->total_bytes > 0 && done > pull->total_bytes)
        done = pull->total_bytes;
    task_progress(pull->task, done, pull->total_bytes);
    pull->next_look_s = now_s + LOOK_S;
}

bool pull_tick(void *context, struct error *err)
{
    struct version_pull *pull = context;
    double now_s = process_clock_s();

    if (now_s < pull->next_tick_s)
        return true;
    pull->next_tick_s = now_s + TICK_S;
    show_progress(pull, now_s);
    return task_goes_on(pull->task, err);
}

/* What a proxy needs is the machine's affair, all else is ours. */
static void add_environment(const struct version_pull *pull, const char *tmp, struct text *lines)
{
    static const char *const passed[] = { "http_proxy", "https_proxy", "no_proxy",
                                          "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY" };

    for (size_t i = 0; i < ARRAY_SIZE(passed); i++)
        if (getenv(passed[i]) != NULL)
            text_printf(lines, "%s=%s\n", passed[i], getenv(passed[i]));
    text_printf(lines, "HOME=%s\nTMPDIR=%s\nXDG_RUNTIME_DIR=%s\n", tmp, tmp, tmp);
    /* The packages' scripts ask nobody, and write the same bytes each time. */
    text_printf(lines, "DEBIAN_FRONTEND=noninteractive\nSOURCE_DATE_EPOCH=1700000000\n");
    text_printf(lines, "PULL=%s\nKEPT=%s\n", pull->work, pull->kept);
    text_printf(lines, "APT_CONFIG=%s/apt/apt.conf\n", pull->work);
}

/* Cuts text into its lines, in place. */
static void split_lines(char *text, const char *lines[], size_t room)
{
    size_t count = 0;
    char *rest = text;

    for (char *line = strtok_r(text, "\n", &rest); line != NULL && count + 1 < room;
         line = strtok_r(NULL, "\n", &rest))
        lines[count++] = line;
    lines[count] = NULL;
}

/*
 * A PID namespace is ended as a whole with its first process, which unshare kills when it dies
 * itself, and it dies with us; a mount namespace keeps mounts from ever being seen outside.
 */
static void wrap(const char *const argv[], const char *wrapped[ARGUMENTS_MAX])
{
    static const char *const head[] = {
        "unshare",      "--mount", "--pid", "--ipc", "--fork", "--kill-child",
        "--mount-proc", "sh",      "-c",    UMASK,   "sh",
    };
    size_t count = 0;

    for (; count < ARRAY_SIZE(head); count++)
        wrapped[count] = head[count];
    for (; *argv != NULL && count + 1 < ARGUMENTS_MAX; argv++)
        wrapped[count++] = *argv;
    wrapped[count] = NULL;
}

bool pull_run(struct version_pull *pull, const char *const argv[], struct process_result *result,
              struct error *err)
{
    autofree char *tmp = pull_folder(pull, "tmp", err);
    if (tmp == NULL)
        return false;

    autotext struct text environment = { 0 };
    const char *env[24] = { "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                            "LANG=C.UTF-8", "LC_ALL=C.UTF-8" };
    const char *wrapped[ARGUMENTS_MAX];
    add_environment(pull, tmp, &environment);
    split_lines(environment.bytes, env + 3, ARRAY_SIZE(env) - 3);
    wrap(argv, wrapped);

    struct process_options options = {
        .env = env,
        .folder = pull->work,
        .tick = pull_tick,
        .context = pull,
    };
    pull->result = result;
    pull->next_look_s = 0;
    bool good = process_run(wrapped, &options, result, err);
    pull->measure = NULL;
    pull->result = NULL;
    return good;
}

/* Its last line, without what says only that it is an error, and without quoting. */
static char *last_words(const char *said)
{
    static const char message[] = "msg=\"";
    autofree char *line = xstrdup(text_last_lines(said, 1));
    const char *start = strstr(line, message);
    autotext struct text words = { 0 };

    line[strcspn(line, "\n")] = '\0';
    start = start != NULL ? start + strlen(message) : line + (text_starts(line, "E: ") ? 3 : 0);
    text_add(&words, "");
    for (const char *at = start; *at != '\0'; at++)
        if (*at != '\\' && !(*at == '"' && at[1] == '\0'))
            text_add_bytes(&words, at, 1);
    return steal(words.bytes);
}

bool pull_failed(const char *program, const struct process_result *result, enum error_reason reason,
                 struct error *err)
{
    const struct text *said = result->errors.length > 0 ? &result->errors : &result->output;
    autofree char *words = last_words(said->bytes);
    bool is_full = strstr(said->bytes, "No space left on device") != NULL ||
                   strstr(said->bytes, "no space left on device") != NULL ||
                   strstr(result->output.bytes, "No space left on device") != NULL ||
                   strstr(said->bytes, "You don't have enough free space") != NULL;

    if (is_full)
        error_set(err, ERROR_NO_SPACE, "no space left while %s was at work", program);
    else
        error_set(err, reason, "%s failed: %s", program, words);
    return error_native(err, text_last_lines(said->bytes, QUOTED_LINES));
}
