#include "notify.h"

#include <stdint.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <uv.h>

#include "config.h"
#include "daemon.h"

static void notify_on_watchdog(uv_timer_t *timer)
{
    (void)timer;
    sd_notify(0, "WATCHDOG=1");
}

/* Only where there is a watchdog does anything wake us. */
static void start_watchdog(struct daemon *daemon)
{
    static uv_timer_t timer;
    uint64_t timeout_us = 0;

    if (uv_is_active((uv_handle_t *)&timer) || sd_watchdog_enabled(0, &timeout_us) <= 0)
        return;
    uv_timer_init(daemon->loop, &timer);
    uv_timer_start(&timer, notify_on_watchdog, 0, timeout_us / 1000 / 3);
}

void notify_ready(struct daemon *daemon)
{
    sd_notifyf(0, "READY=1\nSTATUS=Listening on %s", daemon->config->socket);
    start_watchdog(daemon);
}

void notify_reloading(void)
{
    struct timespec now = { 0 };

    clock_gettime(CLOCK_MONOTONIC, &now);
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu",
               (unsigned long long)now.tv_sec * 1000000 + (unsigned long long)now.tv_nsec / 1000);
}

void notify_stopping(void)
{
    sd_notify(0, "STOPPING=1\nSTATUS=Stopping; jobs and engines go on");
}
