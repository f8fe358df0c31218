/*
 * Parts of the OpenRPC document (https://spec.open-rpc.org, 1.2.6). What the command line needs
 * beyond the standard stands in members that begin with "x-":
 *
 *   of a method     x-role x-locks x-job x-rows x-columns x-leaves x-many x-confirm x-success
 *                   x-steps x-examples
 *   of a parameter  x-positional x-secret x-new
 */
#ifndef DBGUEST_OPENRPC_H
#define DBGUEST_OPENRPC_H

#include "error.h"
#include "method.h"

/* A content descriptor of a parameter; the caller owns it. */
struct json_object *openrpc_param(const struct param *param);
/* {"$ref": "#/components/KIND/NAME"} */
struct json_object *openrpc_reference(const char *kind, const char *name);
/* An object with fields as properties; job adds the member that names the job. */
struct json_object *openrpc_fields(const struct field *fields, bool job);
/* The schemas that others refer to, without rows. */
struct json_object *openrpc_schemas(void);
/* A JSON array of the words in a text, by spaces; NULL text gives an empty one. */
struct json_object *openrpc_words(const char *text);
/* What a lock of a method is called: "catalog!", "name!"; NULL after the last. */
const char *openrpc_lock(const struct method *method, size_t index);
/* The code of JSON-RPC that a reason has. */
int openrpc_code(enum error_reason reason);
/* Parameters of a call that is accepted, with what is needed and no more; the caller owns them. */
struct json_object *protocol_sample(const struct method *method);

#endif
