/*
 * What an OCI layout's JSON says. Digests are "sha256:..." throughout.
 */
#ifndef DBGUEST_VERSION_OCI_IMAGE_H
#define DBGUEST_VERSION_OCI_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

struct error;
struct json_object;

/* The JSON of LAYOUT/blobs/sha256/..., whose digest is right; NULL with err. */
struct json_object *oci_read_blob(const char *layout, const char *digest, struct error *err);
/* The index's member for this machine: its digest, borrowed; NULL when there is none. */
const char *oci_choose(struct json_object *index);
/* Of all layers, or (layout not NULL) of those that are not in LAYOUT/blobs. */
uint64_t oci_layers_bytes(struct json_object *manifest, const char *layout);
/* Makes a layout of folder, whose blobs are there, with one image in it. */
bool oci_write_index(const char *folder, const char *digest, const char *tag, struct error *err);
/* {"digest", "user", "env"} of the only image of a layout; the caller owns it. */
struct json_object *oci_describe(const char *layout, struct error *err);
/* What the layers of a layout's one image are to layer.h, lowest first; NULL with err. */
struct json_object *oci_layers(const char *layout, struct error *err);
/* The names of its images, an array; NULL with err. */
struct json_object *oci_layout_tags(const char *layout, struct error *err);

#endif
