/*
 * A program on pipes: given its input, its output collected, without the loop waiting for it.
 */
#ifndef DBGUEST_DAEMON_CAPTURE_H
#define DBGUEST_DAEMON_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>

struct capture;
struct daemon;
struct error;

struct captured {
    const char *output; /* never NULL, ends with a NUL */
    size_t length;
    int status;     /* exit status, 128 + signal, or -1: it is still ending */
    bool timed_out; /* and was ended for that */
};

/*
 * Starts argv (NULL-ended, argv[0] a path) in a session of its own. Calls done once, when its
 * output has ended; with need_status only when the process has, too. NULL when it cannot be
 * started.
 */
struct capture *capture_start(struct daemon *daemon, const char *const argv[], const char *input,
                              double timeout_s, struct error *err);
void capture_then(struct capture *capture, bool need_status,
                  void (*done)(void *context, const struct captured *captured), void *context);
/* Ends it with all that it started; done is not called any more. */
void capture_kill(struct capture *capture);

#endif
