#include <ctype.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "engine.h"
#include "error.h"
#include "file.h"
#include "json.h"
#include "memory.h"
#include "postgresql.h"
#include "process.h"
#include "site.h"
#include "text.h"

#define MIB ((uint64_t)1024 * 1024)

/* What we decide: where things lie, who gets in, that what is acknowledged stays. */
static const char *const ours[] = {
    "allow_alter_system",
    "allow_in_place_tablespaces",
    "allow_system_table_mods",
    "archive_cleanup_command",
    "archive_command",
    "archive_library",
    "archive_mode",
    "authentication_timeout",
    "bonjour",
    "cluster_name",
    "config_file",
    "data_directory",
    "data_sync_retry",
    "dynamic_library_path",
    "event_source",
    "external_pid_file",
    "extension_control_path",
    "fsync",
    "full_page_writes",
    "hba_file",
    "hot_standby",
    "ident_file",
    "ignore_checksum_failure",
    "ignore_invalid_pages",
    "ignore_system_indexes",
    "include",
    "include_dir",
    "include_if_exists",
    "krb_server_keyfile",
    "lc_messages",
    "listen_addresses",
    "local_preload_libraries",
    "log_destination",
    "log_directory",
    "log_file_mode",
    "log_filename",
    "logging_collector",
    "oauth_validator_libraries",
    "password_encryption",
    "port",
    "primary_conninfo",
    "primary_slot_name",
    "promote_trigger_file",
    "recovery_end_command",
    "recovery_target",
    "recovery_target_action",
    "recovery_target_inclusive",
    "recovery_target_lsn",
    "recovery_target_name",
    "recovery_target_time",
    "recovery_target_timeline",
    "recovery_target_xid",
    "restart_after_crash",
    "restore_command",
    "session_preload_libraries",
    "ssl",
    "ssl_ca_file",
    "ssl_cert_file",
    "ssl_crl_dir",
    "ssl_crl_file",
    "ssl_dh_params_file",
    "ssl_key_file",
    "ssl_passphrase_command",
    "stats_temp_directory",
    "superuser_reserved_connections",
    "syslog_facility",
    "syslog_ident",
    "unix_socket_directories",
    "unix_socket_group",
    "unix_socket_permissions",
    "zero_damaged_pages",
};

static bool is_ours(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
        if (strcasecmp(name, ours[i]) == 0)
            return true;

    return false;
}

static bool is_setting_name(const char *name)
{
    if (!isalpha((unsigned char)*name) && *name != '_')
        return false;
    return strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.") ==
           strlen(name);
}

char *postgresql_program(struct task *task, const char *name, struct error *err)
{
    autofree char *debian = xasprintf("usr/lib/postgresql/*/bin/%s", name);
    autofree char *local = xasprintf("usr/local/bin/%s", name);
    autofree char *plain = xasprintf("usr/bin/%s", name);
    const char *const candidates[] = { debian, local, plain, NULL };
    char *path = engine_tree_path(task->engine->tree, candidates);

    if (path == NULL)
        error_set(err, ERROR_INCOMPATIBLE, "no program '%s' of PostgreSQL in the version's tree",
                  name);
    return path;
}

/* Whether the tree has a library that the server is to load ("pg_stat_statements"). */
static bool tree_has_library(const char *tree, const char *library)
{
    static const char *const folders[] = { "usr/lib/postgresql/*/lib", "usr/local/lib/postgresql" };

    if (library[strspn(library,
                       "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")] != '\0')
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
        autofree char *pattern = xasprintf("%s/%s/%s.so", tree, folders[i], library);
        glob_t found;
        bool there = glob(pattern, 0, NULL, &found) == 0;

        globfree(&found);
        if (there)
            return true;
    }
    return false;
}

static bool check_preload(const char *tree, const char *value, struct error *err)
{
    autofree char *words = xstrdup(value);
    char *rest = NULL;

    for (char *word = strtok_r(words, ", ", &rest); word != NULL;
         word = strtok_r(NULL, ", ", &rest))
        if (!tree_has_library(tree, word))
            return error_set(err, ERROR_INVALID,
                             "shared_preload_libraries: no library '%s' in this version", word);

    return true;
}

