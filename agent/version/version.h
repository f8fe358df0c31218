/*
 * Versions: builds of engines, side by side as read-only trees, each with all that its engine
 * needs.
 *
 *     VERSIONS_DIR/DATASTORE/VERSION/{tree/, manifest.json}   present: it appears by one rename
 *     VERSIONS_DIR/DATASTORE/.pull-JOB/                       a pull's working folder
 *     VERSIONS_DIR/DATASTORE/.kept-SOURCE/                    what an unfinished one has fetched
 *     VERSIONS_DIR/DATASTORE/.removing-VERSION/               on its way out
 *
 * A pull is a row of steps, to be run in the order in which they stand below. Each looks at the
 * world first and does what is missing, so that repeating it is harmless:
 *
 *     { "look", .., drop }, { "space", .. }, { "fetch", .. }, { "unpack", .. }, { "verify", .. },
 *     { "publish", .., unpublish }
 *
 * Nothing that a pull starts outlives the worker, and no mount of its is ever seen outside.
 */
#ifndef DBGUEST_VERSION_H
#define DBGUEST_VERSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"

struct datastore;
struct error;
struct json_object;
struct site;
struct task;

#define VERSION_PULL ".pull-"
#define VERSION_READ "read-" /* and a process: one that only looks what there is */
#define VERSION_KEPT ".kept-"
#define VERSION_KEPT_JOB "job" /* in it: whose it is */

enum version_source_kind {
    VERSION_SOURCE_APT,
    VERSION_SOURCE_OCI,
    VERSION_SOURCE_DIR,
    VERSION_SOURCE_BUNDLE,
};

/* Where a version comes from. */
struct version_source {
    enum version_source_kind kind;
    char *text;   /* as asked for: "apt:bookworm,bookworm-security" */
    char *place;  /* "bookworm,bookworm-security"; a folder; a file; "docker://HOST/NAME..." */
    char *tag;    /* of an OCI layout, or NULL */
    char *digest; /* "sha256:..." that the source itself names, or NULL */
};

/* Fails with invalid; the forms there are are the hint. */
bool version_source_parse(const char *text, struct version_source *out, struct error *err);
void version_source_done(struct version_source *source);

struct version_pull;

/*
 * Of task->params "source", "packages"? (they replace the datastore's own) and "digest"? (what the
 * tree must have). Touches nothing yet; task must outlive it.
 */
struct version_pull *version_pull_new(struct task *task, struct error *err);
void version_pull_free(struct version_pull *pull);
DEFINE_AUTOPTR(version_pull, version_pull_free)

/* Finds out what there is to fetch, and how much: apt's lists, an image's manifest. */
bool version_pull_look(struct version_pull *pull, struct error *err);
/* Fails with no_space, naming path, needed and free, and as hint a version that may go. */
bool version_pull_space(struct version_pull *pull, struct error *err);
/* Packages or layers come into the working folder; those that are there already stay. */
bool version_pull_fetch(struct version_pull *pull, struct error *err);
bool version_pull_unpack(struct version_pull *pull, struct error *err);
/* Has the datastore ask the tree's programs what they are; name, digest and manifest follow. */
bool version_pull_verify(struct version_pull *pull, struct error *err);
/*
 * One rename, after all of it has been synced. When the same version with the same digest was there
 * already nothing changes; with another digest it fails with exists.
 */
bool version_pull_publish(struct version_pull *pull, struct error *err);
/* Takes back what this job has published, if it came to that. */
bool version_pull_unpublish(struct version_pull *pull, struct error *err);
/*
 * Removes the working folder: the undo of all other steps. What has been fetched stays for the next
 * pull of the same source when this one died, or its source gave up, but not when it was cancelled
 * or would fail again.
 */
bool version_pull_drop(struct version_pull *pull, struct error *err);
/* The tidying after a pull that has published: nothing of it stays. */
bool version_pull_end(struct version_pull *pull, struct error *err);

/*
 * Known after verify (present_before: after publish): adds "datastore", "version", "digest",
 * "size_bytes", "source", "present_before". The worker keeps it in the journal, for after drop
 * nobody can tell it any more.
 */
void version_pull_result(const struct version_pull *pull, struct json_object *result);

