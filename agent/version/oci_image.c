#include "oci_image.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "error.h"
#include "file.h"
#include "json.h"
#include "memory.h"
#include "sum.h"
#include "text.h"

#define DIGEST_HEAD "sha256:"
#define MANIFEST_TYPE "application/vnd.oci.image.manifest.v1+json"
#define REF_NAME "org.opencontainers.image.ref.name"
#define LAYOUT_VERSION "{\"imageLayoutVersion\":\"1.0.0\"}"

static char *blob_path(const char *layout, const char *digest)
{
    if (digest == NULL || !text_starts(digest, DIGEST_HEAD) || strchr(digest, '/') != NULL)
        return NULL;
    return xasprintf("%s/blobs/sha256/%s", layout, digest + strlen(DIGEST_HEAD));
}

struct json_object *oci_read_blob(const char *layout, const char *digest, struct error *err)
{
    autofree char *path = blob_path(layout, digest);
    size_t length = 0;

    if (path == NULL || !file_exists(path)) {
        error_set(err, ERROR_NOT_FOUND, "the layout has no '%s'", digest != NULL ? digest : "");
        return NULL;
    }
    autofree char *text = file_read(path, &length, err);
    if (text == NULL)
        return NULL;
    autofree char *sum = sum_of(text, length);
    if (!text_ends(digest, sum)) {
        error_set(err, ERROR_CORRUPT, "'%s' of the layout has the digest sha256:%s", digest, sum);
        return NULL;
    }
    return json_parse(text, length, err);
}

/* The image format's word for what uname(2) says. */
static const char *architecture(void)
{
    static const struct {
        const char *machine;
        const char *word;
    } words[] = { { "x86_64", "amd64" }, { "aarch64", "arm64" } };
    static struct utsname name;

    uname(&name);
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        if (strcmp(name.machine, words[i].machine) == 0)
            return words[i].word;
    return name.machine;
}

const char *oci_choose(struct json_object *index)
{
    struct json_object *all = json_get(index, "manifests");

    for (size_t i = 0; all != NULL && i < json_object_array_length(all); i++) {
        struct json_object *one = json_object_array_get_idx(all, i);
        struct json_object *platform = json_get(one, "platform");
        const char *word = json_get_string(platform, "architecture");
        if (word != NULL && strcmp(word, architecture()) == 0)
            return json_get_string(one, "digest");
    }
    return NULL;
}

/* Sizes count: what is kept has come whole, and is summed up again before it is unpacked. */
static bool is_there(const char *layout, struct json_object *layer)
{
    autofree char *path = blob_path(layout, json_get_string(layer, "digest"));
    struct stat status;

    return path != NULL && stat(path, &status) == 0 &&
           status.st_size == json_get_int(layer, "size");
}

uint64_t oci_layers_bytes(struct json_object *manifest, const char *layout)
{
    struct json_object *layers = json_get(manifest, "layers");
    int64_t bytes = 0;

    for (size_t i = 0; layers != NULL && i < json_object_array_length(layers); i++)
        if (layout == NULL || !is_there(layout, json_object_array_get_idx(layers, i)))
            bytes += json_get_int(json_object_array_get_idx(layers, i), "size");
    return bytes > 0 ? (uint64_t)bytes : 0;
}

bool oci_write_index(const char *folder, const char *digest, const char *tag, struct error *err)
{
    autoptr(json_object) manifest = oci_read_blob(folder, digest, err);
    autoptr(json_object) index = json_object_new_object();
    autofree char *blob = blob_path(folder, digest);
    autofree char *index_path = xasprintf("%s/index.json", folder);
    autofree char *layout_path = xasprintf("%s/oci-layout", folder);
    struct stat status;

    if (manifest == NULL)
        return false;
    if (stat(blob, &status) != 0)
        return error_errno(err, "cannot look at '%s'", blob);

    const char *type = json_get_string(manifest, "mediaType");
    struct json_object *one = json_object_new_object();
    json_add_string(one, "mediaType", type != NULL ? type : MANIFEST_TYPE);
    json_add_string(one, "digest", digest);
    json_add_int(one, "size", status.st_size);
    json_add_string(json_add_object(one, "annotations"), REF_NAME, tag);
    json_add_int(index, "schemaVersion", 2);
    json_object_array_add(json_add_array(index, "manifests"), one);
    return file_write(layout_path, LAYOUT_VERSION, strlen(LAYOUT_VERSION), 0644, err) &&
           json_write_file(index_path, index, 0644, err);
}

