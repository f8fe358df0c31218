#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "memory.h"
#include "text.h"

#define NAME_ROOM 64

static char speaker[NAME_ROOM];

void log_name(const char *name)
{
    snprintf(speaker, sizeof(speaker), "%s", name);
}

/* A message stays one line, and what somebody put into a name cannot paint on a terminal. */
static void add_printable(struct text *line, const char *message)
{
    for (const char *at = message; *at != '\0'; at++) {
        unsigned char byte = (unsigned char)*at;

        if (byte == '\n')
            text_add(line, "\\n");
        else if ((byte < ' ' && byte != '\t') || byte == 0x7f)
            text_printf(line, "\\x%02x", byte);
        else
            text_add_bytes(line, at, 1);
    }
}

static void add_time(struct text *line)
{
    struct timespec now = { 0 };
    struct tm parts = { 0 };

    clock_gettime(CLOCK_REALTIME, &now);
    localtime_r(&now.tv_sec, &parts);
    text_printf(line, "%02d:%02d:%02d.%03ld ", parts.tm_hour, parts.tm_min, parts.tm_sec,
                now.tv_nsec / 1000000);
}

/* The line goes out by one write(2), so that those of several processes do not mix. */
static void log_line(int level, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));

static void log_line(int level, const char *format, va_list arguments)
{
    autotext struct text line = { 0 };
    autofree char *message = xvasprintf(format, arguments);

    if (getenv("JOURNAL_STREAM") != NULL)
        text_printf(&line, "<%d>", level);
    else
        add_time(&line);
    if (speaker[0] != '\0')
        text_printf(&line, "%s: ", speaker);
    add_printable(&line, message);
    text_add(&line, "\n");

    /* Where should a log say that it cannot be written? */
    ssize_t ignored = write(STDERR_FILENO, line.bytes, line.length);
    (void)ignored;
}

void log_info(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    log_line(LOG_INFO, format, arguments);
    va_end(arguments);
}

void log_error(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    log_line(LOG_ERR, format, arguments);
    va_end(arguments);
}
