/*
 * Where things lie on this machine and what its operator decided: the part of dbguest.conf that a
 * worker needs. The daemon reads the file; each request carries the result.
 */
#ifndef DBGUEST_SITE_H
#define DBGUEST_SITE_H

#include <stdbool.h>
#include <sys/types.h>

#include "cleanup.h"

struct error;
struct json_object;

enum supervisor {
    SUPERVISOR_DETACHED, /* the daemon watches and restarts the engines */
    SUPERVISOR_SYSTEMD,  /* each engine is a unit, NAME@INSTANCE.service */
};

struct site {
    char *name;         /* "dbguest": units carry it, so that several daemons do not meet */
    char *state_dir;    /* /var/lib/dbguest: instances/ jobs/ scratch/ */
    char *versions_dir; /* /var/lib/dbguest/versions */
    char *backups_dir;  /* /var/lib/dbguest/backups */
    char *run_dir;      /* /run/dbguest: sockets of the engines, one folder each; secrets/ */
    char *libexec_dir;  /* the datastore programs and dbguest-launch */
    char *policy;       /* skopeo's signature policy, or NULL: the system's */
    char *authfile;     /* containers-auth.json(5): who we are to registries; or NULL: nobody */
    char *keys_dir;     /* /etc/dbguest/keys.d: X.pem are the keys whose bundles are taken */
    uid_t uid_first;    /* each instance gets a uid of its own from here on ... */
    unsigned int uid_count;
    int pull_weight; /* of 100 that an engine has, of processors and disk */
    enum supervisor supervisor;
};

/* The JSON's members are called as the fields; supervisor is "detached" or "systemd". */
struct site *site_from_json(struct json_object *object, struct error *err);
struct json_object *site_to_json(const struct site *site);
void site_free(struct site *site);
DEFINE_AUTOPTR(site, site_free)

#endif
