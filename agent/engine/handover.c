#include "handover.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "error.h"
#include "json.h"

#define DESCRIPTORS 8

bool handover_arrange(const int *fds, size_t count)
{
    int high[DESCRIPTORS];

    if (count > DESCRIPTORS)
        return false;
    /* First out of the way of each other. */
    for (size_t i = 0; i < count; i++) {
        high[i] = fds[i] < 0 ? -1 : fcntl(fds[i], F_DUPFD, DESCRIPTORS);
        if (high[i] < 0 && fds[i] >= 0)
            return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (high[i] < 0)
            close((int)i);
        else if (dup2(high[i], (int)i) < 0)
            return false;
    }
    return close_range((unsigned int)count, ~0U, 0) == 0;
}

void handover_reset_signals(void)
{
    sigset_t none;

    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL); /* fails for SIGKILL, SIGSTOP and libc's own: nothing to reset */
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

void handover_tell(int fd, const struct error *err)
{
    autoptr(json_object) object = error_to_json(err);
    const char *line = json_line(object);

    /* When nobody is there to hear it, nobody needs it. */
    ssize_t written = write(fd, line, strlen(line));
    (void)written;
}

bool handover_heard(const char *told, struct error *err)
{
    if (told == NULL || told[0] == '\0')
        return true;

    struct error unclear = { 0 };
    autoptr(json_object) object = json_parse(told, strlen(told), &unclear);
    error_clear(&unclear);
    if (object == NULL)
        return error_set(err, ERROR_INTERNAL, "%s", told);
    error_from_json(err, object);
    return false;
}
