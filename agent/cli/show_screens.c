#include "show.h"

#include <string.h>

#include "cli.h"
#include "json.h"
#include "memory.h"
#include "screen.h"
#include "text.h"
#include "units.h"

#define DIGEST_SHOWN 8

static char *size_of(struct json_object *object, const char *name)
{
    return units_size(json_get_double(object, name));
}

/* "sha256:9c41d0e7…" */
static char *short_digest(struct json_object *object, const char *name)
{
    static const char kind[] = "sha256:";
    autofree char *digest = show_member(object, name);
    const char *figures = digest + (text_starts(digest, kind) ? sizeof(kind) - 1 : 0);

    if (strlen(figures) <= DIGEST_SHOWN)
        return xstrdup(digest);
    return xasprintf("%s%.*s…", kind, DIGEST_SHOWN, figures);
}

static void add_head(const struct cli *cli, const char *name, const char *state, struct text *out)
{
    screen_paint(out, cli->color_out, PAINT_BOLD, name);
    text_add(out, ": ");
    screen_paint(out, cli->color_out, screen_paint_of(state), state);
}

/* --- instance show --- */

static void add_version(struct json_object *result, struct text *out)
{
    autofree char *version = show_member(result, "version");
    autotext struct text line = { 0 };

    text_add(&line, version);
    if (show_has(result, "digest")) {
        autofree char *digest = short_digest(result, "digest");
        text_printf(&line, ", %s", digest);
    }
    if (show_has(result, "generation")) {
        autofree char *generation = show_member(result, "generation");
        text_printf(&line, ", generation %s", generation);
    }
    if (show_has(result, "generation_at")) {
        autofree char *since = show_member(result, "generation_at");
        text_printf(&line, " since %s", since);
    }
    show_line(out, "version", line.bytes);
}

static void add_place(struct json_object *result, struct text *out)
{
    autofree char *port = show_member(result, "port");
    autofree char *socket = show_member(result, "socket");
    autofree char *clients = show_member(result, "clients");
    autotext struct text line = { 0 };

    text_printf(&line, show_has(result, "port") ? "port %s, socket %s" : "%.0ssocket %s", port,
                socket);
    show_line(out, "listens", line.bytes);
    if (!show_has(result, "clients"))
        return;

    char *slash = strchr(clients, '/');
    autofree char *most = xstrdup(slash != NULL ? slash + 1 : "");
    if (slash != NULL)
        *slash = '\0';
    autofree char *both = slash != NULL ? xasprintf("%s of %s", clients, most) : xstrdup(clients);
    show_line(out, "clients", both);
}

static void add_size(struct json_object *result, struct text *out)
{
    autofree char *size = size_of(result, "size_bytes");
    autofree char *free_size = size_of(result, "free_bytes");
    autotext struct text line = { 0 };

    if (!show_has(result, "size_bytes"))
        return;
    text_add(&line, size);
    if (show_has(result, "databases")) {
        autofree char *databases = units_count(json_get_int(result, "databases"), "database");
        text_printf(&line, " in %s", databases);
    }
    if (show_has(result, "free_bytes"))
        text_printf(&line, "; %s free", free_size);
    show_line(out, "size", line.bytes);
}

static void add_settings(struct json_object *result, struct text *out)
{
    autofree char *settings = show_pairs(json_get(result, "settings"));
    autofree char *by_memory = show_pairs(json_get(result, "by_memory"));

    if (settings != NULL)
        show_line(out, "settings", settings);
    if (by_memory != NULL)
        show_line(out, "by memory", by_memory);
}

static void add_backup(struct json_object *result, struct text *out)
{
    autofree char *backup = show_member(result, "backup");
    autofree char *age = show_member(result, "backup_age_s");

    if (!show_has(result, "backup")) {
        show_line(out, "backup", "none");
        return;
    }
    autofree char *line = xasprintf("%s, %s ago%s", backup, age,
                                    show_has(result, "backup_verified_at") ? ", verified" : "");
    show_line(out, "backup", line);
}

/* "j171 instance.configure ok, 3 d ago" */
static void add_last_job(struct json_object *result, struct text *out)
{
    struct json_object *job = json_get(result, "last_job");
    autofree char *name = show_member(job, "job");
    autofree char *method = show_member(job, "method");
    autofree char *outcome = show_member(job, show_has(job, "outcome") ? "outcome" : "state");
    autofree char *age = show_member(job, "age_s");

    if (!show_has(job, "job"))
        return;
    autofree char *line = show_has(job, "age_s")
                              ? xasprintf("%s %s %s, %s ago", name, method, outcome, age)
                              : xasprintf("%s %s %s", name, method, outcome);
    show_line(out, "last job", line);
}

static void add_attention(struct json_object *result, const char *name, struct text *out)
{
    struct json_object *attention = json_get(result, "attention");

    if (!json_object_is_type(attention, json_type_array))
        return;
    for (size_t i = 0; i < json_object_array_length(attention); i++) {
        struct json_object *item = json_object_array_get_idx(attention, i);
        autofree char *message = show_member(item, "message");
        autofree char *hint = show_member(item, "hint");
        text_printf(out, "! %s: %s%s%s\n", name, message, show_has(item, "hint") ? ": " : "",
                    show_has(item, "hint") ? hint : "");
    }
}

