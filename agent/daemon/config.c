#include "config.h"

#include <ini.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "error.h"
#include "file.h"
#include "log.h"
#include "memory.h"
#include "text.h"

enum kind { KIND_PATH, KIND_TEXT, KIND_NAME, KIND_WORD, KIND_NUMBER, KIND_MODE };

/* One name of the file; min and max are of the value, or of a text's length. */
struct entry {
    const char *section;
    const char *name;
    size_t offset;
    const char *fallback; /* NULL: made of others, or none */
    int64_t min, max;
    enum kind kind;
    bool live; /* may change without a restart */
};

#define AT(member) offsetof(struct config, member)
#define DAY 86400

static const struct entry entries[] = {
    { "daemon", "name", AT(site.name), "dbguest", 1, 32, KIND_NAME, false },
    { "daemon", "socket", AT(socket), NULL, 2, 107, KIND_PATH, false },
    { "daemon", "socket_mode", AT(socket_mode), "0660", 0, 0777, KIND_MODE, false },
    { "daemon", "socket_group", AT(socket_group), "dbguest", 0, 64, KIND_TEXT, false },
    { "daemon", "state_dir", AT(site.state_dir), "/var/lib/dbguest", 2, 1024, KIND_PATH, false },
    { "daemon", "versions_dir", AT(site.versions_dir), NULL, 2, 1024, KIND_PATH, false },
    { "daemon", "backups_dir", AT(site.backups_dir), NULL, 2, 1024, KIND_PATH, false },
    { "daemon", "run_dir", AT(site.run_dir), "/run/dbguest", 2, 64, KIND_PATH, false },
    { "daemon", "libexec_dir", AT(site.libexec_dir), DBGUEST_LIBEXEC, 2, 1024, KIND_PATH, false },
    { "daemon", "supervisor", AT(supervisor), "auto", 1, 16, KIND_WORD, false },
    { "limits", "line_bytes", AT(line_bytes), "1048576", 1024, 1 << 28, KIND_NUMBER, true },
    { "limits", "connections", AT(connections), "1024", 1, 1 << 20, KIND_NUMBER, true },
    { "limits", "requests_in_flight", AT(requests_in_flight), "64", 1, 65536, KIND_NUMBER, true },
    { "limits", "jobs_running", AT(jobs_running), "8", 1, 1024, KIND_NUMBER, true },
    { "limits", "depth", AT(depth), "64", 4, 1024, KIND_NUMBER, true },
    { "jobs", "keep_s", AT(keep_s), "604800", DAY, INT64_C(100) * 366 * DAY, KIND_NUMBER, true },
    { "jobs", "keep_count", AT(keep_count), "1000", 1, 1000000, KIND_NUMBER, true },
    { "instances", "uid_first", AT(uid_first), "64100", 1000, UINT32_MAX - 65536, KIND_NUMBER,
      false },
    { "instances", "uid_count", AT(uid_count), "1000", 1, 65536, KIND_NUMBER, false },
    { "versions", "policy", AT(site.policy), NULL, 2, 1024, KIND_PATH, true },
    { "versions", "authfile", AT(site.authfile), NULL, 2, 1024, KIND_PATH, true },
    { "versions", "pull_weight", AT(pull_weight), "10", 1, 100, KIND_NUMBER, true },
    { "versions", "keys_dir", AT(site.keys_dir), "/etc/dbguest/keys.d", 2, 1024, KIND_PATH, true },
};

struct reading {
    struct config *config;
    struct error first; /* what was wrong where ini_parse() first stumbled */
};

static char **text_of(struct config *config, const struct entry *entry)
{
    return (char **)((char *)config + entry->offset);
}

static int64_t *number_of(struct config *config, const struct entry *entry)
{
    return (int64_t *)((char *)config + entry->offset);
}

static bool is_number(const struct entry *entry)
{
    return entry->kind == KIND_NUMBER || entry->kind == KIND_MODE;
}

static bool set_number(const struct entry *entry, const char *value, int64_t *out,
                       struct error *err)
{
    char *end = NULL;
    long long number = strtoll(value, &end, entry->kind == KIND_MODE ? 8 : 10);

    if (end == value || *end != '\0')
        return error_set(err, ERROR_INVALID, "%s must be a number, not '%s'", entry->name, value);
    if (number < entry->min || number > entry->max)
        return error_set(err, ERROR_INVALID,
                         entry->kind == KIND_MODE ? "%s must be from %03llo to %03llo"
                                                  : "%s must be from %lld to %lld",
                         entry->name, (long long)entry->min, (long long)entry->max);
    *out = number;
    return true;
}

static bool check_text(const struct entry *entry, const char *value, struct error *err)
{
    size_t length = strlen(value);

    if ((int64_t)length < entry->min || (int64_t)length > entry->max)
        return error_set(err, ERROR_INVALID, "%s must have %lld to %lld bytes", entry->name,
                         (long long)entry->min, (long long)entry->max);
    if (entry->kind == KIND_PATH && (value[0] != '/' || strstr(value, "/../") != NULL))
        return error_set(err, ERROR_INVALID, "%s must be an absolute path, not '%s'", entry->name,
                         value);
    if (entry->kind == KIND_NAME && strspn(value, "abcdefghijklmnopqrstuvwxyz0123456789-") < length)
        return error_set(err, ERROR_INVALID, "%s must be of a-z, 0-9 and '-'", entry->name);
    if (entry->kind == KIND_WORD && strcmp(value, "auto") != 0 && strcmp(value, "detached") != 0 &&
        strcmp(value, "systemd") != 0)
        return error_set(err, ERROR_INVALID, "%s must be auto, detached or systemd, not '%s'",
                         entry->name, value);
    return true;
}

