#include "capture.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "daemon.h"
#include "error.h"
#include "memory.h"
#include "spawn.h"
#include "text.h"

#define OUTPUT_MAX ((size_t)64 * 1024 * 1024)
#define HANDLES 4

struct capture {
    uv_process_t process;
    uv_pipe_t input, output;
    uv_timer_t timer;
    uv_write_t write;
    char *given;
    struct text text;
    void (*done)(void *context, const struct captured *captured);
    void *context;
    int status;
    int open_handles;
    bool need_status, ended, timed_out, closing;
};

static void capture_on_closed(uv_handle_t *handle)
{
    struct capture *capture = handle->data;

    if (--capture->open_handles > 0)
        return;
    text_done(&capture->text);
    free(capture->given);
    free(capture);
}

static void close_all(struct capture *capture)
{
    if (capture->closing)
        return;
    capture->closing = true;
    uv_close((uv_handle_t *)&capture->input, capture_on_closed);
    uv_close((uv_handle_t *)&capture->output, capture_on_closed);
    uv_close((uv_handle_t *)&capture->timer, capture_on_closed);
    /* The process handle stays until the process is reaped. */
    if (capture->status >= 0)
        uv_close((uv_handle_t *)&capture->process, capture_on_closed);
}

static void finish(struct capture *capture)
{
    struct captured captured = { .status = capture->status, .timed_out = capture->timed_out };

    if (capture->done == NULL || capture->closing)
        return;
    if (!capture->ended ||
        (capture->status < 0 && (capture->need_status || capture->text.length == 0)))
        return;

    void (*done)(void *context, const struct captured *captured) = capture->done;
    capture->done = NULL;
    text_add(&capture->text, "");
    captured.output = capture->text.bytes;
    captured.length = capture->text.length;
    done(capture->context, &captured);
    close_all(capture);
}

static void capture_on_exit(uv_process_t *process, int64_t status, int number)
{
    struct capture *capture = process->data;

    capture->status = number != 0 ? 128 + number : (int)status;
    if (capture->closing)
        uv_close((uv_handle_t *)process, capture_on_closed);
    else
        finish(capture);
}

static void capture_on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buffer)
{
    static char chunk[65536];

    (void)handle;
    (void)size;
    *buffer = uv_buf_init(chunk, sizeof(chunk));
}

static void end_group(struct capture *capture)
{
    if (capture->status < 0)
        kill(-capture->process.pid, SIGKILL);
}

static void capture_on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer)
{
    struct capture *capture = stream->data;

    if (length > 0 && capture->text.length + (size_t)length <= OUTPUT_MAX) {
        text_add_bytes(&capture->text, buffer->base, (size_t)length);
        return;
    }
    if (length == 0)
        return;
    if (length > 0)
        end_group(capture);
    uv_read_stop(stream);
    capture->ended = true;
    finish(capture);
}

static void capture_on_timeout(uv_timer_t *timer)
{
    struct capture *capture = timer->data;

    capture->timed_out = true;
    capture->ended = true;
    capture->need_status = true;
    end_group(capture);
    finish(capture);
}

static void capture_on_given(uv_write_t *write, int status)
{
    struct capture *capture = write->data;

    (void)status;
    /* End of file tells the program that this was all. */
    if (!uv_is_closing((uv_handle_t *)&capture->input))
        (void)uv_shutdown(xcalloc(1, sizeof(uv_shutdown_t)), (uv_stream_t *)&capture->input,
                          spawn_on_shut);
}

static void start_talking(struct capture *capture, const char *input, double timeout_s)
{
    capture->given = xstrdup(input);
    capture->write.data = capture;
    uv_buf_t buffer = uv_buf_init(capture->given, (unsigned int)strlen(capture->given));
    (void)uv_write(&capture->write, (uv_stream_t *)&capture->input, &buffer, 1, capture_on_given);
    (void)uv_read_start((uv_stream_t *)&capture->output, capture_on_alloc, capture_on_read);
    if (timeout_s > 0)
        uv_timer_start(&capture->timer, capture_on_timeout, (uint64_t)(timeout_s * 1000), 0);
}

struct capture *capture_start(struct daemon *daemon, const char *const argv[], const char *input,
                              double timeout_s, struct error *err)
{
    struct capture *capture = xcalloc(1, sizeof(*capture));
    uv_handle_t *handles[HANDLES] = { (uv_handle_t *)&capture->input,
                                      (uv_handle_t *)&capture->output,
                                      (uv_handle_t *)&capture->timer,
                                      (uv_handle_t *)&capture->process };

    uv_pipe_init(daemon->loop, &capture->input, 0);
    uv_pipe_init(daemon->loop, &capture->output, 0);
    uv_timer_init(daemon->loop, &capture->timer);
    capture->status = -1;
    capture->open_handles = HANDLES;
    uv_pipe_t *const pipes[2] = { &capture->input, &capture->output };
    int failure = spawn_on_pipes(daemon, &capture->process, argv, pipes, capture_on_exit);
    for (size_t i = 0; i < HANDLES; i++)
        handles[i]->data = capture;
    if (failure != 0) {
        error_set(err, ERROR_INTERNAL, "cannot run '%s': %s", argv[0], uv_strerror(failure));
        capture->status = 127;
        close_all(capture);
        return NULL;
    }
    start_talking(capture, input, timeout_s);
    return capture;
}

void capture_then(struct capture *capture, bool need_status,
                  void (*done)(void *context, const struct captured *captured), void *context)
{
    capture->need_status = need_status;
    capture->done = done;
    capture->context = context;
}

void capture_kill(struct capture *capture)
{
    capture->done = NULL;
    end_group(capture);
    close_all(capture);
}
