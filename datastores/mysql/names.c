#include <string.h>

#include "memory.h"
#include "my.h"
#include "text.h"

/* Ours: where things lie, who gets in, what would load code or read files of the tree, and what a
 * restored copy would have to know. */
static const char *const ours[] = {
    "admin_address",
    "admin_port",
    "auth_socket",
    "basedir",
    "bind_address",
    "bootstrap",
    "character_sets_dir",
    "chroot",
    "console",
    "core_file",
    "daemonize",
    "datadir",
    "debug",
    "defaults_file",
    "early_plugin_load",
    "external_locking",
    "extra_port",
    "feedback",
    "gdb",
    "grant_tables",
    "help",
    "init_connect",
    "init_replica",
    "init_slave",
    "initialize_insecure",
    "innodb_directories",
    "innodb_page_size",
    "innodb_redo_log_archive_dirs",
    "language",
    "lc_messages_dir",
    "local_infile",
    "log_basename",
    "log_error",
    "lower_case_table_names",
    "mysql_native_password",
    "mysqlx",
    "name_resolve",
    "networking",
    "offline_mode",
    "partial_revokes",
    "persisted_globals_load",
    "plugin_dir",
    "plugin_load_add",
    "port",
    "print_defaults",
    "relay_log",
    "secure_file_priv",
    "replica_start",
    "server_id",
    "slave_start",
    "socket",
    "ssl",
    "symbolic_links",
    "tls",
    "tmpdir",
    "unix_socket",
    "user",
    "validate_config",
    "verbose",
    "version",
    "wsrep",
    "bind_socket",
};
static const char *const our_endings[] = { "_file",   "_dir",       "_path",
                                           "_tmpdir", "_directory", "_index" };
static const char *const prefixes[] = { "loose_", "skip_", "enable_", "disable_", "maximum_" };

char *my_setting_name(const char *name)
{
    autofree char *plain = xstrdup(name);

    if (plain[0] < 'a' || plain[0] > 'z')
        return NULL;
    for (char *c = plain; *c != '\0'; c++) {
        if (*c == '-')
            *c = '_';
        if (strchr("abcdefghijklmnopqrstuvwxyz0123456789_.", *c) == NULL)
            return NULL;
    }
    return steal(plain);
}

/* "skip_x" and "loose_x" are ways to say x. */
static const char *bare_name(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(prefixes);)
        if (text_starts(name, prefixes[i])) {
            name += strlen(prefixes[i]);
            i = 0;
        } else {
            i++;
        }
    return name;
}

/* The server takes the beginning of a name for the name, so that "plugin_loa" is ours as well. */
bool my_setting_is_ours(const char *name)
{
    name = bare_name(name);
    for (size_t i = 0; i < ARRAY_SIZE(our_endings); i++)
        if (text_ends(name, our_endings[i]))
            return true;
    for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
        if (text_starts(ours[i], name))
            return true;
    return text_starts(name, "plugin_") || text_starts(name, "ssl_") ||
           text_starts(name, "wsrep_") || text_starts(name, "mysqlx_");
}

bool my_setting_is_chosen_by_us(const char *name)
{
    static const char *const defaults[] = { "character_set_server", "collation_server", "log_bin",
                                            "performance_schema", "event_scheduler" };

    for (size_t i = 0; i < ARRAY_SIZE(defaults); i++)
        if (strcmp(defaults[i], name) == 0)
            return true;
    return my_setting_is_ours(name);
}
