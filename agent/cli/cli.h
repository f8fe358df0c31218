/*
 * dbguestctl: what was said on the command line about how to show things, and where.
 */
#ifndef DBGUEST_CLI_H
#define DBGUEST_CLI_H

#include <stdbool.h>
#include <stddef.h>

struct document;
struct error;
struct json_object;

enum { EXIT_NO_DAEMON = 20, EXIT_INTERRUPTED = 130 };

enum progress_kind { PROGRESS_AUTO, PROGRESS_PLAIN, PROGRESS_JSON, PROGRESS_NONE };

struct cli {
    bool json, wide, quiet, help;
    bool in_terminal, out_terminal, err_terminal;
    bool color_out, color_err;
    size_t columns; /* of standard output */
    enum progress_kind progress;
    const char *socket;
    struct document *document;
};

#endif
