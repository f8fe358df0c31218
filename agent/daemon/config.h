/*
 * dbguest.conf: sections, names and values (INI). What is unknown or wrong is an error with its
 * line, so that a slip of the pen never means a default.
 */
#ifndef DBGUEST_DAEMON_CONFIG_H
#define DBGUEST_DAEMON_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "cleanup.h"
#include "site.h"

#define CONFIG_PATH "/etc/dbguest/dbguest.conf"

struct error;

struct config {
    struct site site; /* what workers need; supervisor is decided, never "auto" */
    char *socket;
    char *socket_group; /* whose members are operators beside root */
    char *supervisor;   /* as written */
    int64_t socket_mode;
    int64_t line_bytes;
    int64_t connections;
    int64_t requests_in_flight; /* of a connection */
    int64_t jobs_running;
    int64_t depth; /* of brackets in a request */
    int64_t keep_s;
    int64_t keep_count;
    int64_t uid_first;
    int64_t uid_count;
    int64_t pull_weight;
};

/* Defaults for what the file does not say; a file that is missing has none when it may be. */
struct config *config_read(const char *path, bool may_be_missing, struct error *err);
void config_free(struct config *config);
DEFINE_AUTOPTR(config, config_free)

/* Takes over into config what may change while we run, and logs each difference. */
void config_change(struct config *config, const struct config *wanted);

#endif
