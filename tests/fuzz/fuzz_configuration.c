/*
 * dbguest.conf: either it is read, or the error names file and line; what was read may be taken
 * over by a daemon that runs.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "config.h"
#include "error.h"
#include "log.h"

static void must_be_told(const struct error *err, const char *path)
{
    size_t length = strlen(path);

    fuzz_must(strncmp(err->message, path, length) == 0 && err->message[length] == ':' &&
                  strtol(err->message + length + 1, NULL, 10) > 0,
              "an error names file and line");
}

static void must_be_in_limits(const struct config *config)
{
    fuzz_must(config->socket[0] == '/' && config->site.state_dir[0] == '/' &&
                  config->site.run_dir[0] == '/' && config->site.versions_dir[0] == '/' &&
                  config->site.backups_dir[0] == '/',
              "paths are absolute");
    fuzz_must(config->line_bytes >= 1024 && config->connections >= 1 &&
                  config->requests_in_flight >= 1 && config->jobs_running >= 1 &&
                  config->depth >= 4 && config->depth <= 1024 && config->keep_count >= 1,
              "numbers are in their limits");
    fuzz_must(config->site.uid_first >= 1000 && config->site.uid_count >= 1,
              "no instance runs as a user of the system");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error err = { 0 };
    char path[32];
    int fd = fuzz_file(data, size, path);
    autoptr(config) config = config_read(path, false, &err);
    autoptr(config) running = config_read("/no such file", true, &err);

    close(fd);
    if (config == NULL) {
        must_be_told(&err, path);
        error_clear(&err);
        return 0;
    }
    must_be_in_limits(config);
    config_change(running, config);
    must_be_in_limits(running);
    return 0;
}