static bool set_entry(struct config *config, const struct entry *entry, const char *value,
                      struct error *err)
{
    if (is_number(entry))
        return set_number(entry, value, number_of(config, entry), err);
    if (!check_text(entry, value, err))
        return false;

    char **text = text_of(config, entry);
    size_t length = strlen(value);
    while (entry->kind == KIND_PATH && length > 1 && value[length - 1] == '/')
        length--;
    free(*text);
    *text = xstrndup(value, length);
    return true;
}

static int on_entry(void *user, const char *section, const char *name, const char *value)
{
    struct reading *reading = user;
    struct error err = { 0 };

    for (size_t i = 0; i < ARRAY_SIZE(entries); i++) {
        if (strcmp(entries[i].section, section) != 0 || strcmp(entries[i].name, name) != 0)
            continue;
        if (set_entry(reading->config, &entries[i], value, &err))
            return 1;
        break;
    }
    if (err.reason == ERROR_NONE)
        error_set(&err, ERROR_INVALID, "[%s] knows no '%s'", section, name);
    if (reading->first.reason == ERROR_NONE)
        error_move(&reading->first, &err);
    error_clear(&err);
    return 0;
}

static void set_defaults(struct config *config)
{
    struct error impossible = { 0 };

    for (size_t i = 0; i < ARRAY_SIZE(entries); i++)
        if (entries[i].fallback != NULL)
            set_entry(config, &entries[i], entries[i].fallback, &impossible);
}

static void set_from_others(struct config *config)
{
    struct site *site = &config->site;

    if (config->socket == NULL)
        config->socket = xasprintf("%s/dbguest.sock", site->run_dir);
    if (site->versions_dir == NULL)
        site->versions_dir = xasprintf("%s/versions", site->state_dir);
    if (site->backups_dir == NULL)
        site->backups_dir = xasprintf("%s/backups", site->state_dir);
    site->uid_first = (uid_t)config->uid_first;
    site->uid_count = (unsigned int)config->uid_count;
    site->pull_weight = (int)config->pull_weight;

    bool by_itself = strcmp(config->supervisor, "auto") == 0;
    bool systemd = by_itself ? sd_booted() > 0 : strcmp(config->supervisor, "systemd") == 0;
    site->supervisor = systemd ? SUPERVISOR_SYSTEMD : SUPERVISOR_DETACHED;
}

static bool parse(const char *path, struct reading *reading, struct error *err)
{
    int line = ini_parse(path, on_entry, reading);

    if (line == 0)
        return true;
    if (line < 0)
        return error_errno(err, "cannot read '%s'", path);
    if (reading->first.reason == ERROR_NONE)
        error_set(&reading->first, ERROR_INVALID, "neither [section] nor name = value");
    error_move(err, &reading->first);
    return error_prefix(err, "%s:%d", path, line);
}

struct config *config_read(const char *path, bool may_be_missing, struct error *err)
{
    autoptr(config) config = xcalloc(1, sizeof(*config));
    struct reading reading = { .config = config };

    set_defaults(config);
    if ((!may_be_missing || file_exists(path)) && !parse(path, &reading, err)) {
        error_clear(&reading.first);
        return NULL;
    }
    set_from_others(config);
    return steal(config);
}

void config_free(struct config *config)
{
    if (config == NULL)
        return;
    for (size_t i = 0; i < ARRAY_SIZE(entries); i++)
        if (!is_number(&entries[i]))
            free(*text_of(config, &entries[i]));
    free(config);
}

static bool same_text(const char *one, const char *other)
{
    return one == other || (one != NULL && other != NULL && strcmp(one, other) == 0);
}

static void change_number(const struct entry *entry, int64_t *now, int64_t wanted)
{
    log_info("%s is %lld, was %lld%s", entry->name, (long long)wanted, (long long)*now,
             entry->live ? "" : "; this needs a restart");
    if (entry->live)
        *now = wanted;
}

static void change_text(const struct entry *entry, char **now, const char *wanted)
{
    log_info("%s is '%s', was '%s'%s", entry->name, wanted != NULL ? wanted : "",
             *now != NULL ? *now : "", entry->live ? "" : "; this needs a restart");
    if (!entry->live)
        return;
    free(*now);
    *now = xstrdup(wanted);
}

void config_change(struct config *config, const struct config *wanted)
{
    int changes = 0;

    for (size_t i = 0; i < ARRAY_SIZE(entries); i++) {
        const struct entry *entry = &entries[i];
        const char *there = (const char *)wanted + entry->offset;

        if (is_number(entry)) {
            int64_t value = *(const int64_t *)(const void *)there;
            if (value == *number_of(config, entry))
                continue;
            change_number(entry, number_of(config, entry), value);
        } else {
            const char *value = *(char *const *)(const void *)there;
            if (same_text(value, *text_of(config, entry)))
                continue;
            change_text(entry, text_of(config, entry), value);
        }
        changes++;
    }
    config->site.pull_weight = (int)config->pull_weight;
    if (changes == 0)
        log_info("the configuration is the same as before");
}
