#define SD_JOURNAL_SUPPRESS_LOCATION
#include "journald.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <syslog.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "error.h"
#include "json.h"
#include "log.h"
#include "memory.h"

static const struct {
    const char *member;
    const char *field;
} fields[] = {
    { "kind", "DBGUEST_EVENT" },    { "instance", "DBGUEST_INSTANCE" },
    { "job", "DBGUEST_JOB" },       { "method", "DBGUEST_METHOD" },
    { "state", "DBGUEST_STATE" },   { "outcome", "DBGUEST_OUTCOME" },
    { "status", "DBGUEST_STATUS" }, { "was", "DBGUEST_WAS" },
};

#define FIELDS_MAX (ARRAY_SIZE(fields) + 2) /* MESSAGE and PRIORITY */

/* JOURNAL_STREAM names the device and inode that a service's stderr was given; it may be another
 * one by now. */
static bool is_read_by_journald(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat status = { 0 };
    char text[64];

    if (stream == NULL || fstat(STDERR_FILENO, &status) != 0)
        return false;
    snprintf(text, sizeof(text), "%llu:%llu", (unsigned long long)status.st_dev,
             (unsigned long long)status.st_ino);
    return strcmp(stream, text) == 0;
}

static const char *word(struct json_object *event, const char *member)
{
    const char *text = json_get_string(event, member);

    return text != NULL ? text : "-";
}

static char *message_of(struct json_object *event)
{
    const char *outcome = json_get_string(event, "outcome");

    if (json_get_string(event, "status") != NULL || json_get_string(event, "was") != NULL)
        return xasprintf("%s: %s -> %s", word(event, "instance"), word(event, "was"),
                         word(event, "status"));
    return xasprintf("%s %s %s %s%s%s", word(event, "job"), word(event, "method"),
                     word(event, "object"), word(event, "state"), outcome != NULL ? ": " : "",
                     outcome != NULL ? outcome : "");
}

static bool needs_person(struct json_object *event)
{
    return strcmp(word(event, "status"), "ERROR") == 0 ||
           strcmp(word(event, "outcome"), error_word(ERROR_NEEDS_ATTENTION)) == 0;
}

static bool send_fields(struct json_object *event, const char *message, int priority)
{
    char *texts[FIELDS_MAX] = { xasprintf("MESSAGE=%s", message),
                                xasprintf("PRIORITY=%d", priority) };
    struct iovec parts[FIELDS_MAX];
    size_t count = 2;

    for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
        const char *value = json_get_string(event, fields[i].member);

        if (value != NULL)
            texts[count++] = xasprintf("%s=%s", fields[i].field, value);
    }
    for (size_t i = 0; i < count; i++)
        parts[i] = (struct iovec){ .iov_base = texts[i], .iov_len = strlen(texts[i]) };
    bool sent = sd_journal_sendv(parts, (int)count) == 0;
    for (size_t i = 0; i < count; i++)
        free(texts[i]);
    return sent;
}

void journald_tell(struct json_object *event)
{
    autofree char *message = message_of(event);
    int priority = needs_person(event) ? LOG_ERR : LOG_INFO;

    if (is_read_by_journald() && send_fields(event, message, priority))
        return;
    if (priority == LOG_ERR)
        log_error("%s", message);
    else
        log_info("%s", message);
}
