#include "rights.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "error.h"

static bool set_capabilities(uint32_t kept)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {
        { .effective = kept, .permitted = kept, .inheritable = kept & 1U << CAP_SYS_CHROOT },
    };

    return syscall(SYS_capset, &header, data) == 0;
}

/* The kernel may know more capabilities than the header that this was built with. */
static bool drop_bounding_set(uint32_t kept)
{
    for (int capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; capability++) {
        if (capability < 32 && (kept & (1U << capability)) != 0)
            continue;
        if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0)
            return false;
    }
    return errno == EINVAL;
}

/* What exec gives to a program of an unprivileged user that has no right by its file. */
static bool set_ambient(bool chroots)
{
    return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0 &&
           (!chroots || prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_SYS_CHROOT, 0, 0) == 0);
}

bool rights_drop(uid_t uid, bool chroots, struct error *err)
{
    uint32_t kept = (uid == 0 ? 1U << CAP_DAC_OVERRIDE : 0) | (chroots ? 1U << CAP_SYS_CHROOT : 0);

    /* Or the change of uid would take all of them. */
    if (setgroups(0, NULL) != 0 || setresgid(uid, uid, uid) != 0 || !drop_bounding_set(kept) ||
        prctl(PR_SET_KEEPCAPS, chroots, 0, 0, 0) != 0 || setresuid(uid, uid, uid) != 0 ||
        !set_capabilities(kept) || !set_ambient(chroots) ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return error_errno(err, "cannot give up rights");
    return true;
}
