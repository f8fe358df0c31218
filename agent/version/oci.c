#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "json.h"
#include "memory.h"
#include "oci_image.h"
#include "process.h"
#include "pull.h"
#include "site.h"
#include "sum.h"
#include "task.h"
#include "text.h"

/*
 * An image of a registry or of a layout on the disk. skopeo copies it into a layout in the working
 * folder, checking the site's signature policy before and each blob's digest on the way.
 * `index.json` appears last: a layout without it is unfinished.
 */

/* What gzip makes of a tree, turned round: 143 MiB of layers were 403 MiB. */
#define GROWTH 4
#define IMAGE "v"

/* Exit codes tell nothing, texts do (skopeo 1.9). A transfer that breaks off ("unexpected EOF") is
 * none of these: another try may go on. */
static enum error_reason reason_of(const char *said)
{
    static const struct {
        const char *text;
        enum error_reason reason;
    } texts[] = {
        { "ignature was required", ERROR_DENIED },
        { "Invalid GPG signature", ERROR_DENIED },
        { "rejected by policy", ERROR_DENIED },
        { "unauthorized", ERROR_DENIED },
        { "igest did not match", ERROR_CORRUPT },
        { "does not match", ERROR_CORRUPT },
        { "mismatch", ERROR_CORRUPT },
        { "manifest unknown", ERROR_NOT_FOUND },
        { "name unknown", ERROR_NOT_FOUND },
        { "404 (Not Found)", ERROR_NOT_FOUND },
        { "no descriptor found", ERROR_NOT_FOUND },
        { "no image found", ERROR_NOT_FOUND },
        { "no such file or directory", ERROR_NOT_FOUND },
    };

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        if (strstr(said, texts[i].text) != NULL)
            return texts[i].reason;
    return ERROR_INTERNAL;
}

static bool oci_failed(const struct version_pull *pull, const char *program,
                       const struct process_result *result, struct error *err)
{
    pull_failed(program, result, reason_of(result->errors.bytes), err);
    error_prefix(err, "cannot get '%s'", pull->source.text);
    if (err->reason == ERROR_DENIED)
        return error_hint(err, "the signature policy or the registry refuses it");
    if (err->reason == ERROR_INTERNAL)
        return error_hint(err, "pulling again goes on once the registry answers");
    return false;
}

/* skopeo, its policy, words, who we are to the registry; run to its end. */
static bool run_skopeo(struct version_pull *pull, const char *const words[],
                       struct process_result *result, struct error *err)
{
    const char *argv[16] = { "skopeo" };
    size_t count = 1;

    if (pull->task->site->policy != NULL) {
        argv[count++] = "--policy";
        argv[count++] = pull->task->site->policy;
    }
    argv[count++] = *words++;
    if (pull->task->site->authfile != NULL) {
        argv[count++] = "--authfile";
        argv[count++] = pull->task->site->authfile;
    }
    for (; *words != NULL && count + 1 < ARRAY_SIZE(argv); words++)
        argv[count++] = *words;
    argv[count] = NULL;

    if (!pull_run(pull, argv, result, err))
        return false;
    return result->status == 0 || oci_failed(pull, "skopeo", result, err);
}

static bool is_remote(const struct version_pull *pull)
{
    return text_starts(pull->source.place, "docker://");
}

/*
 * skopeo finds images of a layout by tag only. For a digest we make a layout that holds nothing but
 * that image under a tag of ours; the blobs are the layout's own.
 */
static char *name_by_digest(const struct version_pull *pull, struct error *err)
{
    autofree char *folder = pull_folder(pull, "source", err);
    autofree char *blobs = xasprintf("%s/blobs", pull->source.place);

    if (folder == NULL)
        return NULL;
    autofree char *link = xasprintf("%s/blobs", folder);
    if (!file_link(blobs, link, err) || !oci_write_index(folder, pull->source.digest, IMAGE, err)) {
        error_prefix(err, "cannot get '%s'", pull->source.text);
        return NULL;
    }
    return xasprintf("oci:%s:" IMAGE, folder);
}

/* What skopeo calls the image; NULL with err. */
static char *reference(const struct version_pull *pull, struct error *err)
{
    if (is_remote(pull))
        return xstrdup(pull->source.place);

    autofree char *index = xasprintf("%s/index.json", pull->source.place);
    if (!file_exists(index)) {
        error_set(err, ERROR_NOT_FOUND, "there is no finished OCI layout in '%s'",
                  pull->source.place);
        return NULL;
    }
    if (pull->source.tag != NULL)
        return xasprintf("oci:%s:%s", pull->source.place, pull->source.tag);
    return name_by_digest(pull, err);
}

/* The manifest of an image; of an index of images its own, which has no layers. */
static struct json_object *inspect(struct version_pull *pull, const char *name, struct error *err)
{
    const char *const words[] = { "inspect", "--raw", name, NULL };
    autoresult struct process_result result = { 0 };

    if (!run_skopeo(pull, words, &result, err))
        return NULL;
    autofree char *sum = sum_of(result.output.bytes, result.output.length);
    free(pull->contents);
    pull->contents = xasprintf("image:sha256:%s", sum);
    return json_parse(result.output.bytes, result.output.length, err);
}

