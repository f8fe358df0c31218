#include <string.h>

#include "engine.h"
#include "error.h"
#include "memory.h"
#include "postgresql.h"
#include "process.h"
#include "text.h"

/* "invalid value for ..." of "2026-11-21 03:42 UTC [7] LOG:  invalid value for ..."; NULL: noise.
 */
static const char *own_words(const char *line)
{
    static const char *const levels[] = { "LOG:  ",   "ERROR:  ",  "WARNING:  ",
                                          "FATAL:  ", "DETAIL:  ", "HINT:  " };

    if (strstr(line, "contains errors") != NULL || strstr(line, "skipping missing") != NULL)
        return NULL;
    for (size_t i = 0; i < ARRAY_SIZE(levels); i++) {
        const char *at = strstr(line, levels[i]);

        if (at != NULL)
            return at + strlen(levels[i]);
    }
    return text_starts(line, "postgres: ") ? line + strlen("postgres: ") : NULL;
}

/* Lines that begin with a tab go on with the one before; where our file lies is no help. */
static bool refuse_settings(const char *said, struct error *err)
{
    autotext struct text words = { 0 };
    autofree char *lines = xstrdup(said);
    char *rest = NULL;
    bool taken = false;

    text_add(&words, "");
    for (char *line = strtok_r(lines, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        const char *own = *line == '\t' && taken ? line : own_words(line);
        char *path = own == NULL ? NULL : strstr(line, " in file \"" ENGINE_CONF);

        if (path != NULL)
            *path = '\0';
        taken = own != NULL;
        if (taken)
            text_printf(&words, "%s\n", own);
    }
    error_set(err, ERROR_ENGINE, "the engine does not accept these settings");
    return error_native(err, words.length > 0 ? words.bytes : said);
}

static const char config_option[] = "config_file=" ENGINE_CONF "/postgresql.conf";

bool postgresql_check_settings(struct task *task, struct error *err)
{
    autofree char *program = postgresql_program(task, "postgres", err);
    const char *const argv[] = { program,     "-C", "max_connections", "-D",
                                 ENGINE_DATA, "-c", config_option,     NULL };
    const struct engine_tool tool = { .argv = argv, .tick = task_tick, .context = task };
    autoresult struct process_result result = { 0 };

    if (program == NULL || !engine_run_tool(task->engine, &tool, &result, err))
        return false;
    if (result.status == 0)
        return true;
    return refuse_settings(result.errors.bytes == NULL ? "" : result.errors.bytes, err);
}
