#include "fake.h"

#include <stddef.h>

#include "worker.h"

static const char *const packages[] = { "fake-server", NULL };
static const char *const remarks[] = { "for tests: it keeps nothing that you would miss", NULL };

static const struct datastore fake = {
    .name = "fake",
    .user = "fake",
    .packages = packages,
    .name_bytes = 63,
    .remarks = remarks,
    .probe = fake_probe,
    .edge = fake_edge,
    .configure = fake_configure,
    .initialize = fake_initialize,
    .check_settings = fake_check_settings,
    .start = fake_start,
    .settle = fake_settle,
    .unsettle = fake_unsettle,
    .before_stop = fake_before_stop,
    .migrate = fake_migrate,
    .adapt = fake_adapt,
    .gate = fake_gate,
    .strangers = fake_strangers,
    .evict = fake_evict,
    .status = fake_status,
    .reload = fake_reload,
    .facts = fake_facts,
    .position_follows = fake_position_follows,
    .check_upgrade = fake_check_upgrade,
    .database_list = fake_database_list,
    .database_show = fake_database_show,
    .database_create = fake_database_create,
    .database_drop = fake_database_drop,
    .user_list = fake_user_list,
    .user_show = fake_user_show,
    .user_create = fake_user_create,
    .user_drop = fake_user_drop,
    .user_grant = fake_user_grant,
    .user_revoke = fake_user_revoke,
    .user_set_password = fake_user_set_password,
    .user_rename = fake_user_rename,
    .root_enable = fake_root_enable,
    .root_disable = fake_root_disable,
    .root_status = fake_root_status,
    .backup_form = fake_backup_form,
    .backup = fake_backup,
    .backup_undo = fake_backup_undo,
    .restore = fake_restore,
};

int main(int argc, char **argv)
{
    static const struct datastore *const stores[] = { &fake, NULL };

    return worker_main(argc, argv, stores);
}
