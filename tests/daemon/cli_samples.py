"""What the stub shows: a VM as in the documentation."""
GIB, MIB = 1 << 30, 1 << 20
INSTANCES = [
    {"instance": "main", "datastore": "postgresql", "version": "15.18+deb12u1",
     "status": "ACTIVE", "up_s": 1036800, "size_bytes": GIB, "clients": "14/200",
     "backup_age_s": 18000, "attention": []},
    {"instance": "shop", "datastore": "mariadb", "version": "10.11.18+deb12u1",
     "status": "RESTART_REQUIRED", "up_s": 259200, "size_bytes": 655 * MIB, "clients": "9/151",
     "backup_age_s": 93600,
     "attention": [{"reason": "restart", "message": "performance_schema waits for a restart",
                    "hint": "dbguestctl instance restart shop"}]},
    {"instance": "cache", "datastore": "redis", "version": "7.0.15+deb12u7", "status": "ACTIVE",
     "up_s": 3542400, "size_bytes": 512 * MIB, "clients": "3/10000", "backup_age_s": None},
]
LIST = {"instances": INSTANCES, "next_marker": None}
STEPS = [
    {"step": "check", "started": "2026-11-21T03:42:58.110Z", "took_s": 0.41,
     "what": "0 blockers, 0 warnings, 1 note", "undone": False},
    {"step": "settle", "started": "2026-11-21T03:42:58.520Z", "took_s": 1.62,
     "what": "206 MiB written, 8 MiB left for the stop", "undone": False},
    {"step": "stop", "started": "2026-11-21T03:43:00.140Z", "took_s": 0.07, "what": "",
     "undone": False},
]
JOB = {"job": "j184", "method": "instance.upgrade", "object": "main", "state": "ended",
       "outcome": "ok", "took_s": 2.3, "asked_at": "2026-11-21T03:42:58.104Z",
       "asked_by": "uid 0 (root)", "recovered_at": None, "steps": STEPS,
       "result": {"outage_s": 0.19, "expected_outage_s": 0.2}}
