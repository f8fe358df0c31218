#include "follow.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "daemon.h"
#include "error.h"
#include "job.h"
#include "json.h"
#include "log.h"
#include "memory.h"
#include "process.h"
#include "text.h"

#define LINE_MAX_BYTES ((size_t)65536)

struct follower {
    uv_fs_event_t event;
    struct job *job;
    void (*appeared)(struct job *job);
    char *path;
    int fd;           /* of events; -1: not there yet */
    struct text line; /* the part of one that has come so far */
    char began[32];   /* the present step */
};

static char *text_of(struct json_object *object, const char *name)
{
    return xstrdup(json_get_string(object, name));
}

static void take_begin(struct follower *follower, struct json_object *event)
{
    struct run *run = follower->job->run;
    const char *time = json_get_string(event, "time");

    free(run->step);
    run->step = text_of(event, "step");
    run->number = json_get_int(event, "number");
    run->count = json_get_int(event, "count");
    run->done_bytes = 0;
    run->total_bytes = 0;
    run->step_clock_s = process_clock_s();
    snprintf(follower->began, sizeof(follower->began), "%s", time != NULL ? time : "");
    job_tell(follower->job, NULL, false);
}

static void take_end(struct follower *follower, struct json_object *event, bool failed)
{
    struct json_object *row = json_object_new_object();
    struct json_object *finished = json_object_new_object();
    bool undo = json_get_bool(event, "undo");

    json_add_string(row, "step", json_get_string(event, "step"));
    json_add_string(row, "started", follower->began);
    json_add_double(row, "took_s", json_get_double(event, "took_s"));
    json_add_string(row, "what", json_get_string(event, "what"));
    json_add_bool(row, "undone", undo);
    json_add_bool(row, "failed", failed);
    json_object_array_add(follower->job->run->steps, row);

    json_add_string(finished, "step", json_get_string(event, "step"));
    json_add_double(finished, "took_s", json_get_double(event, "took_s"));
    json_add_string(finished, "what", json_get_string(event, "what"));
    json_add_bool(finished, "undo", undo);
    json_add_bool(finished, "failed", failed);
    job_tell(follower->job, finished, false);
    json_object_put(finished);
}

static void take_progress(struct follower *follower, struct json_object *progress)
{
    struct run *run = follower->job->run;

    run->done_bytes = json_get_int(progress, "done_bytes");
    run->total_bytes = json_get_int(progress, "total_bytes");
    job_tell(follower->job, NULL, true);
}

static void take_about(struct run *run, struct json_object *about)
{
    json_object_put(run->about);
    run->about = json_object_get(about);
}

static void take_line(struct follower *follower, const char *line, size_t length)
{
    struct error err = { 0 };
    autoptr(json_object) event = json_parse(line, length, &err);
    const char *state = json_get_string(event, "state");

    error_clear(&err);
    if (json_get(event, "about") != NULL)
        take_about(follower->job->run, json_get(event, "about"));
    else if (json_get(event, "progress") != NULL)
        take_progress(follower, json_get(event, "progress"));
    else if (state != NULL && strcmp(state, "begin") == 0)
        take_begin(follower, event);
    else if (state != NULL)
        take_end(follower, event, strcmp(state, "failed") == 0);
}

static void take_lines(struct follower *follower)
{
    struct text *text = &follower->line;
    size_t used = 0;

    for (;;) {
        char *end = memchr(text->bytes + used, '\n', text->length - used);
        if (end == NULL)
            break;
        size_t length = (size_t)(end - text->bytes) - used;
        take_line(follower, text->bytes + used, length);
        used += length + 1;
    }
    memmove(text->bytes, text->bytes + used, text->length - used);
    text->length -= used;
    /* No worker of ours writes such a line. */
    if (text->length > LINE_MAX_BYTES)
        text->length = 0;
}

/* The bytes were written a moment ago: they are in memory, nothing waits for a disk. */
void follow_read(struct follower *follower)
{
    char bytes[8192];

    if (follower->fd < 0) {
        autofree char *path = xasprintf("%s/events", follower->path);
        follower->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    }
    for (;;) {
        ssize_t length = follower->fd >= 0 ? read(follower->fd, bytes, sizeof(bytes)) : 0;
        if (length <= 0)
            return;
        text_add_bytes(&follower->line, bytes, (size_t)length);
        take_lines(follower);
    }
}

static void follow_on_change(uv_fs_event_t *event, const char *name, int events, int status)
{
    struct follower *follower = event->data;

    (void)events;
    if (status < 0 || name == NULL)
        return;
    if (strcmp(name, "events") == 0)
        follow_read(follower);
    else if (strcmp(name, "pid") == 0 && follower->appeared != NULL)
        follower->appeared(follower->job);
}

struct follower *follow_start(struct job *job, void (*appeared)(struct job *job))
{
    struct follower *follower = xcalloc(1, sizeof(*follower));

    follower->job = job;
    follower->appeared = appeared;
    follower->fd = -1;
    follower->path = xstrdup(job->run->folder);
    uv_fs_event_init(job->daemon->loop, &follower->event);
    follower->event.data = follower;
    int failure = uv_fs_event_start(&follower->event, follow_on_change, follower->path, 0);
    if (failure != 0)
        log_error("%s: cannot follow '%s': %s", job->id, follower->path, uv_strerror(failure));
    return follower;
}

static void follow_on_closed(uv_handle_t *handle)
{
    struct follower *follower = handle->data;

    if (follower->fd >= 0)
        close(follower->fd);
    text_done(&follower->line);
    free(follower->path);
    free(follower);
}

void follow_stop(struct follower *follower)
{
    if (follower != NULL)
        uv_close((uv_handle_t *)&follower->event, follow_on_closed);
}
