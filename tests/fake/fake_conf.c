#include "fake_conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONF "/var/lib/dbguest/conf/fake.conf"
#define VERSION "/usr/share/fake/version"

static char version[32];

bool conf_first_line(const char *path, char *out, size_t room)
{
    FILE *file = fopen(path, "re");
    bool good = file != NULL && fgets(out, (int)room, file) != NULL;

    if (file != NULL)
        fclose(file);
    if (good)
        out[strcspn(out, "\n")] = '\0';
    return good;
}

/* The value of "name=value"; false when it is not set. */
static bool setting(const char *name, char *out, size_t room)
{
    FILE *file = fopen(CONF, "re");
    char line[512];
    size_t length = strlen(name);
    bool found = false;

    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, name, length) == 0 && line[length] == '=') {
            snprintf(out, room, "%s", line + length + 1);
            found = true;
        }
    }
    if (file != NULL)
        fclose(file);
    return found;
}

bool conf_misbehaves(const char *how)
{
    char value[64];

    return setting(how, value, sizeof(value)) &&
           (strcmp(value, "all") == 0 || strcmp(value, version) == 0);
}

int conf_number(const char *name, int fallback)
{
    char value[64];

    return setting(name, value, sizeof(value)) ? (int)strtol(value, NULL, 10) : fallback;
}

const char *conf_version(void)
{
    if (version[0] == '\0' && !conf_first_line(VERSION, version, sizeof(version)))
        return NULL;
    return version;
}

int conf_format(void)
{
    return (int)strtol(version, NULL, 10);
}

int conf_check(void)
{
    static const char *const known[] = { "port",       "max_clients", "memory",
                                         "fail_start", "slow_start",  "die_soon",
                                         "hang_stop",  "lie",         "slow_dump" };
    FILE *file = fopen(CONF, "re");
    char line[512];
    int status = file == NULL;

    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        bool found = false;

        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
            found |=
                strncmp(line, known[i], strlen(known[i])) == 0 && line[strlen(known[i])] == '=';
        if (!found) {
            line[strcspn(line, "=\n")] = '\0';
            fprintf(stderr, "unknown setting \"%s\"\n", line);
            status = 1;
        }
    }
    if (file != NULL)
        fclose(file);
    return status;
}
