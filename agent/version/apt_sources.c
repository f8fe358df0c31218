#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "memory.h"
#include "process.h"
#include "pull.h"
#include "text.h"

/*
 * What apt would fetch, a line each: "Packages deb URI SUITE COMPONENT FILE:ENTRY". Without release
 * information it tells of all that is configured, not only of what `apt-get update` has fetched.
 */
#define FORMAT "$(CREATED_BY) $(TARGET_OF) $(REPO_URI) $(RELEASE) $(COMPONENT) $(SOURCESENTRY)"
#define TARGETS_MAX 512
#define SECURITY "-security"

struct target {
    const char *uri;
    const char *suite;
    const char *component;
    char *file;
    int entry; /* the stanza's number in a .sources file, the line's in a .list */
};

/* What the machine's apt knows; the strings point into text. */
struct sources {
    char *text;
    char *base; /* the suite that the machine runs: "bookworm" */
    struct target targets[TARGETS_MAX];
    size_t count;
};

static void sources_done(struct sources *sources)
{
    free(sources->text);
    free(sources->base);
}
#define autosources __attribute__((cleanup(sources_done)))

static void add_target(struct sources *sources, char *line)
{
    enum { CREATED_BY, TARGET_OF, URI, SUITE, COMPONENT, ENTRY, WORDS };
    char *words[WORDS] = { 0 };
    char *rest = line;

    for (int i = 0; i < WORDS; i++)
        words[i] = strtok_r(rest, " ", &rest);
    char *colon = words[ENTRY] != NULL ? strrchr(words[ENTRY], ':') : NULL;
    if (colon == NULL || sources->count == TARGETS_MAX ||
        strcmp(words[CREATED_BY], "Packages") != 0 || strcmp(words[TARGET_OF], "deb") != 0)
        return;

    *colon = '\0';
    sources->targets[sources->count++] = (struct target){
        .uri = words[URI],
        .suite = words[SUITE],
        .component = words[COMPONENT],
        .file = words[ENTRY],
        .entry = (int)strtol(colon + 1, NULL, 10),
    };
}

/* VERSION_CODENAME of os-release(5); empty when there is none. */
static char *read_base(void)
{
    static const char key[] = "VERSION_CODENAME=";
    struct error ignored = { 0 };
    autofree char *text = file_read("/etc/os-release", NULL, &ignored);

    error_clear(&ignored);
    for (const char *at = text; at != NULL && *at != '\0'; at += strcspn(at, "\n")) {
        at += *at == '\n';
        if (!text_starts(at, key))
            continue;
        const char *value = at + sizeof(key) - 1;
        value += *value == '"';
        return xstrndup(value, strcspn(value, "\"\n"));
    }
    return xstrdup("");
}

