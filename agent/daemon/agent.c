#include "agent.h"

#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "clock.h"
#include "config.h"
#include "daemon.h"
#include "disk.h"
#include "error.h"
#include "events.h"
#include "instance.h"
#include "job.h"
#include "jobs.h"
#include "json.h"
#include "method.h"
#include "metrics.h"
#include "process.h"
#include "program.h"
#include "request.h"
#include "text.h"

#define PROTOCOL 1

void agent_ping(struct request *request)
{
    struct json_object *result = json_object_new_object();
    char stamp[32];

    process_stamp(stamp);
    json_add_string(result, "time", stamp);
    json_add_string(result, "boot_id", process_boot_id());
    request_result(request, result);
}

void agent_discover(struct request *request)
{
    request_result(request, openrpc_document());
    malloc_trim(0); /* it is large, and seldom asked for */
}

void agent_subscribe(struct request *request)
{
    events_subscribe(request);
}

static void metrics_on_disk(void *context, const struct disk *disk)
{
    struct request *request = context;
    struct json_object *result = json_object_new_object();
    autotext struct text text = { 0 };

    metrics_print(request->daemon, disk, &text);
    json_add_string(result, "text", text.bytes);
    request_result(request, result);
}

void agent_metrics(struct request *request)
{
    disk_ask(request->daemon, metrics_on_disk, request);
}

static void add_jobs(const struct daemon *daemon, struct json_object *result)
{
    struct json_object *jobs = json_add_object(result, "jobs");
    int64_t queued = 0;
    int64_t running = 0;
    int64_t recovering = 0;

    for (size_t i = 0; i < jobs_count(daemon); i++) {
        queued += jobs_at(daemon, i)->state == JOB_QUEUED;
        running += jobs_at(daemon, i)->state == JOB_RUNNING;
        recovering += jobs_at(daemon, i)->state == JOB_RECOVERING;
    }
    json_add_int(jobs, "running", running);
    json_add_int(jobs, "queued", queued);
    json_add_int(jobs, "recovering", recovering);
}

/* One that does not answer has a path, and nothing more is known of it. */
static void add_disk(const struct config *config, const struct disk *found,
                     struct json_object *result)
{
    struct json_object *disk = json_add_object(result, "disk");

    json_add_string(disk, "path", config->site.state_dir);
    if (!found->known)
        return;
    json_add_int(disk, "free_bytes", found->free_bytes);
    json_add_int(disk, "total_bytes", found->total_bytes);
}

static void add_limits(const struct config *config, struct json_object *result)
{
    struct json_object *limits = json_add_object(result, "limits");

    json_add_int(limits, "line_bytes", config->line_bytes);
    json_add_int(limits, "connections", config->connections);
    json_add_int(limits, "requests_in_flight", config->requests_in_flight);
    json_add_int(limits, "jobs_running", config->jobs_running);
    json_add_int(limits, "depth", config->depth);
}

static int64_t count_instances(const struct daemon *daemon)
{
    int64_t count = 0;

    for (const struct instance *instance = instances_first(daemon); instance != NULL;
         instance = instances_next(instance))
        count++;
    return count;
}

static void info_on_disk(void *context, const struct disk *disk)
{
    struct request *request = context;
    struct daemon *daemon = request->daemon;
    struct json_object *result = json_object_new_object();
    char host[256] = "";

    gethostname(host, sizeof(host) - 1);
    json_add_string(result, "version", DBGUEST_VERSION);
    json_add_int(result, "protocol", PROTOCOL);
    json_add_string(result, "name", daemon->config->site.name);
    json_add_string(result, "host", host);
    json_add_double(result, "up_s", process_clock_s() - daemon->started_s);
    json_add_string(result, "boot_id", process_boot_id());
    json_add_int(result, "seq", events_seq(daemon));
    json_add_int(result, "instances", count_instances(daemon));
    add_jobs(daemon, result);
    json_add_int(result, "memory_bytes", metrics_memory_bytes());
    add_disk(daemon->config, disk, result);
    json_add(result, "clock", clock_to_json());
    add_limits(daemon->config, result);
    json_add(result, "datastores", programs_describe(daemon));
    json_add_string(result, "table", method_table_digest());
    request_result(request, result);
}

static void info_on_programs(void *context)
{
    struct request *request = context;

    disk_ask(request->daemon, info_on_disk, request);
}

void agent_info(struct request *request)
{
    programs_need(request->daemon, info_on_programs, request);
}
