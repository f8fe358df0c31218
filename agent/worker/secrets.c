#include "secrets.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "error.h"
#include "json.h"
#include "log.h"
#include "memory.h"
#include "method.h"
#include "site.h"
#include "state.h"

bool secrets_join(struct task *task, struct error *err)
{
    autofree char *path = xasprintf("%s/secrets/%s", task->site->run_dir, task->job);

    if (!json_get_bool(task->state->request, "has_secrets"))
        return true;
    autoptr(json_object) secrets = json_read_file(path, err);
    if (secrets == NULL) {
        error_clear(err);
        error_set(err, ERROR_INTERRUPTED, "the secrets of %s are gone, nothing was done",
                  task->job);
        return error_hint(err, "ask again");
    }
    method_join_secrets(task->params, secrets);
    return true;
}

void secrets_drop(struct task *task)
{
    autofree char *path = xasprintf("%s/secrets/%s", task->site->run_dir, task->job);

    if (unlink(path) < 0 && errno != ENOENT)
        log_error("cannot remove '%s': %s", path, strerror(errno));
}