static bool sources_read(struct sources *sources, struct error *err)
{
    static const char *const argv[] = { "apt-get",  "indextargets",
                                        "-o",       "APT::Get::IndexTargets::ReleaseInfo=0",
                                        "--format", FORMAT,
                                        NULL };
    autoresult struct process_result result = { 0 };

    if (!process_check(argv, NULL, &result, err))
        return false;
    sources->base = read_base();
    sources->text = xstrdup(result.output.bytes);
    char *rest = sources->text;
    for (char *line = strtok_r(rest, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
        add_target(sources, line);
    return true;
}

static const struct target *find_suite(const struct sources *sources, const char *suite)
{
    for (size_t i = 0; i < sources->count; i++)
        if (strcmp(sources->targets[i].suite, suite) == 0)
            return &sources->targets[i];
    return NULL;
}

/* The entry of one's own suite, or of its security suite, that also has the like of `suite`. */
static const struct target *find_relative(const struct sources *sources, const char *suite)
{
    bool is_security = text_ends(suite, SECURITY);
    autofree char *relative = xasprintf("%s%s", sources->base, is_security ? SECURITY : "");

    return find_suite(sources, relative);
}

/* The part of a .sources file that is its n-th entry; stanzas are parted by empty lines. */
static char *nth_stanza(const char *text, int number)
{
    bool inside = false;
    autotext struct text stanza = { 0 };

    for (const char *at = text; *at != '\0';) {
        size_t length = strcspn(at, "\n");
        bool empty = strspn(at, " \t\r") >= length;
        if (!empty && *at != '#' && !inside) {
            inside = true;
            number--;
        }
        if (empty)
            inside = false;
        else if (number == 0 && inside && *at != '#') {
            text_add_bytes(&stanza, at, length);
            text_add(&stanza, "\n");
        }
        at += length;
        at += *at == '\n';
    }
    text_add(&stanza, "");
    return steal(stanza.bytes);
}

/* The value of a stanza's field with its further lines; NULL when it has none. */
static char *stanza_field(const char *stanza, const char *name)
{
    size_t length = strlen(name);

    for (const char *at = stanza; *at != '\0'; at += *at == '\n') {
        if (strncasecmp(at, name, length) == 0 && at[length] == ':') {
            const char *value = at + length + 1;
            value += strspn(value, " \t");
            const char *end = strchr(value, '\n');
            while (end != NULL && (end[1] == ' ' || end[1] == '\t'))
                end = strchr(end + 1, '\n');
            return end != NULL ? xstrndup(value, (size_t)(end - value)) : xstrdup(value);
        }
        at += strcspn(at, "\n");
    }
    return NULL;
}

/* A key that stands in the entry itself becomes a file, as one-line entries want it. */
static char *keyring_of(const struct version_pull *pull, const char *value, int entry,
                        struct error *err)
{
    autotext struct text key = { 0 };
    autofree char *path = xasprintf("%s/apt/key-%d.asc", pull->work, entry);

    if (strstr(value, "BEGIN PGP") == NULL)
        return xstrndup(value, strcspn(value, " \t\n"));
    for (const char *at = value; *at != '\0'; at += *at == '\n') {
        at += strspn(at, " \t");
        size_t length = strcspn(at, "\n");
        /* An empty line is written as a dot. */
        if (!(length == 1 && *at == '.'))
            text_add_bytes(&key, at, length);
        text_add(&key, "\n");
        at += length;
    }
    return file_write(path, key.bytes, key.length, 0644, err) ? steal(path) : NULL;
}

static bool add_stanza_options(const struct version_pull *pull, const struct target *target,
                               const char *text, struct text *options, struct error *err)
{
    static const char *const fields[] = { "Trusted", "Check-Valid-Until" };
    autofree char *stanza = nth_stanza(text, target->entry);
    autofree char *key = stanza_field(stanza, "Signed-By");

    for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
        autofree char *value = stanza_field(stanza, fields[i]);
        if (value != NULL)
            text_printf(options, " %s=%s", fields[i], value);
    }
    if (key == NULL)
        return true;
    autofree char *keyring = keyring_of(pull, key, target->entry, err);
    if (keyring != NULL)
        text_printf(options, " signed-by=%s", keyring);
    return keyring != NULL;
}

static void add_line_options(const struct target *target, const char *text, struct text *options)
{
    const char *line = text;

    for (int i = 1; i < target->entry && line != NULL; i++) {
        line = strchr(line, '\n');
        line = line != NULL ? line + 1 : NULL;
    }
    const char *open = line != NULL ? line + strcspn(line, "[\n") : "";
    if (*open == '[')
        text_printf(options, " %.*s", (int)strcspn(open + 1, "]\n"), open + 1);
}

/* What the machine's entry says beside URI and suite: whose signature counts, above all. */
static bool add_options(const struct version_pull *pull, const struct target *target,
                        struct text *options, struct error *err)
{
    autofree char *text = file_read(target->file, NULL, err);

    if (text == NULL)
        return false;
    if (text_ends(target->file, ".sources"))
        return add_stanza_options(pull, target, text, options, err);
    add_line_options(target, text, options);
    return true;
}

static void add_components(const struct sources *sources, const char *suite, struct text *lines)
{
    autotext struct text seen = { 0 };

    text_add(&seen, " ");
    for (size_t i = 0; i < sources->count; i++) {
        const struct target *target = &sources->targets[i];
        autofree char *word = xasprintf(" %s ", target->component);
        if (strcmp(target->suite, suite) != 0 || strstr(seen.bytes, word) != NULL)
            continue;
        text_add(&seen, word + 1);
        text_printf(lines, " %s", target->component);
    }
}

/* Where Debian keeps security updates: beside the rest, "…/debian-security" for "…/debian". */
static char *security_uri(const char *uri)
{
    size_t length = strlen(uri);

    while (length > 0 && uri[length - 1] == '/')
        length--;
    return xasprintf("%.*s%s/", (int)length, uri, SECURITY);
}

/* The hint of an unknown suite: those that there are. */
static bool hint_suites(const struct sources *sources, struct error *err)
{
    autotext struct text known = { 0 };

    text_add(&known, " ");
    for (size_t i = 0; i < sources->count; i++) {
        autofree char *word = xasprintf(" %s ", sources->targets[i].suite);
        if (strstr(known.bytes, word) == NULL)
            text_add(&known, word + 1);
    }
    known.bytes[known.length - 1] = '\0';
    return error_hint(err,
                      "this machine's apt configuration has%s; add others below "
                      "/etc/apt/sources.list.d",
                      known.length > 1 ? known.bytes : " none");
}

static bool refuse(const struct sources *sources, const char *suite, struct error *err)
{
    error_set(err, ERROR_NOT_FOUND, "suite '%s' is not in this machine's apt configuration", suite);
    return hint_suites(sources, err);
}

static bool add_suite(const struct version_pull *pull, const struct sources *sources,
                      const char *suite, struct text *lines, struct error *err)
{
    const struct target *own = find_suite(sources, suite);
    const struct target *like = own != NULL ? own : find_relative(sources, suite);
    const struct target *base = find_suite(sources, sources->base);
    bool beside = like == NULL && base != NULL && text_ends(suite, SECURITY);
    autotext struct text options = { 0 };

    if (like == NULL && !beside)
        return refuse(sources, suite, err);
    if (!add_options(pull, beside ? base : like, &options, err))
        return false;
    /* sid moves on without a promise: its snapshots are past their date soon. */
    if (strcmp(suite, "sid") == 0 || strcmp(suite, "unstable") == 0)
        text_add(&options, " check-valid-until=no");

    autofree char *uri = beside ? security_uri(base->uri) : xstrdup(like->uri);
    text_add(lines, "deb");
    if (options.bytes != NULL)
        text_printf(lines, " [%s ]", options.bytes);
    text_printf(lines, " %s %s", uri, suite);
    if (own != NULL)
        add_components(sources, suite, lines);
    else
        text_add(lines, " main");
    text_add(lines, "\n");
    return true;
}

void apt_sources_hint(struct error *err)
{
    autosources struct sources sources = { 0 };
    struct error ignored = { 0 };

    if (sources_read(&sources, &ignored))
        hint_suites(&sources, err);
    error_clear(&ignored);
}

char *apt_sources_lines(struct version_pull *pull, struct error *err)
{
    autosources struct sources sources = { 0 };
    autotext struct text lines = { 0 };
    autofree char *suites = xstrdup(pull->source.place);
    char *rest = suites;

    if (!sources_read(&sources, err))
        return NULL;
    for (char *suite = strtok_r(rest, ",", &rest); suite != NULL;
         suite = strtok_r(NULL, ",", &rest))
        if (!add_suite(pull, &sources, suite, &lines, err))
            return NULL;
    return steal(lines.bytes);
}
