#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "file.h"
#include "memory.h"
#include "process.h"
#include "pull.h"
#include "task.h"
#include "text.h"

/*
 * A tree of Debian's packages. First apt fetches, in a root of its own in the working folder, what
 * the tree is going to hold; so sizes are known beforehand, progress is true, and packages that are
 * there are not fetched again. Then mmdebstrap makes the tree of them, with no need of the network.
 */

#define ARGUMENTS_MAX 160
/* Lists, packages and a tree of any engine take more than this. */
#define SMALLEST_BYTES ((uint64_t)224 * 1024 * 1024)
/* What apt says last before it would begin. */
#define AFTER "After this operation, "

/* With the working folder in place of "@". */
static const char config_form[] =
    "Dir::Etc::Main \"/dev/null\";\n"
    "Dir::Etc::Parts \"/dev/null\";\n"
    "Dir::Etc::Preferences \"/dev/null\";\n"
    "Dir::Etc::PreferencesParts \"/dev/null\";\n"
    "Dir::Etc::SourceList \"@/apt/sources.list\";\n"
    "Dir::Etc::SourceParts \"/dev/null\";\n"
    "Dir::State \"@/apt/state\";\n"
    "Dir::State::status \"@/apt/status\";\n"
    "Dir::Cache \"@/apt/cache\";\n"
    /* The working folder is root's alone; apt's other user could not write there. */
    "APT::Sandbox::User \"root\";\n";

/* For the tree's own apt as well, as long as it is being made. */
static const char common_options[] = "APT::Install-Recommends \"false\";\n"
                                     "Acquire::Languages \"none\";\n"
                                     "Acquire::Retries \"3\";\n";

static const char setup_script[] =
    "set -e\n"
    "mkdir -p \"$1/var/lib/apt/lists\" \"$1/var/cache/apt/archives\"\n"
    "cp -a \"$PULL/apt/state/lists/.\" \"$1/var/lib/apt/lists/\"\n"
    "cp -a \"$PULL\"/apt/cache/*.bin \"$1/var/cache/apt/\"\n"
    "ln \"$KEPT\"/archives/*.deb \"$1/var/cache/apt/archives/\"\n";

/* Before any package's script runs: no cluster is made and no service started. */
static const char essential_script[] =
    "set -e\n"
    "mkdir -p \"$1/etc/postgresql-common\"\n"
    "echo 'create_main_cluster = false' >\"$1/etc/postgresql-common/createcluster.conf\"\n"
    "printf '#!/bin/sh\\nexit 101\\n' >\"$1/usr/sbin/policy-rc.d\"\n"
    "chmod 755 \"$1/usr/sbin/policy-rc.d\"\n";

/*
 * Goes: data that packages made, what names this machine or its mirrors, keys that every pull would
 * make anew (a certificate is never a version's), and what differs between two trees of the same
 * packages, so that these have one digest.
 */
static const char customize_script[] =
    "set -e\n"
    "cd \"$1\"\n"
    "rm -rf var/lib/mysql/* var/lib/mysql-files/* var/lib/redis/* var/lib/valkey/*\n"
    "rm -rf var/lib/postgresql/* etc/ssl/private/* etc/ssl/certs/ssl-cert-snakeoil.pem\n"
    "find etc/ssl/certs -xtype l -delete 2>/dev/null || true\n"
    "rm -rf var/cache/apt/* var/lib/apt/lists/* var/log/* var/cache/ldconfig/*\n"
    "rm -rf var/cache/debconf/* var/lib/dpkg/*-old var/cache/man/*\n"
    "rm -rf var/backups/* etc/passwd- etc/group- etc/shadow- etc/gshadow- etc/subuid- etc/subgid-\n"
    "rm -f etc/apt/sources.list etc/apt/sources.list.d/* etc/apt/apt.conf.d/99mmdebstrap\n"
    "rm -f etc/dpkg/dpkg.cfg.d/99mmdebstrap usr/sbin/policy-rc.d etc/.pwd.lock\n"
    ": >etc/machine-id\n"
    "rm -f etc/hostname etc/hosts etc/resolv.conf\n"
    "echo localhost >etc/hostname\n"
    "printf '127.0.0.1 localhost\\n::1 localhost\\n' >etc/hosts\n"
    ": >etc/resolv.conf\n";