/*
 * A bundle of a present version, of task->params "datastore", "version", "file" (what it is going
 * to be, not there yet) and "key" (a private key's file; it is read where it is used and nowhere
 * kept). In this order; drop is the undo of pack and the tidying after publish.
 */
bool version_bundle_check(struct task *task, struct error *err);
bool version_bundle_pack(struct task *task, struct error *err);
bool version_bundle_seal(struct task *task, struct error *err);
/* Adds "datastore", "version", "file", "digest", "size_bytes". */
bool version_bundle_publish(struct task *task, struct json_object *result, struct error *err);
bool version_bundle_unpublish(struct task *task, struct error *err);
bool version_bundle_drop(struct task *task, struct error *err);

/* The manifest of a version that is present; NULL with not_found, or corrupt when it lies. */
struct json_object *version_find(const struct site *site, const char *datastore,
                                 const char *version, struct error *err);
/* VERSIONS_DIR/DATASTORE/VERSION/tree; the caller frees it. */
char *version_tree_path(const struct site *site, const char *datastore, const char *version);

/*
 * Adds rows {datastore, version, size_bytes, age_s, used_by, source, engine_version, digest} to an
 * array, sorted by datastore and, in Debian's order, version. datastore may be NULL: all.
 */
bool version_list(const struct site *site, const char *datastore, struct json_object *rows,
                  struct error *err);
/*
 * Adds a row {datastore, version, source, size_bytes?, present?, ...} for each version that a
 * source has, whatever it can tell without being pulled; an image may be named without its tag.
 */
bool version_available(struct task *task, const char *source, struct json_object *rows,
                       struct error *err);
/*
 * The same members and all others of the manifest; with task->store also "edges": to each other
 * version that is present {version, edge, reason}.
 */
bool version_show(struct task *task, const char *datastore, const char *version,
                  struct json_object *row, struct error *err);

/*
 * Fails with not_found when there is no such folder (one that lies about its version may go as
 * well), and with busy, saying who, while something needs it: a generation of an instance (the
 * current one, the one before), a backup, an open job but job (NULL: none excepted).
 */
bool version_check_unused(const struct site *site, const char *datastore, const char *version,
                          const char *job, struct error *err);
/*
 * Removes an unused version; a kill on the way leaves no half of it, and repeating it goes on. When
 * it is gone already that is a success that frees nothing.
 */
bool version_remove(struct task *task, const char *datastore, const char *version,
                    uint64_t *freed_bytes, struct error *err);

/*
 * Adds rows {datastore, version, size_bytes} of all versions that version_check_unused passes.
 * datastore may be NULL: all.
 */
bool version_list_unused(const struct site *site, const char *datastore, const char *job,
                         struct json_object *rows, struct error *err);

/*
 * Removes what killed jobs left: working folders of jobs that are not open any more but keep, and
 * versions on their way out. Failing at one does not keep it from the others.
 */
void version_sweep(const struct site *site, const char *keep);
/* Removes what unfinished pulls have kept, but those of open jobs; how many bytes that were.
 * datastore may be NULL: all. */
uint64_t version_sweep_kept(const struct site *site, const char *datastore);

/*
 * "15.18-0+deb12u1" is "15.18+deb12u1", "5:7.0.15-1~deb12u7" is "7.0.15+deb12u7", "9.7.4-1+b1" is
 * "9.7.4+1+b1": upstream's version and what distinguishes the build. NULL when it names no build.
 */
char *version_name_of_debian(const char *debian);
/*
 * The name of the version in a tree whose engine says engine_version: by the package that brought
 * it, else by the digest ("7.2.4+3f9c1d52"). names are the datastore's and its packages'. Before an
 * engine can be asked (engine_version is NULL) by the packages alone; NULL when they do not tell.
 */
char *version_name(const char *dpkg_status, const char *const names[], const char *engine_version,
                   const char *digest);

/*
 * "sha256:..." of a listing of the tree: sorted, a line each with type, mode, size, the content's
 * sum, path and link target. Owners and times do not count. tick as in process_run, may be NULL.
 */
char *version_digest(const char *tree, bool (*tick)(void *context, struct error *err),
                     void *context, struct error *err);

#endif
