#include "pull.h"

#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "json.h"
#include "memory.h"
#include "process.h"
#include "site.h"
#include "task.h"
#include "text.h"

/* Its last whole line says how many bytes it has read. */
static uint64_t measure_reading(const struct version_pull *pull)
{
    const char *said = pull->result->output.bytes;
    size_t length = pull->result->output.length;

    while (length > 0 && said[length - 1] != '\n')
        length--;
    if (length == 0)
        return 0;
    for (length--; length > 0 && said[length - 1] != '\n';)
        length--;
    return strtoull(said + length, NULL, 10);
}

static uint64_t bytes_of(struct json_object *layers)
{
    int64_t bytes = 0;

    for (size_t i = 0; i < json_object_array_length(layers); i++)
        bytes += json_get_int(json_object_array_get_idx(layers, i), "bytes");
    return (uint64_t)bytes;
}

/* It tells what went wrong as we do ourselves; when it was killed it tells nothing. */
static bool unpack_failed(const struct version_pull *pull, const struct process_result *result,
                          struct error *err)
{
    struct error unread = { 0 };
    const char *said = text_last_lines(result->errors.bytes, 1);
    autoptr(json_object) told = json_parse(said, strlen(said), &unread);

    error_clear(&unread);
    if (told != NULL)
        error_from_json(err, told);
    else
        pull_failed("dbguest-unpack", result, ERROR_INTERNAL, err);
    return error_prefix(err, "cannot unpack '%s'", pull->source.text);
}

bool pull_unpack_layers(struct version_pull *pull, bool image, struct json_object *layers,
                        struct error *err)
{
    autoptr(json_object) plan = json_object_new_object();
    autofree char *path = xasprintf("%s/plan.json", pull->work);
    autofree char *program = xasprintf("%s/dbguest-unpack", pull->task->site->libexec_dir);
    const char *const argv[] = { program, path, pull->part, NULL };
    autoresult struct process_result result = { 0 };

    pull->measure = measure_reading;
    pull->total_bytes = bytes_of(layers);
    json_add_bool(plan, "image", image);
    json_add(plan, "layers", json_object_get(layers));
    if (!json_write_file(path, plan, 0600, err) || !file_make_folder(pull->part, 0755, err) ||
        !pull_run(pull, argv, &result, err))
        return false;
    return result.status == 0 || unpack_failed(pull, &result, err);
}