/* Up to the tag or digest, which begin after the last slash. */
static char *repository(const struct version_pull *pull)
{
    size_t slash = (size_t)(strrchr(pull->source.place, '/') - pull->source.place);

    return xstrndup(pull->source.place, slash + strcspn(pull->source.place + slash, ":@"));
}

/* The same, of the one in the index that this machine can run; NULL with err. */
static struct json_object *inspect_ours(struct version_pull *pull, struct json_object *index,
                                        struct error *err)
{
    const char *digest = oci_choose(index);

    if (digest == NULL) {
        error_set(err, ERROR_INCOMPATIBLE, "'%s' has no image for this machine's architecture",
                  pull->source.text);
        return NULL;
    }
    if (!is_remote(pull)) {
        free(pull->contents);
        pull->contents = xasprintf("image:%s", digest);
        return oci_read_blob(pull->source.place, digest, err);
    }

    autofree char *place = repository(pull);
    autofree char *name = xasprintf("%s@%s", place, digest);
    return inspect(pull, name, err);
}

static bool look(struct version_pull *pull, struct error *err)
{
    autofree char *name = reference(pull, err);
    autoptr(json_object) manifest = name != NULL ? inspect(pull, name, err) : NULL;
    autoptr(json_object) inner = NULL;

    if (manifest == NULL)
        return false;
    if (json_get(manifest, "manifests") != NULL) {
        inner = inspect_ours(pull, manifest, err);
        if (inner == NULL)
            return false;
    }
    uint64_t all_bytes = oci_layers_bytes(inner != NULL ? inner : manifest, NULL);
    pull->download_bytes = oci_layers_bytes(inner != NULL ? inner : manifest, pull->kept);
    pull->unpacked_bytes = all_bytes * GROWTH;
    pull->kept_bytes = all_bytes - pull->download_bytes;
    if (pull->kept_bytes > 0)
        task_what(pull->task, "%llu of %llu bytes are here from an earlier try",
                  (unsigned long long)pull->kept_bytes, (unsigned long long)all_bytes);
    return true;
}

struct json_object *oci_list_tags(struct version_pull *pull, struct error *err)
{
    if (!is_remote(pull))
        return oci_layout_tags(pull->source.place, err);

    autofree char *name = repository(pull);
    const char *const words[] = { "list-tags", name, NULL };
    autoresult struct process_result result = { 0 };
    if (!run_skopeo(pull, words, &result, err))
        return NULL;
    autoptr(json_object) told = json_parse(result.output.bytes, result.output.length, err);
    if (told == NULL)
        return NULL;
    struct json_object *tags = json_get(told, "Tags");
    return tags != NULL ? json_copy(tags) : json_object_new_array();
}

/* A blob under way lies beside the others. */
static uint64_t measure_blobs(const struct version_pull *pull)
{
    autofree char *layout = xasprintf("%s/layout", pull->work);

    return file_tree_bytes(pull->kept) + file_tree_bytes(layout);
}

/*
 * skopeo puts each blob in its place when all of it has come and has its digest, and does not fetch
 * it again; so the place outlives this try.
 */
static bool fetch(struct version_pull *pull, struct error *err)
{
    autofree char *layout = pull_folder(pull, "layout", err);
    autofree char *blobs = layout != NULL ? pull_keep(pull, "blobs", err) : NULL;
    autofree char *name = blobs != NULL ? reference(pull, err) : NULL;
    autoresult struct process_result result = { 0 };

    if (name == NULL)
        return false;
    autofree char *index = xasprintf("%s/index.json", layout);
    autofree char *link = xasprintf("%s/blobs", layout);
    autofree char *target = xasprintf("oci:%s:" IMAGE, layout);
    if (file_exists(index))
        return true;
    if (!file_link(blobs, link, err))
        return false;
    /* Checked by then; a layout cannot keep signatures. */
    const char *const words[] = {
        "copy", "--quiet", "--remove-signatures", "--dest-oci-accept-uncompressed-layers", name,
        target, NULL
    };
    pull->measure = measure_blobs;
    pull->total_bytes = pull->kept_bytes + pull->download_bytes;
    return run_skopeo(pull, words, &result, err);
}

static bool unpack(struct version_pull *pull, struct error *err)
{
    autofree char *layout = xasprintf("%s/layout", pull->work);
    autoptr(json_object) layers = oci_layers(layout, err);

    return layers != NULL && pull_unpack_layers(pull, true, layers, err);
}

/*
 * What the image says about how it wants to be run. A tag may have been moved since it was looked
 * at: then it is not known of which digest this version is.
 */
static bool describe(struct version_pull *pull, struct json_object *manifest, struct error *err)
{
    autofree char *layout = xasprintf("%s/layout", pull->work);
    struct json_object *image = oci_describe(layout, err);

    if (image == NULL)
        return false;
    const char *contents = json_get_string(manifest, "contents");
    if (pull->source.digest == NULL && contents != NULL &&
        !text_ends(contents, json_get_string(image, "digest")))
        json_object_object_del(manifest, "contents");
    json_add(manifest, "image", image);
    return true;
}

const struct version_backend version_oci = { look, fetch, unpack, describe };
