#include "show.h"

#include <math.h>
#include <string.h>

#include "cell.h"
#include "cli.h"
#include "json.h"
#include "memory.h"
#include "screen.h"
#include "text.h"
#include "units.h"

static void add_disk(struct json_object *disk, struct text *out)
{
    if (!show_has(disk, "free_bytes"))
        return;
    if (!show_has(disk, "total_bytes")) {
        autofree char *free_size = units_size(json_get_double(disk, "free_bytes"));
        text_printf(out, "; disk %s free", free_size);
        return;
    }
    autofree char *both =
        units_of(json_get_double(disk, "free_bytes"), json_get_double(disk, "total_bytes"));
    text_printf(out, "; disk %s free", both);
}

/* Names, or objects that have one. */
static void add_datastores(struct json_object *datastores, struct text *out)
{
    if (!json_object_is_type(datastores, json_type_array))
        return;
    text_add(out, "; datastores");
    for (size_t i = 0; i < json_object_array_length(datastores); i++) {
        struct json_object *store = json_object_array_get_idx(datastores, i);
        const char *name = json_object_is_type(store, json_type_string)
                               ? json_object_get_string(store)
                               : json_get_string(store, "name");
        if (name == NULL)
            name = json_get_string(store, "datastore");
        autofree char *safe = screen_safe(name != NULL ? name : "?");
        text_printf(out, " %s", safe);
    }
}

static void add_clock(struct json_object *clock, struct text *out)
{
    const char *removal = json_get_string(clock, "removal");

    if (removal == NULL || strcmp(removal, "suspended") != 0)
        return;
    autofree char *jumped = units_duration(fabs(json_get_double(clock, "jumped_s")));
    text_printf(out, "! the clock jumped by %s: nothing is removed by age until it is back\n",
                jumped);
}

void show_agent(const struct cli *cli, struct json_object *params, struct json_object *result,
                struct text *out)
{
    struct json_object *jobs = json_get(result, "jobs");
    autofree char *version = show_member(result, "version");
    autofree char *host = show_member(result, "host");
    autofree char *up = show_member(result, "up_s");
    autofree char *boot = show_member(result, "boot_id");
    autofree char *memory = show_member(result, "memory_bytes");
    autofree char *instances = units_count(json_get_int(result, "instances"), "instance");
    autofree char *running = units_count(json_get_int(jobs, "running"), "job");

    (void)cli;
    (void)params;
    text_printf(out, "dbguestd %s", version);
    if (show_has(result, "host"))
        text_printf(out, " on %s", host);
    text_printf(out, ", protocol %lld, up %s, boot %.8s",
                (long long)json_get_int(result, "protocol"), up, boot);
    text_printf(out, ", %s, %s running, %lld queued\n", instances, running,
                (long long)json_get_int(jobs, "queued"));
    text_printf(out, "  memory %s", memory);
    add_disk(json_get(result, "disk"), out);
    if (show_has(result, "seq"))
        text_printf(out, "; events at %lld", (long long)json_get_int(result, "seq"));
    add_datastores(json_get(result, "datastores"), out);
    text_add(out, "\n");
    add_clock(json_get(result, "clock"), out);
}

/* --- instance check-upgrade --- */

enum { RANKS = 3 };

/* What stands in the way first. */
static size_t rank_of(struct json_object *finding)
{
    static const char *const severities[RANKS - 1] = { "blocker", "warning" };
    const char *severity = json_get_string(finding, "severity");

    for (size_t i = 0; severity != NULL && i < ARRAY_SIZE(severities); i++)
        if (strcmp(severities[i], severity) == 0)
            return i;
    return RANKS - 1;
}

static void add_finding(const struct cli *cli, struct json_object *finding, struct text *out)
{
    autofree char *severity = show_member(finding, "severity");
    autofree char *reason = show_member(finding, "reason");
    autofree char *message = show_member(finding, "message");
    autofree char *hint = show_member(finding, "hint");

    screen_paint(out, cli->color_out, screen_paint_of(severity), severity);
    text_printf(out, "%*s %-21s %s\n", (int)(strlen(severity) < 8 ? 8 - strlen(severity) : 0), "",
                reason, message);
    if (show_has(finding, "hint"))
        text_printf(out, "         hint: %s\n", hint);
}

static void add_findings(const struct cli *cli, struct json_object *findings, size_t rank,
                         struct text *out)
{
    for (size_t i = 0; i < json_object_array_length(findings); i++) {
        struct json_object *finding = json_object_array_get_idx(findings, i);
        if (rank_of(finding) == rank)
            add_finding(cli, finding, out);
    }
}

static void add_space(struct json_object *result, struct text *out)
{
    autofree char *needed = units_size(json_get_double(result, "needed_bytes"));
    autofree char *free_size = units_size(json_get_double(result, "free_bytes"));

    if (show_has(result, "needed_bytes"))
        text_printf(out, "space     %s needed, %s free\n", needed, free_size);
}

void show_check_upgrade(const struct cli *cli, struct json_object *params,
                        struct json_object *result, struct text *out)
{
    struct json_object *findings = json_get(result, "findings");
    autofree char *name =
        show_member(json_get(result, "instance") != NULL ? result : params, "instance");
    autofree char *datastore = show_member(result, "datastore");
    autofree char *from = show_member(result, "from_version");
    autofree char *to = show_member(result, "version");
    autofree char *way = show_member(result, "method");
    autofree char *back = show_member(result, "way_back");
    autofree char *outage = show_member(result, "expected_outage_s");

    text_printf(out, "%s: %s%s%s -> %s", name, show_has(result, "datastore") ? datastore : "",
                show_has(result, "datastore") ? " " : "", from, to);
    text_printf(out, show_has(result, "method") ? " by %s\n" : "%.0s\n", way);
    for (size_t rank = 0; findings != NULL && rank < RANKS; rank++)
        add_findings(cli, findings, rank, out);
    if (show_has(result, "way_back"))
        text_printf(out, "way back  %s\n", back);
    add_space(result, out);
    if (show_has(result, "expected_outage_s"))
        text_printf(out, "outage    %s expected\n", outage);
}