/* Of the one image of a layout; *digest is the caller's. NULL with err. */
static struct json_object *read_manifest(const char *layout, char **digest, struct error *err)
{
    autofree char *path = xasprintf("%s/index.json", layout);
    autoptr(json_object) index = json_read_file(path, err);
    struct json_object *all = json_get(index, "manifests");
    struct json_object *first =
        json_object_is_type(all, json_type_array) ? json_object_array_get_idx(all, 0) : NULL;

    if (index == NULL)
        return NULL;
    *digest = xstrdup(json_get_string(first, "digest"));
    return oci_read_blob(layout, *digest, err);
}

struct json_object *oci_describe(const char *layout, struct error *err)
{
    autofree char *digest = NULL;
    autoptr(json_object) manifest = read_manifest(layout, &digest, err);

    if (manifest == NULL)
        return NULL;
    const char *config_digest = json_get_string(json_get(manifest, "config"), "digest");
    autoptr(json_object) blob = oci_read_blob(layout, config_digest, err);
    if (blob == NULL)
        return NULL;

    struct json_object *image = json_object_new_object();
    struct json_object *config = json_get(blob, "config");
    json_add_string(image, "digest", digest);
    json_add_string(image, "user", json_get_string(config, "User"));
    json_add(image, "env", json_copy(json_get(config, "Env")));
    return image;
}

static struct json_object *make_layer(const char *layout, struct json_object *row)
{
    const char *digest = json_get_string(row, "digest");
    autofree char *path = blob_path(layout, digest);

    if (path == NULL)
        return NULL;
    struct json_object *layer = json_object_new_object();
    json_add_string(layer, "file", path);
    json_add_int(layer, "offset", 0);
    json_add_int(layer, "bytes", json_get_int(row, "size"));
    json_add_int(layer, "block_bytes", json_get_int(row, "size"));
    json_object_array_add(json_add_array(layer, "sums"),
                          json_object_new_string(digest + strlen(DIGEST_HEAD)));
    return layer;
}

struct json_object *oci_layers(const char *layout, struct error *err)
{
    autofree char *digest = NULL;
    autoptr(json_object) manifest = read_manifest(layout, &digest, err);
    struct json_object *rows = json_get(manifest, "layers");
    autoptr(json_object) layers = json_object_new_array();

    if (manifest == NULL)
        return NULL;
    for (size_t i = 0; rows != NULL && i < json_object_array_length(rows); i++) {
        struct json_object *layer = make_layer(layout, json_object_array_get_idx(rows, i));
        if (layer == NULL) {
            error_set(err, ERROR_CORRUPT, "layer %zu of the image has no SHA-256", i + 1);
            return NULL;
        }
        json_object_array_add(layers, layer);
    }
    return steal(layers);
}

struct json_object *oci_layout_tags(const char *layout, struct error *err)
{
    autofree char *path = xasprintf("%s/index.json", layout);

    if (!file_exists(path)) {
        error_set(err, ERROR_NOT_FOUND, "there is no finished OCI layout in '%s'", layout);
        return NULL;
    }
    autoptr(json_object) index = json_read_file(path, err);
    if (index == NULL)
        return NULL;
    struct json_object *all = json_get(index, "manifests");
    struct json_object *tags = json_object_new_array();
    size_t count = json_object_is_type(all, json_type_array) ? json_object_array_length(all) : 0;
    for (size_t i = 0; i < count; i++) {
        struct json_object *one = json_object_array_get_idx(all, i);
        const char *tag = json_get_string(json_get(one, "annotations"), REF_NAME);
        if (tag != NULL)
            json_object_array_add(tags, json_object_new_string(tag));
    }
    return tags;
}
