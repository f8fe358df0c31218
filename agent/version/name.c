#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "text.h"
#include "version.h"

#define DIGEST_HEAD "sha256:"
#define SHORT_DIGEST 8

/*
 * The part of a Debian revision that tells builds apart: from "debNNuM" on if it holds that,
 * because then a security or stable update counts, not the revision that it began with; else all of
 * it.
 */
static const char *find_build(const char *revision)
{
    for (const char *at = strstr(revision, "deb"); at != NULL; at = strstr(at + 1, "deb"))
        if (at > revision && (at[-1] == '+' || at[-1] == '~') && isdigit((unsigned char)at[3]))
            return at;
    return revision;
}

static const char *skip_epoch(const char *debian)
{
    const char *colon = strchr(debian, ':');

    return colon != NULL ? colon + 1 : debian;
}

char *version_name_of_debian(const char *debian)
{
    const char *upstream = skip_epoch(debian);
    const char *dash = strrchr(upstream, '-');

    if (dash == NULL || dash == upstream || dash[1] == '\0')
        return NULL;
    return xasprintf("%.*s+%s", (int)(dash - upstream), upstream, find_build(dash + 1));
}

/* One paragraph of dpkg's status. */
struct package {
    char *name;
    char *version;
    bool installed;
};

static void package_done(struct package *package)
{
    free(package->name);
    free(package->version);
    *package = (struct package){ 0 };
}

static void take_field(const char *line, size_t length, const char *field, char **value)
{
    size_t head = strlen(field);

    if (length <= head || strncmp(line, field, head) != 0)
        return;
    free(*value);
    *value = xstrndup(line + head, length - head);
}

/* The paragraph at *at, which moves behind it; false at the end. */
static bool next_package(const char **at, struct package *package)
{
    autofree char *status = NULL;

    while (**at == '\n')
        (*at)++;
    if (**at == '\0')
        return false;

    while (**at != '\0' && **at != '\n') {
        size_t length = strcspn(*at, "\n");
        take_field(*at, length, "Package: ", &package->name);
        take_field(*at, length, "Version: ", &package->version);
        take_field(*at, length, "Status: ", &status);
        *at += length;
        *at += **at == '\n';
    }
    package->installed = status != NULL && text_ends(status, " installed") &&
                         package->name != NULL && package->version != NULL;
    return true;
}

/* Whether the package is of the engine's very version: "15.18" of "15.18-0+deb12u1"; NULL: any. */
static bool is_of_version(const struct package *package, const char *engine_version)
{
    const char *upstream = skip_epoch(package->version);
    size_t length = engine_version != NULL ? strlen(engine_version) : 0;

    if (engine_version == NULL)
        return true;
    return length > 0 && strncmp(upstream, engine_version, length) == 0 &&
           !isalnum((unsigned char)upstream[length]) && upstream[length] != '.';
}

/* 0: not the engine's; the higher the surer. The first of names is the datastore's own. */
static int rank(const struct package *package, const char *const names[])
{
    assert(names[0] != NULL);
    for (const char *const *name = names; *name != NULL; name++)
        if (strcmp(package->name, *name) == 0)
            return 4;
    if (!text_starts(package->name, names[0]))
        return strstr(package->name, names[0]) != NULL ? 1 : 0;
    return strstr(package->name, "server") != NULL ? 3 : 2;
}

char *version_name(const char *dpkg_status, const char *const names[], const char *engine_version,
                   const char *digest)
{
    autofree char *best = NULL;
    int best_rank = 0;

    for (const char *at = dpkg_status != NULL ? dpkg_status : ""; *at != '\0';) {
        struct package package = { 0 };
        bool counts = next_package(&at, &package) && package.installed &&
                      is_of_version(&package, engine_version) && rank(&package, names) > best_rank;
        /* A package that only depends on others names no build. */
        char *name = counts ? version_name_of_debian(package.version) : NULL;
        if (name != NULL) {
            free(best);
            best = name;
            best_rank = rank(&package, names);
        }
        package_done(&package);
    }
    if (best != NULL || engine_version == NULL)
        return steal(best);

    const char *digits = text_starts(digest, DIGEST_HEAD) ? digest + strlen(DIGEST_HEAD) : digest;
    return xasprintf("%s+%.*s", engine_version, SHORT_DIGEST, digits);
}