void show_instance(const struct cli *cli, struct json_object *params, struct json_object *result,
                   struct text *out)
{
    autofree char *name = show_member(result, "instance");
    autofree char *status = show_member(result, "status");
    autofree char *datastore = show_member(result, "datastore");
    autofree char *version = show_member(result, "version");
    autofree char *up = show_member(result, "up_s");
    autofree char *wanted = show_member(result, "wanted");
    autofree char *position = show_member(result, "position");

    (void)params;
    add_head(cli, name, status, out);
    text_printf(out, ", %s %s", datastore, version);
    if (show_has(result, "up_s"))
        text_printf(out, ", up %s", up);
    text_add(out, "\n");

    autofree char *boot = xasprintf("%s, also after a reboot", wanted);
    if (show_has(result, "wanted"))
        show_line(out, "wanted", boot);
    add_version(result, out);
    if (show_has(result, "newer")) {
        autofree char *newer = show_member(result, "newer");
        autofree char *line =
            xasprintf("%s is present: dbguestctl instance check-upgrade %s", newer, name);
        show_line(out, "newer", line);
    }
    add_place(result, out);
    add_size(result, out);
    if (show_has(result, "position"))
        show_line(out, "position", position);
    add_settings(result, out);
    add_backup(result, out);
    add_last_job(result, out);
    add_attention(result, name, out);
}

/* --- version show --- */

struct line {
    const char *field;
    const char *label;
};

static void add_lines(const struct line *lines, size_t count, struct json_object *result,
                      struct text *out)
{
    for (size_t i = 0; i < count; i++) {
        autofree char *text = show_member(result, lines[i].field);
        if (show_has(result, lines[i].field))
            show_line(out, lines[i].label, text);
    }
}

void show_version(const struct cli *cli, struct json_object *params, struct json_object *result,
                  struct text *out)
{
    static const struct line lines[] = {
        { "source", "source" },   { "digest", "digest" },   { "engine_version", "engine" },
        { "libc", "libc" },       { "used_by", "used by" }, { "age_s", "age" },
        { "size_bytes", "size" },
    };
    autofree char *datastore = show_member(result, "datastore");
    autofree char *version = show_member(result, "version");

    (void)params;
    screen_paint(out, cli->color_out, PAINT_BOLD, datastore);
    text_printf(out, " %s\n", version);
    add_lines(lines, ARRAY_SIZE(lines), result, out);
    if (show_has(result, "extensions")) {
        autofree char *extensions = show_member(result, "extensions");
        autotext struct text wrapped = { 0 };
        screen_wrap(&wrapped, extensions, cli->columns > 40 ? cli->columns - 15 : 85, 15);
        show_line(out, "extensions", wrapped.bytes);
    }
}

/* --- backup show --- */

void show_backup(const struct cli *cli, struct json_object *params, struct json_object *result,
                 struct text *out)
{
    autofree char *name = show_member(result, "backup");
    autofree char *instance = show_member(result, "instance");
    autofree char *datastore = show_member(result, "datastore");
    autofree char *version = show_member(result, "version");
    autofree char *verified = show_member(result, "verified_at");
    autofree char *raw = size_of(result, "raw_bytes");
    autofree char *size = size_of(result, "size_bytes");
    autofree char *digest = short_digest(result, "sha256");
    autofree char *restore = show_member(result, "restore_s");
    static const struct line lines[] = {
        { "created_at", "taken" }, { "took_s", "took" }, { "position_start", "from" },
        { "position_end", "to" },  { "note", "note" },   { "file", "file" },
        { "by_hand", "by hand" },
    };

    (void)params;
    screen_paint(out, cli->color_out, PAINT_BOLD, name);
    text_printf(out, ": of %s, %s %s; ", instance, datastore, version);
    text_printf(out, show_has(result, "verified_at") ? "verified %s\n" : "not verified%.0s\n",
                verified);

    autofree char *sizes = xasprintf("%s -> %s, %s", raw, size, digest);
    show_line(out, "size", sizes);
    if (show_has(result, "restore_s")) {
        autofree char *line = xasprintf("%s to the first query", restore);
        show_line(out, "restore", line);
    }
    add_lines(lines, ARRAY_SIZE(lines), result, out);
}

/* --- instance log --- */

void show_log(const struct cli *cli, struct json_object *params, struct json_object *result,
              struct text *out)
{
    struct json_object *lines = json_get(result, "lines");

    (void)cli;
    (void)params;
    for (size_t i = 0; lines != NULL && i < json_object_array_length(lines); i++) {
        struct json_object *line = json_object_array_get_idx(lines, i);
        autofree char *time = show_member(line, "time");
        autofree char *text = show_member(line, "text");
        if (show_has(line, "time"))
            text_printf(out, "%s  ", time);
        text_printf(out, "%s\n", show_has(line, "text") ? text : "");
    }
}
