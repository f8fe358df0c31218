#include "prompt.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>

#include "cleanup.h"
#include "client.h"
#include "error.h"
#include "memory.h"

#define LINE_BYTES 4096

void prompt_wipe(char *secret)
{
    if (secret != NULL)
        explicit_bzero(secret, strlen(secret));
    free(secret);
}

/* Byte by byte, so that nothing behind the newline is taken from whoever reads next. */
static char *read_line(void)
{
    char line[LINE_BYTES];
    size_t length = 0;
    bool any = false;

    while (length + 1 < sizeof(line)) {
        ssize_t got = read(STDIN_FILENO, line + length, 1);
        if (got < 0 && errno == EINTR && !client_interrupted())
            continue;
        if (got < 0 || (got == 0 && !any))
            return NULL;
        any = true;
        if (got == 0 || line[length] == '\n')
            break;
        length++;
    }
    char *copy = xstrndup(line, length);
    explicit_bzero(line, sizeof(line));
    return copy;
}

char *prompt_line(const char *question)
{
    (void)fprintf(stderr, "%s", question);
    (void)fflush(stderr);
    return read_line();
}

static char *read_without_echo(const char *question)
{
    struct termios before;
    bool terminal = tcgetattr(STDIN_FILENO, &before) == 0;
    struct termios silent = before;

    /* Before the question, which some type the answer to as soon as they see it. */
    silent.c_lflag &= ~(tcflag_t)ECHO;
    if (terminal)
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
    (void)fprintf(stderr, "%s", question);
    (void)fflush(stderr);
    char *line = read_line();
    if (terminal)
        tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
    (void)fputc('\n', stderr);
    return line;
}

char *prompt_secret(const char *question, bool empty_is_good, struct error *err)
{
    char *first = read_without_echo(question);

    if (first == NULL || (first[0] == '\0' && !empty_is_good)) {
        error_set(err, ERROR_INVALID, "no password was given");
        prompt_wipe(first);
        return NULL;
    }
    if (first[0] == '\0')
        return first;

    char *second = read_without_echo("Once more: ");
    if (second != NULL && strcmp(first, second) == 0) {
        prompt_wipe(second);
        return first;
    }
    prompt_wipe(first);
    prompt_wipe(second);
    error_set(err, ERROR_INVALID, "the two passwords differ; nothing was done");
    return NULL;
}

char *prompt_read_stdin(const char *option, struct error *err)
{
    char *line = read_line();

    if (line == NULL || line[0] == '\0') {
        prompt_wipe(line);
        error_set(err, ERROR_INVALID, "--%s: the first line of standard input is empty", option);
        return NULL;
    }
    return line;
}
