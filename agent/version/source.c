#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "memory.h"
#include "text.h"
#include "version.h"

#define DIGEST_HEAD "sha256:"
#define DIGEST_DIGITS 64
#define DOCKER "docker://"

static bool has_only(const char *text, const char *extra)
{
    for (const char *at = text; *at != '\0'; at++)
        if (!isalnum((unsigned char)*at) && strchr(extra, *at) == NULL)
            return false;
    return text[0] != '\0';
}

static bool is_digest(const char *text)
{
    return text_starts(text, DIGEST_HEAD) && strlen(text) == strlen(DIGEST_HEAD) + DIGEST_DIGITS &&
           strspn(text + strlen(DIGEST_HEAD), "0123456789abcdef") == DIGEST_DIGITS;
}

/* Suites end up in apt's sources and patterns: each begins with a letter and holds no blanks. */
static bool parse_apt(const char *text, struct version_source *out)
{
    const char *at = text;

    do {
        if (!isalpha((unsigned char)*at))
            return false;
        at = strchr(at, ',');
        at = at != NULL ? at + 1 : NULL;
    } while (at != NULL);

    out->place = xstrdup(text);
    return has_only(text, ",-._/+");
}

/* Takes "@sha256:..." off place when it ends with it. */
static bool take_digest(struct version_source *out)
{
    char *mark = strrchr(out->place, '@');

    if (mark == NULL || !is_digest(mark + 1))
        return false;
    out->digest = xstrdup(mark + 1);
    return true;
}

static bool parse_registry(const char *text, struct version_source *out)
{
    const char *slash = strchr(text + strlen(DOCKER), '/');

    out->place = xstrdup(text);
    if (slash == NULL || !has_only(text, ":/@._-"))
        return false;
    if (strchr(slash, '@') != NULL)
        return take_digest(out);
    return strchr(strrchr(text, '/'), ':') != NULL && !text_ends(text, ":");
}

static bool parse_oci(const char *text, struct version_source *out)
{
    if (text_starts(text, DOCKER))
        return parse_registry(text, out);
    if (text[0] != '/')
        return false;

    out->place = xstrdup(text);
    if (take_digest(out)) {
        *strrchr(out->place, '@') = '\0';
        return true;
    }

    char *colon = strrchr(out->place, ':');
    if (colon == NULL || !has_only(colon + 1, "._-"))
        return false;
    out->tag = xstrdup(colon + 1);
    *colon = '\0';
    /* skopeo takes all after the first colon for the tag; and a digest that is none is no tag. */
    return strchr(out->place, ':') == NULL && !text_ends(out->place, "@sha256");
}

/* A folder, or a bundle's file. */
static bool parse_path(const char *text, struct version_source *out)
{
    out->place = xstrdup(text);
    return text[0] == '/';
}

bool version_source_parse(const char *text, struct version_source *out, struct error *err)
{
    static const struct {
        const char *word;
        enum version_source_kind kind;
        bool (*parse)(const char *text, struct version_source *out);
    } forms[] = {
        { "apt:", VERSION_SOURCE_APT, parse_apt },
        { "oci:", VERSION_SOURCE_OCI, parse_oci },
        { "dir:", VERSION_SOURCE_DIR, parse_path },
        { "bundle:", VERSION_SOURCE_BUNDLE, parse_path },
    };

    for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
        struct version_source found = { .kind = forms[i].kind };
        if (!text_starts(text, forms[i].word))
            continue;
        if (forms[i].parse(text + strlen(forms[i].word), &found)) {
            found.text = xstrdup(text);
            *out = found;
            return true;
        }
        version_source_done(&found);
    }

    error_set(err, ERROR_INVALID, "source '%s' is none of those that there are", text);
    return error_hint(err,
                      "apt:SUITE[,SUITE...], oci:/LAYOUT:TAG, oci:/LAYOUT@sha256:..., "
                      "oci:docker://HOST/NAME:TAG (or @sha256:...), dir:/FOLDER, bundle:/FILE");
}

void version_source_done(struct version_source *source)
{
    free(source->text);
    free(source->place);
    free(source->tag);
    free(source->digest);
    *source = (struct version_source){ 0 };
}
