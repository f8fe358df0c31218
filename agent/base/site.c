#include "site.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "json.h"
#include "memory.h"

static const char *const supervisors[] = {
    [SUPERVISOR_DETACHED] = "detached",
    [SUPERVISOR_SYSTEMD] = "systemd",
};

static bool read_string(struct json_object *object, const char *name, char **out, struct error *err)
{
    const char *value = NULL;

    if (!json_string(object, name, &value, err))
        return false;
    *out = xstrdup(value);
    return true;
}

static bool read_uids(struct json_object *object, struct site *site, struct error *err)
{
    int64_t first = 0;
    int64_t count = 0;

    if (!json_int(object, "uid_first", &first, err) || !json_int(object, "uid_count", &count, err))
        return false;
    /* The last number means "leave it" to the kernel, and 0 is root. */
    if (first <= 0 || count < 0 || first >= UINT32_MAX || count > UINT32_MAX - first)
        return error_set(err, ERROR_INVALID, "uids from %lld on, %lld of them, cannot be",
                         (long long)first, (long long)count);
    site->uid_first = (uid_t)first;
    site->uid_count = (unsigned int)count;
    return true;
}

static bool read_supervisor(struct json_object *object, struct site *site, struct error *err)
{
    const char *word = NULL;

    if (!json_string(object, "supervisor", &word, err))
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(supervisors); i++)
        if (strcmp(supervisors[i], word) == 0) {
            site->supervisor = (enum supervisor)i;
            return true;
        }
    return error_set(err, ERROR_INVALID, "supervisor '%s' is not known", word);
}

struct site *site_from_json(struct json_object *object, struct error *err)
{
    autoptr(site) site = xcalloc(1, sizeof(*site));

    if (!read_string(object, "name", &site->name, err) ||
        !read_string(object, "state_dir", &site->state_dir, err) ||
        !read_string(object, "versions_dir", &site->versions_dir, err) ||
        !read_string(object, "backups_dir", &site->backups_dir, err) ||
        !read_string(object, "run_dir", &site->run_dir, err) ||
        !read_string(object, "libexec_dir", &site->libexec_dir, err) ||
        !read_uids(object, site, err) || !read_supervisor(object, site, err))
        return NULL;

    site->policy = xstrdup(json_get_string(object, "policy"));
    site->authfile = xstrdup(json_get_string(object, "authfile"));
    site->pull_weight = (int)json_get_int(object, "pull_weight");
    const char *keys_dir = json_get_string(object, "keys_dir");
    site->keys_dir = xstrdup(keys_dir != NULL ? keys_dir : "");
    return steal(site);
}

struct json_object *site_to_json(const struct site *site)
{
    struct json_object *object = json_object_new_object();

    json_add_string(object, "name", site->name);
    json_add_string(object, "state_dir", site->state_dir);
    json_add_string(object, "versions_dir", site->versions_dir);
    json_add_string(object, "backups_dir", site->backups_dir);
    json_add_string(object, "run_dir", site->run_dir);
    json_add_string(object, "libexec_dir", site->libexec_dir);
    json_add_string(object, "policy", site->policy);
    json_add_string(object, "authfile", site->authfile);
    json_add_string(object, "keys_dir", site->keys_dir);
    json_add_int(object, "pull_weight", site->pull_weight);
    json_add_int(object, "uid_first", site->uid_first);
    json_add_int(object, "uid_count", site->uid_count);
    json_add_string(object, "supervisor", supervisors[site->supervisor]);
    return object;
}

void site_free(struct site *site)
{
    if (site == NULL)
        return;
    free(site->name);
    free(site->state_dir);
    free(site->versions_dir);
    free(site->backups_dir);
    free(site->run_dir);
    free(site->libexec_dir);
    free(site->policy);
    free(site->authfile);
    free(site->keys_dir);
    free(site);
}