static bool check_setting(struct task *task, const char *name, const char *value, struct error *err)
{
    if (!is_setting_name(name))
        return error_set(err, ERROR_INVALID, "'%s' cannot be the name of a setting", name);
    if (is_ours(name))
        return error_set(err, ERROR_INVALID, "setting '%s' is not yours to change: dbguest sets it",
                         name);
    if (strcasecmp(name, "wal_level") == 0 && strcasecmp(value, "minimal") == 0)
        return error_set(err, ERROR_INVALID, "wal_level 'minimal' would make backups impossible");
    if (strcasecmp(name, "shared_preload_libraries") == 0)
        return check_preload(task->engine->tree, value, err);
    return true;
}

/* A quoted string of postgresql.conf, which ends where we say, whatever the value holds. */
static void add_setting(struct text *conf, const char *name, const char *value)
{
    text_printf(conf, "%s = '", name);
    for (const char *at = value; *at != '\0'; at++) {
        if (*at == '\n')
            text_add(conf, "\\n");
        else if (*at == '\r')
            text_add(conf, "\\r");
        else if (*at == '\\' || *at == '\'')
            text_printf(conf, "%c%c", *at, *at);
        else
            text_add_bytes(conf, at, 1);
    }
    text_add(conf, "'\n");
}

static const char *value_text(struct json_object *value)
{
    if (json_object_is_type(value, json_type_boolean))
        return json_object_get_boolean(value) ? "on" : "off";
    return json_object_get_string(value);
}

static bool is_scalar(struct json_object *value)
{
    return json_object_is_type(value, json_type_string) ||
           json_object_is_type(value, json_type_int) ||
           json_object_is_type(value, json_type_double) ||
           json_object_is_type(value, json_type_boolean);
}

/* What the parameters of a request hold may be anything. */
static bool check_value(const char *name, struct json_object *value, struct error *err)
{
    if (!is_scalar(value))
        return error_set(err, ERROR_INVALID,
                         "setting '%s' must be a string, a number or a truth value", name);
    if (json_object_is_type(value, json_type_string) &&
        strlen(json_object_get_string(value)) != (size_t)json_object_get_string_len(value))
        return error_set(err, ERROR_INVALID, "setting '%s' holds a NUL", name);
    return true;
}

static bool add_settings(struct task *task, struct text *conf, struct json_object *settings,
                         struct error *err)
{
    struct json_object_iter setting;

    if (settings == NULL)
        return true;
    json_object_object_foreachC (settings, setting) {
        if (!check_value(setting.key, setting.val, err) ||
            !check_setting(task, setting.key, value_text(setting.val), err))
            return false;
        add_setting(conf, setting.key, value_text(setting.val));
    }
    return true;
}

static uint64_t machine_bytes(void)
{
    char line[128];
    unsigned long kib = 0;
    FILE *file = fopen("/proc/meminfo", "re");

    while (file != NULL && kib == 0 && fgets(line, sizeof(line), file) != NULL)
        if (text_starts(line, "MemTotal:"))
            kib = strtoul(line + strlen("MemTotal:"), NULL, 10);
    if (file != NULL)
        fclose(file);
    return kib == 0 ? 1024 * MIB : (uint64_t)kib * 1024;
}

/* How many instances share this machine; the one being made counts, also before it is there. */
static uint64_t instance_count(struct task *task)
{
    struct error ignored = { 0 };
    autofree char *folder = xasprintf("%s/instances", task->site->state_dir);
    char **names = file_names(folder, &ignored);
    uint64_t count = 0;
    bool counted = false;

    error_clear(&ignored);
    for (; names != NULL && names[count] != NULL; count++)
        counted = counted || strcmp(names[count], task->engine->instance) == 0;
    file_free_names(names);
    return counted ? count : count + 1;
}

static uint64_t within(uint64_t value, uint64_t least, uint64_t most)
{
    return value < least ? least : value > most ? most : value;
}

