#include "metrics.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "clock.h"
#include "config.h"
#include "daemon.h"
#include "disk.h"
#include "error.h"
#include "events.h"
#include "file.h"
#include "instance.h"
#include "job.h"
#include "jobs.h"
#include "process.h"
#include "server.h"
#include "text.h"

int64_t metrics_memory_bytes(void)
{
    struct error ignored = { 0 };
    autofree char *text = file_read("/proc/self/statm", NULL, &ignored);
    const char *resident = text != NULL ? strchr(text, ' ') : NULL;

    error_clear(&ignored);
    return resident != NULL ? strtoll(resident, NULL, 10) * sysconf(_SC_PAGESIZE) : 0;
}

static void head(struct text *out, const char *name, const char *type, const char *unit,
                 const char *help)
{
    text_printf(out, "# TYPE %s %s\n", name, type);
    if (unit != NULL)
        text_printf(out, "# UNIT %s %s\n", name, unit);
    text_printf(out, "# HELP %s %s\n", name, help);
}

static void print_jobs(const struct daemon *daemon, struct text *out)
{
    static const char *const words[] = { "queued", "running", "recovering", "ended" };
    int64_t counts[ARRAY_SIZE(words)] = { 0 };
    int64_t attention = 0;

    for (size_t i = 0; i < jobs_count(daemon); i++) {
        counts[jobs_at(daemon, i)->state]++;
        attention += jobs_at(daemon, i)->attention;
    }
    head(out, "dbguest_jobs", "gauge", NULL, "Jobs known, by state.");
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        text_printf(out, "dbguest_jobs{state=\"%s\"} %lld\n", words[i], (long long)counts[i]);
    head(out, "dbguest_jobs_attention", "gauge", NULL, "Jobs that need a person.");
    text_printf(out, "dbguest_jobs_attention %lld\n", (long long)attention);
}

/* Both are words of ours: nothing in them needs to be escaped. */
static void print_instances(const struct daemon *daemon, struct text *out)
{
    head(out, "dbguest_instance_info", "gauge", NULL, "Instances by datastore and status.");
    for (const struct instance *instance = instances_first(daemon); instance != NULL;
         instance = instances_next(instance))
        text_printf(
            out, "dbguest_instance_info{instance=\"%s\",datastore=\"%s\",status=\"%s\"} 1\n",
            instance_name(instance), instance_datastore(instance), instance_status(instance));
}

static void print_disk(const struct disk *disk, struct text *out)
{
    if (!disk->known)
        return;
    head(out, "dbguest_disk_free_bytes", "gauge", "bytes", "Free where the state lies.");
    text_printf(out, "dbguest_disk_free_bytes %lld\n", (long long)disk->free_bytes);
    head(out, "dbguest_disk_size_bytes", "gauge", "bytes", "Size of that file system.");
    text_printf(out, "dbguest_disk_size_bytes %lld\n", (long long)disk->total_bytes);
}

void metrics_print(const struct daemon *daemon, const struct disk *disk, struct text *out)
{
    head(out, "dbguest_build_info", "gauge", NULL, "The release that answers.");
    text_printf(out, "dbguest_build_info{version=\"%s\"} 1\n", DBGUEST_VERSION);
    head(out, "dbguest_up_seconds", "gauge", "seconds", "Since the daemon was started.");
    text_printf(out, "dbguest_up_seconds %.3f\n", process_clock_s() - daemon->started_s);
    head(out, "dbguest_memory_bytes", "gauge", "bytes", "Resident memory of the daemon.");
    text_printf(out, "dbguest_memory_bytes %lld\n", (long long)metrics_memory_bytes());
    head(out, "dbguest_connections", "gauge", NULL, "Clients connected.");
    text_printf(out, "dbguest_connections %zu\n", server_client_count(daemon));
    head(out, "dbguest_events", "counter", NULL, "Events of this boot.");
    text_printf(out, "dbguest_events_total %lld\n", (long long)events_seq(daemon));
    head(out, "dbguest_removal_suspended", "gauge", NULL,
         "Whether the clock has jumped, so that nothing is removed by age.");
    text_printf(out, "dbguest_removal_suspended %d\n", !clock_is_sound());
    print_jobs(daemon, out);
    print_instances(daemon, out);
    print_disk(disk, out);
    text_add(out, "# EOF\n");
}
