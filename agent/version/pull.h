/*
 * A pull on its way, shared by the steps (pull.c) and by what is different for each kind of source.
 *
 *     .pull-JOB/version/{tree/, manifest.json}   what is going to be published
 *     .pull-JOB/tree.part/                       a tree that is being made
 *     .pull-JOB/{apt/, layout/, tmp/, ...}       the source's own
 *     .kept-SOURCE/{job, blobs/, archives/}      what has come, for another try of the same source
 */
#ifndef DBGUEST_VERSION_PULL_H
#define DBGUEST_VERSION_PULL_H

#include "error.h"
#include "version.h"

struct process_result;

/* One row a kind of source. All of them leave alone what an earlier try has done. */
struct version_backend {
    /* Sets download_bytes and unpacked_bytes as well as they can be known, and contents. */
    bool (*look)(struct version_pull *pull, struct error *err);
    bool (*fetch)(struct version_pull *pull, struct error *err);
    /* Fills the folder `part`, which does not exist yet. */
    bool (*unpack)(struct version_pull *pull, struct error *err);
    /* Adds what the source itself says of the version, "image" among it; may be NULL. */
    bool (*describe)(struct version_pull *pull, struct json_object *manifest, struct error *err);
};

extern const struct version_backend version_apt;
extern const struct version_backend version_oci;
extern const struct version_backend version_dir;
extern const struct version_backend version_bundle;

struct version_pull {
    struct task *task;
    struct version_source source;
    char **packages; /* NULL-ended */
    char *digest;    /* that the tree must have, or NULL */
    char *folder;    /* VERSIONS_DIR/DATASTORE */
    char *work;      /* .../.pull-JOB */
    char *part;      /* .../.pull-JOB/tree.part */
    char *tree;      /* .../.pull-JOB/version/tree */
    char *kept;      /* .../.kept-SOURCE, which this pull's lock makes its own */
    bool goes_on;    /* another try may begin with what is kept */
    uint64_t download_bytes;
    uint64_t unpacked_bytes;
    uint64_t kept_bytes;    /* that need not be fetched any more */
    uint64_t passing_bytes; /* that are needed besides, until it is unpacked */
    size_t package_count;
    char *tree_digest; /* of which the source says it is the tree's; or NULL */
    char *listing;     /* of packages, as apt names their files; after look */
    char *contents; /* names what there is to fetch, after look; NULL when the source cannot tell */
    struct json_object *manifest; /* after verify */
    bool present_before;

    /* Of the running program: how far it is, of how much. */
    uint64_t (*measure)(const struct version_pull *pull);
    const char *growing;                 /* a folder that it fills, for pull_measure_growth */
    const struct process_result *result; /* what it has said until now */
    uint64_t total_bytes;
    double next_look_s;
    double next_tick_s;
};

/* WORK/NAME, made if missing; NULL with err. */
char *pull_folder(const struct version_pull *pull, const char *name, struct error *err);
/* .kept-SOURCE/NAME, made if missing; NULL with err. */
char *pull_keep(const struct version_pull *pull, const char *name, struct error *err);
/*
 * Runs a program in namespaces of its own, which end with us and take its mounts along, with HOME
 * and TMPDIR in the working folder. While it runs pull->measure (NULL: nothing) is shown as
 * progress towards pull->total_bytes. True when it ended by itself; look at result->status.
 */
bool pull_run(struct version_pull *pull, const char *const argv[], struct process_result *result,
              struct error *err);
/* The next program shall be measured by the folder that it fills. */
void pull_watch(struct version_pull *pull, const char *growing, uint64_t total_bytes);
/* Makes an error of a program that failed: no_space when it says so, else reason; its last words.
 */
bool pull_failed(const char *program, const struct process_result *result, enum error_reason reason,
                 struct error *err);
/* Adds what the source says of the version (version_backend). */
bool pull_describe(struct version_pull *pull, struct json_object *manifest, struct error *err);
/* As in process_run; context is the pull. */
bool pull_tick(void *pull, struct error *err);

/* Has dbguest-unpack put layers (an array of what layer.h reads) into pull->part; an image's may
 * take away what those below have brought. */
bool pull_unpack_layers(struct version_pull *pull, bool image, struct json_object *layers,
                        struct error *err);

/* Whether a version that is present was made of just what there is to fetch, after look. */
bool pull_find_present(struct version_pull *pull);
/* As version_name, by the datastore's packages. */
char *pull_name(const struct version_pull *pull, const char *dpkg_status,
                const char *engine_version, const char *digest);
/* The tags that a registry or a layout has for the image, an array; NULL with err. */
struct json_object *oci_list_tags(struct version_pull *pull, struct error *err);

/* The suites' lines for apt's sources.list, from the machine's own configuration. */
char *apt_sources_lines(struct version_pull *pull, struct error *err);
/* Adds to an error which suites there are. */
void apt_sources_hint(struct error *err);

/*
 * What each tree needs so that an engine can be run in it, whoever made it: mount points, no device
 * nodes, all of it root's and nothing set-uid. Fails with incompatible when it is no such tree.
 */
bool tree_furnish(const char *tree, struct error *err);

#endif
