#include "environment.h"

#include <json-c/json.h>
#include <string.h>

#include "engine.h"
#include "error.h"
#include "file.h"
#include "json.h"
#include "memory.h"
#include "text.h"

static const char *const usual[] = {
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG=C.UTF-8",
    NULL,
};
/* Of an image's; all else is for its entry point, which is not run. */
static const char *const of_all[] = { "PATH=", "LD_LIBRARY_PATH=", "TZ=", NULL };
static const char *const of_engines[] = { "LANG=", "LANGUAGE=", "LC_", NULL };

struct environment {
    char **lines;
    size_t count;
};

static bool is_set(const struct environment *environment, const char *line)
{
    size_t length = strcspn(line, "=") + 1;

    for (size_t i = 0; i < environment->count; i++)
        if (strncmp(environment->lines[i], line, length) == 0)
            return true;
    return false;
}

static void add(struct environment *environment, const char *line)
{
    if (strchr(line, '=') == NULL || is_set(environment, line))
        return;
    environment->lines =
        xrealloc(environment->lines, (environment->count + 2) * sizeof(*environment->lines));
    environment->lines[environment->count++] = xstrdup(line);
    environment->lines[environment->count] = NULL;
}

static bool starts_with_one(const char *line, const char *const heads[])
{
    for (; *heads != NULL; heads++)
        if (text_starts(line, *heads))
            return true;
    return false;
}

/* Beside the tree, whether it is published or still being looked at; most versions have no image.
 */
static struct json_object *read_manifest(const struct engine *engine)
{
    const char *slash = strrchr(engine->tree, '/');
    autofree char *path =
        xasprintf("%.*s/manifest.json", (int)(slash - engine->tree), engine->tree);
    struct error ignored = { 0 };
    struct json_object *manifest = file_exists(path) ? json_read_file(path, &ignored) : NULL;

    error_clear(&ignored);
    return manifest;
}

static void add_image(struct environment *environment, const struct engine *engine, bool is_tool)
{
    autoptr(json_object) manifest = read_manifest(engine);
    struct json_object *lines = json_get(json_get(manifest, "image"), "env");
    size_t count =
        json_object_is_type(lines, json_type_array) ? json_object_array_length(lines) : 0;

    for (size_t i = 0; i < count; i++) {
        const char *line = json_object_get_string(json_object_array_get_idx(lines, i));
        if (line != NULL &&
            (starts_with_one(line, of_all) || (!is_tool && starts_with_one(line, of_engines))))
            add(environment, line);
    }
}

char **environment_make(const struct engine *engine, const char *const *given, bool is_tool)
{
    struct environment environment = { 0 };

    for (; given != NULL && *given != NULL; given++)
        add(&environment, *given);
    add_image(&environment, engine, is_tool);
    for (const char *const *line = usual; *line != NULL; line++)
        add(&environment, *line);
    return environment.lines;
}
