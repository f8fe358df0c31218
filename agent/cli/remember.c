#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "client.h"
#include "document.h"
#include "error.h"
#include "file.h"
#include "json.h"
#include "memory.h"
#include "method.h"

#define LATEST "latest.json"

static char *cache_folder(void)
{
    const char *cache = getenv("XDG_CACHE_HOME");
    const char *home = getenv("HOME");

    if (cache != NULL && cache[0] == '/')
        return xasprintf("%s/dbguest", cache);
    if (home != NULL && home[0] == '/')
        return xasprintf("%s/.cache/dbguest", home);
    return xstrdup("/var/cache/dbguest");
}

/* A digest becomes part of a file's name. */
static bool is_digest(const char *text)
{
    return text != NULL && text[0] != '\0' && strspn(text, "0123456789abcdef") == strlen(text) &&
           strlen(text) <= 64;
}

static struct document *recall(const char *name)
{
    struct error err = { 0 };
    autofree char *folder = cache_folder();
    autofree char *path = xasprintf("%s/%s", folder, name);
    struct json_object *root = json_read_file(path, &err);

    error_clear(&err);
    return root != NULL ? document_new(root) : NULL;
}

/* Where nothing can be remembered, it is asked for again the next time. */
static void remember(struct json_object *root, const char *digest)
{
    struct error err = { 0 };
    autofree char *folder = cache_folder();
    autofree char *name = xasprintf("table-%s.json", digest);
    autofree char *path = xasprintf("%s/%s", folder, name);
    autofree char *latest = xasprintf("%s/%s", folder, LATEST);

    if (file_make_folder(folder, 0755, &err) && json_write_file(path, root, 0644, &err))
        (void)file_link(name, latest, &err);
    error_clear(&err);
}

static struct document *fetch(struct client *client, const char *digest)
{
    struct error err = { 0 };
    struct json_object *root = client_call(client, "rpc.discover", NULL, &err);

    error_clear(&err);
    if (root == NULL)
        return NULL;
    remember(root, digest);
    return document_new(root);
}

struct document *document_of_daemon(const struct cli *cli)
{
    struct error err = { 0 };
    autoptr(client) client = client_open(cli->socket, &err);

    error_clear(&err);
    if (client == NULL)
        return recall(LATEST);

    autoptr(json_object) info = client_call(client, "agent.info", NULL, &err);
    const char *digest = json_get_string(info, "table");
    error_clear(&err);
    if (!is_digest(digest) || strcmp(digest, method_table_digest()) == 0)
        return NULL;

    autofree char *name = xasprintf("table-%s.json", digest);
    struct document *known = recall(name);
    return known != NULL ? known : fetch(client, digest);
}
