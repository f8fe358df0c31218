#include <ctype.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>

#include "engine.h"
#include "error.h"
#include "file.h"
#include "json.h"
#include "memory.h"
#include "postgresql.h"
#include "process.h"
#include "text.h"

int postgresql_major(const char *version)
{
    return (int)strtol(version, NULL, 10);
}

int postgresql_minor(const char *version)
{
    const char *dot = strchr(version, '.');

    return dot == NULL ? 0 : (int)strtol(dot + 1, NULL, 10);
}

/* "15.18" of "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"; NULL when it is no such line.
 */
static char *version_of(const char *line)
{
    static const char start[] = "postgres (PostgreSQL) ";

    if (!text_starts(line, start) || !isdigit((unsigned char)line[strlen(start)]))
        return NULL;
    line += strlen(start);
    return xstrndup(line, strcspn(line, " \n"));
}

char *postgresql_ask_server(struct task *task, const char *question, struct error *err)
{
    autofree char *program = postgresql_program(task, "postgres", err);
    const char *const argv[] = { program, question, NULL };
    const struct engine_tool tool = {
        .argv = argv,
        .without_data = true,
        .tick = task_tick,
        .context = task,
    };
    autoresult struct process_result result = { 0 };

    if (program == NULL || !engine_check_tool(task->engine, &tool, &result, err))
        return NULL;
    return steal(result.output.bytes);
}

static char *ask_version(struct task *task, struct error *err)
{
    autofree char *said = postgresql_ask_server(task, "--version", err);
    char *version = said == NULL ? NULL : version_of(said);

    if (said != NULL && version == NULL) {
        error_set(err, ERROR_INCOMPATIBLE, "the tree's postgres does not say its version");
        error_native(err, said);
    }
    return version;
}

/* "2.36" of the last word of "ldd (Debian GLIBC 2.36-9+deb12u13) 2.36"; NULL where there is none.
 */
static char *ask_libc(struct task *task)
{
    static const char *const argv[] = { "/usr/bin/ldd", "--version", NULL };
    const struct engine_tool tool = {
        .argv = argv,
        .without_data = true,
        .tick = task_tick,
        .context = task,
    };
    autoresult struct process_result result = { 0 };
    struct error ignored = { 0 };
    bool ran = engine_run_tool(task->engine, &tool, &result, &ignored);

    error_clear(&ignored);
    if (!ran || result.status != 0 || result.output.bytes == NULL)
        return NULL;
    result.output.bytes[strcspn(result.output.bytes, "\n")] = '\0';
    const char *word = strrchr(result.output.bytes, ' ');
    return word == NULL ? NULL : xstrdup(word + 1);
}

/* Of a library's name ".../libicuuc.so.72.1". */
char *postgresql_icu(const char *tree)
{
    autofree char *pattern = xasprintf("%s/usr/lib/*/libicuuc.so.*.*", tree);
    glob_t found;
    char *version = NULL;

    if (glob(pattern, 0, NULL, &found) == 0)
        version = xstrdup(strstr(found.gl_pathv[0], ".so.") + strlen(".so."));
    globfree(&found);
    return version;
}

/* "hstore 1.8" of its control file. */
static char *extension_of(const char *path)
{
    char line[512];
    char version[64] = "";
    const char *name = strrchr(path, '/') + 1;
    FILE *file = fopen(path, "re");

    while (file != NULL && *version == '\0' && fgets(line, sizeof(line), file) != NULL)
        sscanf(line, " default_version = '%63[^']'", version);
    if (file != NULL)
        fclose(file);
    return xasprintf("%.*s %s", (int)(strlen(name) - strlen(".control")), name, version);
}

static void add_extensions(const char *tree, struct json_object *manifest)
{
    static const char *const folders[] = { "usr/share/postgresql/*/extension",
                                           "usr/local/share/postgresql/extension" };
    struct json_object *extensions = json_add_array(manifest, "extensions");

    for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
        autofree char *pattern = xasprintf("%s/%s/*.control", tree, folders[i]);
        glob_t found;
        size_t count = glob(pattern, 0, NULL, &found) == 0 ? found.gl_pathc : 0;

        for (size_t j = 0; j < count; j++) {
            autofree char *extension = extension_of(found.gl_pathv[j]);
            json_object_array_add(extensions, json_object_new_string(extension));
        }
        globfree(&found);
    }
}

bool postgresql_probe(struct task *task, struct json_object *manifest, struct error *err)
{
    autofree char *version = ask_version(task, err);

    if (version == NULL) {
        err->reason = err->reason == ERROR_ENGINE ? ERROR_INCOMPATIBLE : err->reason;
        return false;
    }
    autofree char *libc = ask_libc(task);
    autofree char *icu = postgresql_icu(task->engine->tree);

    json_add_string(manifest, "engine_version", version);
    json_add_int(manifest, "format", postgresql_major(version));
    json_add_string(manifest, "libc", libc);
    json_add_string(manifest, "icu", icu);
    add_extensions(task->engine->tree, manifest);
    return true;
}

/*
 * Minor releases of all majors come out on one day; how far the numbers of a major are behind those
 * of the one before it follows from when it began (postgresql.org/docs/release).
 */
static int minors_behind(int major)
{
    static const int behind[] = { [14] = 4, [15] = 5, [16] = 4, [17] = 4, [18] = 6 };

    return major > 13 && major < (int)ARRAY_SIZE(behind) ? behind[major] : -1;
}

int postgresql_minor_since(const char *from, int to_major)
{
    int minor = postgresql_minor(from);

    for (int major = postgresql_major(from) + 1; major <= to_major; major++) {
        if (minors_behind(major) < 0)
            return 0;
        minor -= minors_behind(major);
    }
    return minor;
}

enum edge postgresql_edge(const char *from, const char *to, const char **reason)
{
    int major = postgresql_major(to) - postgresql_major(from);

    *reason = NULL;
    if (major > 0) {
        *reason = "another major release: its data must be migrated by pg_upgrade first";
        return EDGE_MIGRATE;
    }
    if (major < 0) {
        *reason = "an older major release cannot read this data";
        return EDGE_DOWNGRADE;
    }
    if (text_compare_versions(to, from) < 0) {
        *reason = "an older minor release brings its bugs back, on data that it has not seen";
        return EDGE_DOWNGRADE;
    }
    return EDGE_SAME_FORMAT;
}
