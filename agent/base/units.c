#include "units.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cleanup.h"
#include "memory.h"

#define KIB 1024.0
#define MINUTE 60.0
#define HOUR 3600.0
#define DAY 86400.0

static const char *const size_units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB" };

static size_t unit_of(double bytes)
{
    size_t unit = 0;

    while (bytes >= KIB - 0.5 && unit + 1 < ARRAY_SIZE(size_units)) {
        bytes /= KIB;
        unit++;
    }
    return unit;
}

static double in_unit(double bytes, size_t unit)
{
    return bytes / pow(KIB, (double)unit);
}

/* Two or three digits; single bytes have no parts. */
static char *digits(double value, size_t unit)
{
    bool parts = unit > 0 && (value < 9.95 || (unit > 2 && value < 99.95));

    return xasprintf(parts ? "%.1f" : "%.0f", value);
}

char *units_size(double bytes)
{
    size_t unit = unit_of(bytes);
    autofree char *number = digits(in_unit(bytes, unit), unit);

    return xasprintf("%s %s", number, size_units[unit]);
}

char *units_count(long long count, const char *word)
{
    return xasprintf("%lld %s%s", count, word, count == 1 ? "" : "s");
}

char *units_rate(double bytes)
{
    size_t unit = unit_of(bytes);
    double value = in_unit(bytes, unit);

    return xasprintf(unit > 0 && value < 99.95 ? "%.1f %s/s" : "%.0f %s/s", value,
                     size_units[unit]);
}

char *units_of(double done, double total)
{
    size_t unit = unit_of(total);
    autofree char *some = digits(in_unit(done, unit), unit);
    autofree char *all = digits(in_unit(total, unit), unit);

    if (total <= 0)
        return units_size(done);
    return xasprintf("%s of %s %s", some, all, size_units[unit]);
}

char *units_age(double s)
{
    if (s < 2 * MINUTE)
        return xasprintf("%.0f s", floor(s));
    if (s < 2 * HOUR)
        return xasprintf("%.0f min", floor(s / MINUTE));
    if (s < 2 * DAY)
        return xasprintf("%.0f h", floor(s / HOUR));
    return xasprintf("%.0f d", floor(s / DAY));
}

char *units_duration(double s)
{
    if (s >= 9.95)
        return units_age(s + 0.5);
    if (s >= 0.995)
        return xasprintf("%.1f s", s);

    autofree char *text = xasprintf("%.2f", s);
    size_t length = strlen(text);
    if (text[length - 1] == '0')
        text[length - 1] = '\0';
    return xasprintf("%s s", text);
}

char *units_step(double s)
{
    if (s >= 99.95)
        return units_age(s);
    return xasprintf(s < 9.995 ? "%.2f s" : "%.1f s", s);
}

static bool read_stamp(const char *stamp, struct tm *out, int *milliseconds)
{
    const char *end = strptime(stamp, "%Y-%m-%dT%H:%M:%S", out);

    *milliseconds = 0;
    if (end == NULL)
        return false;
    if (*end == '.') {
        size_t length = strspn(end + 1, "0123456789");
        for (size_t i = 0; i < 3; i++)
            *milliseconds = *milliseconds * 10 + (i < length ? end[1 + i] - '0' : 0);
        end += 1 + length;
    }
    return strcmp(end, "Z") == 0;
}

bool units_read_stamp(const char *stamp, double *out)
{
    struct tm parts = { 0 };
    int milliseconds = 0;

    if (!read_stamp(stamp, &parts, &milliseconds))
        return false;
    *out = (double)timegm(&parts) + milliseconds / 1000.0;
    return true;
}

/* The stamp in the zone of TZ; false when it is none. */
static bool local_time(const char *stamp, struct tm *out, int *milliseconds)
{
    struct tm parts = { 0 };

    if (!read_stamp(stamp, &parts, milliseconds))
        return false;
    time_t moment = timegm(&parts);
    return localtime_r(&moment, out) != NULL;
}

char *units_stamp(const char *stamp, bool milliseconds)
{
    struct tm local = { 0 };
    int thousandths = 0;
    char text[32];
    char zone[16];

    if (!local_time(stamp, &local, &thousandths))
        return xstrdup(stamp);
    (void)strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &local);
    (void)strftime(zone, sizeof(zone), "%Z", &local);
    if (milliseconds)
        return xasprintf("%s.%03d %s", text, thousandths, zone);
    return xasprintf("%s %s", text, zone);
}

char *units_clock(const char *stamp)
{
    struct tm local = { 0 };
    int thousandths = 0;
    char text[16];

    if (!local_time(stamp, &local, &thousandths))
        return xstrdup(stamp);
    (void)strftime(text, sizeof(text), "%H:%M:%S", &local);
    return xasprintf("%s.%03d", text, thousandths);
}
