#include "finding.h"

#include "json.h"

void finding_add(struct json_object *findings, const char *severity, const char *reason,
                 const char *message, const char *hint)
{
    struct json_object *finding = json_object_new_object();

    json_add_string(finding, "severity", severity);
    json_add_string(finding, "reason", reason);
    json_add_string(finding, "message", message);
    json_add_string(finding, "hint", hint);
    json_object_array_add(findings, finding);
}