static bool write_text(const struct version_pull *pull, const char *name, const char *text,
                       struct error *err)
{
    autofree char *path = xasprintf("%s/apt/%s", pull->work, name);

    return file_write(path, text, strlen(text), 0644, err);
}

/* How this machine reaches its mirrors: proxies, certificates, limits. */
static bool add_machine_options(struct text *options, struct error *err)
{
    static const char *const argv[] = { "apt-config", "dump", "--format", "%F \"%v\";%n", NULL };
    static const char *const heads[] = { "Acquire::http", "Acquire::ftp",
                                         "Acquire::Check-Valid-Until", "Acquire::By-Hash" };
    autoresult struct process_result result = { 0 };

    if (!process_check(argv, NULL, &result, err))
        return false;
    char *rest = result.output.bytes;
    for (char *line = strtok_r(rest, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
        for (size_t i = 0; i < ARRAY_SIZE(heads); i++)
            if (text_starts(line, heads[i]) && !text_ends(line, " \"\";"))
                text_printf(options, "%s\n", line);
    return true;
}

static bool write_config(struct version_pull *pull, struct error *err)
{
    autotext struct text common = { 0 };
    autofree char *lines = apt_sources_lines(pull, err);

    if (lines == NULL)
        return false;
    text_add(&common, common_options);
    if (!add_machine_options(&common, err))
        return false;

    autotext struct text config = { 0 };
    for (const char *at = config_form; *at != '\0'; at++)
        if (*at == '@')
            text_add(&config, pull->work);
        else
            text_add_bytes(&config, at, 1);
    text_add(&config, common.bytes);
    return write_text(pull, "sources.list", lines, err) && write_text(pull, "status", "", err) &&
           write_text(pull, "options", common.bytes, err) &&
           write_text(pull, "setup", setup_script, err) &&
           write_text(pull, "essential", essential_script, err) &&
           write_text(pull, "customize", customize_script, err) &&
           write_text(pull, "apt.conf", config.bytes, err);
}

static bool make_folders(const struct version_pull *pull, struct error *err)
{
    static const char *const names[] = { "apt/state/lists/partial", "apt/cache/archives/partial" };

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        autofree char *folder = pull_folder(pull, names[i], err);
        if (folder == NULL)
            return false;
    }
    return true;
}

/* The first suite: that of which the tree is, the others bring newer packages. */
static char *base_suite(const struct version_pull *pull)
{
    return xstrndup(pull->source.place, strcspn(pull->source.place, ","));
}

/*
 * apt's words for the packages that mmdebstrap will want: those that are essential, those that are
 * required, apt itself, and the engine's.
 */
static bool run_install(struct version_pull *pull, const char *const options[],
                        struct process_result *result, struct error *err)
{
    const char *argv[ARGUMENTS_MAX] = { "apt-get", "-q", "install" };
    autofree char *suite = base_suite(pull);
    autofree char *essential =
        xasprintf("?narrow(?or(?archive(^%s$),?codename(^%s$)),?essential)", suite, suite);
    size_t count = 3;

    for (; *options != NULL; options++)
        argv[count++] = *options;
    argv[count++] = essential;
    argv[count++] = "?priority(required)";
    argv[count++] = "apt";
    for (char **package = pull->packages; *package != NULL && count + 1 < ARGUMENTS_MAX; package++)
        argv[count++] = *package;
    argv[count] = NULL;
    return pull_run(pull, argv, result, err);
}

/* apt's "E: " lines tell best what it misses. */
static bool apt_failed(const struct version_pull *pull, const struct process_result *result,
                       struct error *err)
{
    const char *said = result->errors.bytes;
    bool no_suite = strstr(said, "does not have a Release file") != NULL;
    bool is_unknown = no_suite || strstr(said, "Unable to locate package") != NULL ||
                      strstr(said, "has no installation candidate") != NULL ||
                      strstr(said, "was not found") != NULL || strstr(said, "404 ") != NULL;

    pull_failed("apt-get", result, is_unknown ? ERROR_NOT_FOUND : ERROR_INTERNAL, err);
    if (no_suite)
        apt_sources_hint(err);
    return error_prefix(err, "cannot fetch '%s'", pull->source.text);
}

static bool update(struct version_pull *pull, struct error *err)
{
    static const char *const argv[] = { "apt-get", "-q", "update", "--error-on=any", NULL };
    autoresult struct process_result result = { 0 };

    if (!pull_run(pull, argv, &result, err))
        return false;
    return result.status == 0 || apt_failed(pull, &result, err);
}

/* "183 MB", as apt says it, in decimal units. */
static uint64_t parse_size(const char *text)
{
    static const struct {
        const char *unit;
        double bytes;
    } units[] = { { " kB", 1e3 }, { " MB", 1e6 }, { " GB", 1e9 } };
    char *end = NULL;
    double number = strtod(text, &end);

    for (size_t i = 0; i < ARRAY_SIZE(units); i++)
        if (text_starts(end, units[i].unit))
            number *= units[i].bytes;
    return number > 0 ? (uint64_t)number : 0;
}

/* FNV-1a of what names one package file for certain: its name, size and hash, not where it lies. */
static uint64_t hash_of_line(const char *line)
{
    uint64_t hash = 0xcbf29ce484222325U;

    for (; *line != '\0' && *line != '\n'; line++)
        hash = (hash ^ (unsigned char)*line) * 0x100000001b3U;
    return hash;
}

/* Of the lines "'URI' FILE SIZE HASH": how many, how much, and what names all of them, in whatever
 * order they come. */
static void read_uris(struct version_pull *pull, const char *lines)
{
    uint64_t all = 0;

    /* Looking may be repeated. */
    pull->download_bytes = 0;
    pull->package_count = 0;
    for (const char *at = lines; at != NULL && *at != '\0';) {
        const char *file = *at == '\'' ? strstr(at, "' ") : NULL;
        const char *size = file != NULL ? strchr(file + 2, ' ') : NULL;
        if (size != NULL) {
            pull->download_bytes += strtoull(size + 1, NULL, 10);
            pull->package_count++;
            all += hash_of_line(file + 2);
        }
        at = strchr(at, '\n');
        at = at != NULL ? at + 1 : NULL;
    }
    free(pull->contents);
    pull->contents = xasprintf("apt:%zu:%016llx", pull->package_count, (unsigned long long)all);
}

static bool look_sizes(struct version_pull *pull, struct error *err)
{
    static const char *const uris[] = { "--yes", "--print-uris", NULL };
    static const char *const ask[] = { "--assume-no", "--download-only", NULL };
    autofree char *lists = xasprintf("%s/apt/state/lists", pull->work);
    autoresult struct process_result list = { 0 };
    autoresult struct process_result sizes = { 0 };

    if (!run_install(pull, uris, &list, err))
        return false;
    if (list.status != 0)
        return apt_failed(pull, &list, err);
    /* It says no to itself: status 1. */
    if (!run_install(pull, ask, &sizes, err))
        return false;

    const char *after = strstr(sizes.output.bytes, AFTER);
    read_uris(pull, list.output.bytes);
    free(pull->listing);
    pull->listing = steal(list.output.bytes);
    /* apt's lists are copied into the tree while it is made. */
    pull->unpacked_bytes = after != NULL ? parse_size(after + sizeof(AFTER) - 1) : 0;
    pull->passing_bytes = file_tree_bytes(lists);
    pull->kept_bytes = file_tree_bytes(pull->kept);
    if (pull->kept_bytes > pull->download_bytes)
        pull->kept_bytes = pull->download_bytes;
    pull->download_bytes -= pull->kept_bytes;
    return true;
}

static bool look(struct version_pull *pull, struct error *err)
{
    if (pull->packages[0] == NULL)
        return error_set(err, ERROR_INVALID, "apt: needs to know the packages");
    return file_need_space(pull->work, SMALLEST_BYTES, pull->source.text, err) &&
           make_folders(pull, err) && write_config(pull, err) && update(pull, err) &&
           look_sizes(pull, err);
}

/* Into what outlives this try; apt checks the hash of each package that is there already. */
static bool fetch(struct version_pull *pull, struct error *err)
{
    autofree char *partial = pull_keep(pull, "archives/partial", err);
    autofree char *place = xasprintf("Dir::Cache::archives=%s/archives", pull->kept);
    const char *const options[] = { "--yes", "--download-only", "--option", place, NULL };
    uint64_t all_bytes = pull->kept_bytes + pull->download_bytes;
    autoresult struct process_result result = { 0 };

    if (partial == NULL)
        return false;
    pull_watch(pull, pull->kept, all_bytes);
    if (!run_install(pull, options, &result, err))
        return false;
    if (result.status != 0)
        return apt_failed(pull, &result, err);
    task_progress(pull->task, all_bytes, all_bytes);
    return true;
}

static size_t count_words(const char *text, const char *word)
{
    size_t count = 0;

    for (const char *at = strstr(text, word); at != NULL; at = strstr(at + 1, word))
        count++;
    return count;
}

/* dpkg unpacks each package and then sets it up; the folder's size tells little of that. */
static uint64_t measure_packages(const struct version_pull *pull)
{
    static const char *const words[] = { "\nUnpacking ", "\nSetting up " };
    size_t done = 0;

    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        done += count_words(pull->result->output.bytes, words[i]) +
                count_words(pull->result->errors.bytes, words[i]);
    if (pull->package_count == 0)
        return 0;
    return pull->unpacked_bytes / ARRAY_SIZE(words) * done / pull->package_count;
}

static char *join_packages(const struct version_pull *pull)
{
    autotext struct text list = { 0 };

    text_add(&list, "--include=");
    for (char **package = pull->packages; *package != NULL; package++)
        text_printf(&list, "%s%s", package == pull->packages ? "" : ",", *package);
    return steal(list.bytes);
}

static bool unpack(struct version_pull *pull, struct error *err)
{
    autofree char *suite = base_suite(pull);
    autofree char *include = join_packages(pull);
    autofree char *sources = xasprintf("%s/apt/sources.list", pull->work);
    autofree char *options = xasprintf("--aptopt=%s/apt/options", pull->work);
    const char *const argv[] = {
        "env",
        "-u", /* it has an apt configuration of its own */
        "APT_CONFIG",
        "mmdebstrap",
        "--verbose", /* for measure_packages */
        "--mode=root",
        "--variant=minbase",
        "--format=directory",
        "--skip=check/signed-by",
        options,
        "--dpkgopt=force-unsafe-io", /* all of it is synced at once, before it is published */
        "--dpkgopt=path-exclude=/usr/share/man/*",
        "--dpkgopt=path-exclude=/usr/share/info/*",
        "--dpkgopt=path-exclude=/usr/share/locale/*",
        "--dpkgopt=path-exclude=/usr/share/lintian/*",
        "--dpkgopt=path-exclude=/usr/share/doc/*",
        "--dpkgopt=path-include=/usr/share/doc/*/copyright",
        "--setup-hook=sh \"$PULL/apt/setup\" \"$1\"",
        "--essential-hook=sh \"$PULL/apt/essential\" \"$1\"",
        "--customize-hook=sh \"$PULL/apt/customize\" \"$1\"",
        include,
        suite,
        pull->part,
        sources,
        NULL,
    };
    autoresult struct process_result result = { 0 };

    pull->measure = measure_packages;
    pull->total_bytes = pull->unpacked_bytes;
    if (!pull_run(pull, argv, &result, err))
        return false;
    return result.status == 0 || pull_failed("mmdebstrap", &result, ERROR_INTERNAL, err);
}

const struct version_backend version_apt = { look, fetch, unpack };