/* A scratch engine serves one reader for a moment: little will do. */
static void add_memory(struct task *task, struct text *conf)
{
    uint64_t share = machine_bytes() / instance_count(task) / MIB;

    if (task->engine->scratch)
        share = within(share, 64, 512);
    text_printf(conf, "shared_buffers = %juMB\n", (uintmax_t)within(share / 4, 16, 8192));
    text_printf(conf, "effective_cache_size = %juMB\n",
                (uintmax_t)within(share * 6 / 10, 16, 1048576));
    text_printf(conf, "maintenance_work_mem = %juMB\n", (uintmax_t)within(share / 16, 16, 1024));
}

/* archive_mode stays off; restore_command is what ends a restore's recovery with a new timeline. */
static const char fixed_settings[] = "log_destination = 'stderr'\n"
                                     "logging_collector = off\n"
                                     "log_timezone = 'UTC'\n"
                                     "log_line_prefix = '%m [%p] '\n"
                                     "lc_messages = 'C'\n"
                                     "password_encryption = 'scram-sha-256'\n"
                                     "superuser_reserved_connections = 5\n"
                                     "authentication_timeout = 60s\n"
                                     "hot_standby = off\n"
                                     "restore_command = 'false'\n"
                                     "fsync = on\n"
                                     "full_page_writes = on\n"
                                     "wal_level = replica\n"
                                     "max_wal_senders = 10\n"
                                     "max_replication_slots = 10\n"
                                     "max_connections = 100\n";

static bool write_conf(struct task *task, struct json_object *settings, struct error *err)
{
    autotext struct text conf = { 0 };
    autofree char *path = xasprintf("%s/postgresql.conf", task->engine->conf);

    text_add(&conf, "# Written by dbguest; use instance.configure.\n");
    text_add(&conf, fixed_settings);
    /* After a crash one call in place of opening every file. */
    if (postgresql_major(task->engine->version) >= 14)
        text_add(&conf, "recovery_init_sync_method = 'syncfs'\n");
    add_memory(task, &conf);
    text_add(&conf, "# As asked for; the last one counts.\n");
    if (!add_settings(task, &conf, settings, err))
        return false;
    return file_write_owned(path, conf.bytes, conf.length, 0640, task->engine->uid, err);
}

static const char config_option[] = "config_file=" ENGINE_CONF "/postgresql.conf";
static const char hba_option[] = "hba_file=" ENGINE_CONF "/pg_hba.conf";
static const char ident_option[] = "ident_file=" ENGINE_CONF "/pg_ident.conf";
static const char sockets_option[] = "unix_socket_directories=" ENGINE_SOCKETS;

/*
 * What decides who gets in and where things lie is given on the command line: postgresql.auto.conf
 * in the data folder, which a program of a tenant might write, counts less.
 */
static bool write_launch(struct task *task, struct error *err)
{
    const struct engine *engine = task->engine;
    autofree char *program = postgresql_program(task, "postgres", err);
    autofree char *port = xasprintf("port=%d", pg_socket_port(engine));
    const char *const env[] = { NULL };

    if (program == NULL)
        return false;
    const char *const argv[] = {
        program, "-D", ENGINE_DATA, "-c", config_option, "-c", hba_option, "-c", ident_option, "-c",
        sockets_option, "-c", "unix_socket_permissions=0777", "-c", port, "-c",
        engine->port == 0 ? "listen_addresses=" : "listen_addresses=*", "-c", "archive_mode=off",
        /* A copy on trial follows nobody (C19). */
        engine->scratch ? "-c" : NULL, "max_logical_replication_workers=0", NULL
    };
    const struct launch launch = {
        .argv = argv,
        .env = env,
        .stop_signal = SIGINT,
        .immediate_signal = SIGQUIT,
    };
    return engine_write_launch(engine, &launch, err);
}

static bool write_ident(struct task *task, struct error *err)
{
    static const char ident[] = "agent root postgres\n";
    autofree char *path = xasprintf("%s/pg_ident.conf", task->engine->conf);

    return file_write_owned(path, ident, strlen(ident), 0640, task->engine->uid, err);
}

bool postgresql_configure(struct task *task, struct json_object *settings, enum gate gate,
                          struct error *err)
{
    return write_conf(task, settings, err) && write_ident(task, err) &&
           postgresql_write_gate(task, gate, err) && write_launch(task, err);
}
