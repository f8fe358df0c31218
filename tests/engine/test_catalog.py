"""Databases, users and root: the same verbs for every engine, whatever a name holds."""
import psycopg2
import pymysql
import pytest
import redis
from conftest import create
from daemon import Failure
from shop import PASSWORD

ODD_NAMES = ["with space", 'quo"te', "apo'strophe", "back\\slash", "per%cent", "semi;colon", "select",
             "new\nline", "tab\tstop", "back`tick", "ünïcode", "smile😀", "-dash", "$1", "a" * 32]
# A user's and a database's: bytes in PostgreSQL, characters in the others.
LONGEST = {"postgresql": (63, 63), "mariadb": (80, 64), "mysql": (32, 64)}


INSTANCE = []


@pytest.fixture(scope="module")
def empty(daemon, shop, old):
    """An instance of its own port, without the shop's data."""
    name = f"catalog-{shop.datastore}"
    create(daemon, shop, old, instance=name, port=shop.port + 60)
    INSTANCE[:] = [name]
    return name


def call(daemon, method, /, **params):
    return daemon.call(method, instance=INSTANCE[0], **params)


def names(daemon, noun):
    return [row["name"] for row in call(daemon, f"{noun}.list")[f"{noun}s"]]


def has_databases(datastore):
    return datastore not in ("redis", "valkey")


def can_log_in(shop, user, password, database=None):
    """Whether the engine lets this user in, over TCP, as a client would come."""
    other = type(shop)(port=shop.port + 60, user=user, password=password)
    if database is not None:
        other.arguments["dbname" if shop.datastore == "postgresql" else "database"] = database
    try:
        connection = other.connect()
        if hasattr(connection, "ping"):
            connection.ping()
        connection.close()
    except (psycopg2.OperationalError, pymysql.err.OperationalError, redis.exceptions.RedisError):
        return False
    return True


def refused(daemon, reason, method, /, **params):
    with pytest.raises(Failure) as failure:
        call(daemon, method, **params)
    assert failure.value.reason == reason, failure.value


def test_an_empty_name_is_refused(daemon, empty, datastore):
    refused(daemon, "invalid", "user.create", name="", password=PASSWORD)
    if has_databases(datastore):
        refused(daemon, "invalid", "database.create", name="")


def cannot_be(datastore, name):
    """Redis' names hold no spaces; MariaDB's and MySQL's nothing beyond the basic plane."""
    if has_databases(datastore):
        return datastore != "postgresql" and "😀" in name
    return any(character.isspace() for character in name)


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_user_by_an_odd_name(daemon, empty, datastore, shop, name):
    if cannot_be(datastore, name):
        refused(daemon, "invalid", "user.create", name=name, password=PASSWORD)
        return
    call(daemon, "user.create", name=name, password=PASSWORD)
    assert name in names(daemon, "user")
    assert call(daemon, "user.show", name=name)["name"] == name
    refused(daemon, "exists", "user.create", name=name, password=PASSWORD)
    call(daemon, "user.set_password", name=name, password="another-one-9")
    call(daemon, "user.drop", name=name)
    assert name not in names(daemon, "user")


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_database_by_an_odd_name(daemon, empty, datastore, name):
    if not has_databases(datastore):
        refused(daemon, "unsupported", "database.create", name=name)
        return
    if cannot_be(datastore, name):
        refused(daemon, "invalid", "database.create", name=name)
        return
    call(daemon, "database.create", name=name)
    try:
        assert name in names(daemon, "database")
        refused(daemon, "exists", "database.create", name=name)
        call(daemon, "user.create", name="reader", password=PASSWORD, databases=[name],
             access="read")
        assert call(daemon, "user.show", name="reader")["databases"] == {name: "read"}
        call(daemon, "user.drop", name="reader")
    finally:
        call(daemon, "database.drop", name=name, confirm=name)
    assert name not in names(daemon, "database")


@pytest.mark.parametrize("letter", ["b", "é"])
def test_the_longest_name_there_is_and_one_more(daemon, empty, datastore, letter):
    if datastore not in LONGEST:
        pytest.skip("Redis has no such limit")
    size = len(letter.encode()) if datastore == "postgresql" else 1
    for noun, most, more in zip(("user", "database"), LONGEST[datastore],
                                ({"password": PASSWORD}, {})):
        longest = letter * (most // size)
        call(daemon, f"{noun}.create", name=longest, **more)
        assert longest in names(daemon, noun)
        refused(daemon, "invalid", f"{noun}.create", name=longest + letter, **more)
        confirm = {"confirm": longest} if noun == "database" else {}
        call(daemon, f"{noun}.drop", name=longest, **confirm)
        assert not [name for name in names(daemon, noun) if name.startswith(letter * 20)]


def test_what_is_not_there_is_not_found(daemon, empty, datastore):
    for method in ("user.show", "user.drop"):
        with pytest.raises(Failure) as failure:
            call(daemon, method, name="nobody")
        assert failure.value.reason == "not_found"
    if has_databases(datastore):
        with pytest.raises(Failure) as failure:
            call(daemon, "database.drop", name="nothing", confirm="nothing")
        assert failure.value.reason == "not_found"


def test_passwords_work_and_are_replaced(daemon, empty, shop, datastore):
    databases = {"databases": ["shop"]} if has_databases(datastore) else {}
    call(daemon, "user.create", name="pat", password="first-password-1", **databases)
    assert can_log_in(shop, "pat", "first-password-1")
    assert not can_log_in(shop, "pat", "wrong")
    call(daemon, "user.set_password", name="pat", password="second-'\"\\password-2")
    assert can_log_in(shop, "pat", "second-'\"\\password-2")
    assert not can_log_in(shop, "pat", "first-password-1")
    call(daemon, "user.rename", name="pat", new_name="patricia",
         password="second-'\"\\password-2")
    assert can_log_in(shop, "patricia", "second-'\"\\password-2")
    assert not can_log_in(shop, "pat", "second-'\"\\password-2")
    call(daemon, "user.drop", name="patricia")
    assert not can_log_in(shop, "patricia", "second-'\"\\password-2")


def test_grants_are_given_and_taken(daemon, empty, shop, datastore):
    if not has_databases(datastore):
        pytest.skip("Redis grants keys, channels and categories: see below")
    call(daemon, "database.create", name="other")
    call(daemon, "user.create", name="gil", password=PASSWORD)
    for access in ("read", "write", "all"):
        call(daemon, "user.grant", name="gil", databases=["other"], access=access)
        assert call(daemon, "user.show", name="gil")["databases"] == {"other": access}
    assert can_log_in(shop, "gil", PASSWORD, "other")
    call(daemon, "user.revoke", name="gil", databases=["other"])
    assert call(daemon, "user.show", name="gil")["databases"] == {}
    assert not can_log_in(shop, "gil", PASSWORD, "other")
    call(daemon, "user.drop", name="gil")
    call(daemon, "database.drop", name="other", confirm="other")


def test_redis_grants_are_keys_channels_and_categories(daemon, empty, shop, datastore):
    if has_databases(datastore):
        pytest.skip("Redis only")
    call(daemon, "user.create", name="app", password=PASSWORD, keys=["app:*"], channels=["news"],
         categories=["read", "write"])
    app = type(shop)(port=shop.port + 60, user="app").connect()
    app.set("app:1", "x")
    with pytest.raises(redis.exceptions.RedisError):
        app.set("other", "x")
    call(daemon, "user.grant", name="app", keys=["other*"])
    app.set("other", "x")
    call(daemon, "user.revoke", name="app", keys=["other*"])
    with pytest.raises(redis.exceptions.RedisError):
        app.set("other", "y")
    for category in ("admin", "dangerous"):
        with pytest.raises(Failure) as failure:
            call(daemon, "user.grant", name="app", categories=[category])
        assert failure.value.reason in ("denied", "invalid")
    call(daemon, "user.drop", name="app")


def test_more_keys_are_not_more_commands(daemon, empty, shop, datastore):
    if has_databases(datastore):
        pytest.skip("Redis only")
    call(daemon, "user.create", name="eye", password=PASSWORD, keys=["a*"], categories=["read"])
    call(daemon, "user.grant", name="eye", keys=["b*"])
    eye = type(shop)(port=shop.port + 60, user="eye").connect()
    assert eye.get("b1") is None
    with pytest.raises(redis.exceptions.RedisError):
        eye.set("b1", "x")
    call(daemon, "user.drop", name="eye")


def test_lists_are_sorted_and_paged(daemon, empty):
    wanted = [f"page{i:02}" for i in range(7)]
    call(daemon, "user.create", users=[{"name": name, "password": PASSWORD} for name in wanted])
    found, marker = [], None
    while True:
        more = {"marker": marker} if marker else {}
        page = call(daemon, "user.list", limit=3, **more)
        assert len(page["users"]) <= 3
        found += [row["name"] for row in page["users"]]
        marker = page["next_marker"]
        if marker is None:
            break
    assert found == sorted(found, key=str.encode)
    assert set(wanted) <= set(found)
    call(daemon, "user.drop", users=[{"name": name} for name in wanted])


def test_many_in_one_call_tell_of_each(daemon, empty, datastore):
    call(daemon, "user.create", name="many1", password=PASSWORD)
    users = [{"name": f"many{i}", "password": PASSWORD} for i in range(4)]
    with pytest.raises(Failure) as failure:
        call(daemon, "user.create", users=users)
    if failure.value.reason == "partial":
        outcomes = {row["name"]: row["outcome"] for row in failure.value.data["results"]}
        assert outcomes == {"many0": "ok", "many1": "exists", "many2": "ok", "many3": "ok"}
        rest = ["many0", "many2", "many3"]
    else:
        assert failure.value.reason == "exists"
        assert failure.value.data["at"] == 1
        assert not {"many0", "many2", "many3"} & set(names(daemon, "user"))
        rest = []
    assert datastore != "postgresql" or not rest, "PostgreSQL does all or nothing"
    call(daemon, "user.drop", users=[{"name": name} for name in rest + ["many1"]])


def test_a_thousand_users_in_one_call(daemon, empty):
    users = [{"name": f"t{i:04}", "password": f"pass-{i}-word"} for i in range(1000)]
    assert len(call(daemon, "user.create", users=users)["results"]) == 1000
    assert len([name for name in (row["name"] for row in
                                  call(daemon, "user.list", limit=1000)["users"])
                if name.startswith("t")]) >= 990
    call(daemon, "user.drop", users=[{"name": user["name"]} for user in users])
    assert not [name for name in names(daemon, "user") if name.startswith("t0")]


def test_a_database_in_use_is_not_dropped(daemon, empty, shop, datastore):
    if not has_databases(datastore):
        pytest.skip("Redis has no databases by name")
    client = type(shop)(port=shop.port + 60).connect()
    if datastore != "postgresql":
        client.cursor().execute("SELECT 1")
    with pytest.raises(Failure) as failure:
        call(daemon, "database.drop", name="shop", confirm="shop")
    assert failure.value.reason == "busy"
    client.close()


def test_a_tenants_user_cannot_drop_databases(daemon, empty, shop, datastore):
    if datastore != "postgresql":
        pytest.skip("there `all` needs DROP for tables, and describe says so")
    other = type(shop)(port=shop.port + 60)
    connection = other.connect()
    connection.autocommit = True
    with connection.cursor() as cursor, pytest.raises(psycopg2.Error):
        cursor.execute("DROP DATABASE shop")
    connection.close()


def test_confirmation_must_be_the_name(daemon, empty, datastore):
    if not has_databases(datastore):
        pytest.skip("Redis has no databases by name")
    with pytest.raises(Failure) as failure:
        call(daemon, "database.drop", name="shop", confirm="shopp")
    assert failure.value.reason == "invalid"
    assert "shop" in names(daemon, "database")


def test_root_is_enabled_used_and_really_shut(daemon, empty, shop):
    assert call(daemon, "root.status")["enabled"] is False
    answer = call(daemon, "root.enable")
    password = answer["password"]
    assert len(password) >= 16
    status = call(daemon, "root.status")
    assert status["enabled"] is True and status["since"]
    assert can_log_in(shop, "root", password)
    answer = call(daemon, "root.disable")
    assert answer["enabled"] is False
    assert not can_log_in(shop, "root", password)
    assert call(daemon, "root.status")["enabled"] is False


def test_a_session_of_root_ends_with_root_disable(daemon, empty, shop, datastore):
    call(daemon, "root.enable", password="root-password-11")
    other = type(shop)(port=shop.port + 60, user="root", password="root-password-11")
    connection = other.connect()
    call(daemon, "root.disable")
    with pytest.raises((psycopg2.Error, pymysql.err.Error, redis.exceptions.RedisError)):
        if datastore in ("redis", "valkey"):
            connection.connection_pool.max_connections = 1
            connection.dbsize()
        else:
            connection.cursor().execute("SELECT 1")


def escapes_postgresql(cursor):
    """Ways from root to the agent's account, the server's programs, or past the gate."""
    return ["ALTER ROLE postgres PASSWORD 'x'", "ALTER ROLE postgres NOLOGIN", "SET ROLE postgres",
            "SET SESSION AUTHORIZATION postgres", "CREATE ROLE r1 SUPERUSER", "ALTER ROLE root SUPERUSER",
            "DROP ROLE dbguest", "GRANT postgres TO root", "ALTER SYSTEM SET listen_addresses = '*'",
            "SELECT pg_read_file('/var/lib/dbguest/conf/pg_hba.conf')",
            "COPY (SELECT 1) TO PROGRAM 'id'", "COPY (SELECT 1) TO '/tmp/x'",
            "CREATE EXTENSION plpython3u", "SELECT pg_reload_conf()", "SELECT lo_import('/etc/passwd')",
            "DROP DATABASE shop", "CREATE SUBSCRIPTION s CONNECTION 'host=/run/dbguest' PUBLICATION p"]


def escapes_mariadb(cursor):
    return ["ALTER USER root@localhost IDENTIFIED BY 'x'", "SET GLOBAL init_connect = ''",
            "SET GLOBAL offline_mode = 0", "UPDATE mysql.global_priv SET priv = '{}'",
            "UPDATE mysql.user SET authentication_string = 'x'", "DELETE FROM mysql.db",
            "DROP USER root@localhost", "GRANT SUPER ON *.* TO root@'%'", "SHUTDOWN",
            "SELECT 1 INTO OUTFILE '/tmp/x'", "SELECT LOAD_FILE('/etc/passwd')",
            "INSTALL SONAME 'auth_pam'", "INSTALL PLUGIN x SONAME 'auth_socket.so'",
            "CREATE FUNCTION f RETURNS STRING SONAME 'udf.so'", "SET PASSWORD FOR root@localhost = ''",
            "RENAME USER root@localhost TO x@localhost", "DROP TABLE mysql.global_priv",
            "CREATE DEFINER = root@localhost PROCEDURE shop.p() SELECT 1"]


def escapes_redis(_):
    return ["ACL SETUSER dbguest nopass", "ACL DELUSER dbguest", "ACL SETUSER root +@all", "ACL LOAD",
            "CONFIG SET aclfile x", "CONFIG SET requirepass x", "CONFIG SET dir /tmp", "SHUTDOWN",
            "REPLICAOF 127.0.0.1 1", "DEBUG SLEEP 0", "MODULE LOAD /tmp/x.so", "CONFIG REWRITE",
            "FAILOVER", "CLUSTER RESET", "CONFIG SET save x", "CONFIG SET appendonly no"]


def test_no_known_way_leads_from_root_to_the_agents_account(daemon, empty, shop, datastore):
    call(daemon, "root.enable", password="root-password-22")
    other = type(shop)(port=shop.port + 60, user="root", password="root-password-22")
    connection = other.connect()
    if datastore == "postgresql":
        connection.autocommit = True
        cursor = connection.cursor()
        tries, refused = escapes_postgresql(cursor), psycopg2.Error
    elif has_databases(datastore):
        cursor = connection.cursor()
        tries, refused = escapes_mariadb(cursor), pymysql.err.Error
    else:
        cursor = None
        tries, refused = escapes_redis(None), redis.exceptions.RedisError
    let_through = []
    for statement in tries:
        try:
            if cursor is None:
                connection.execute_command(*statement.split())
            else:
                cursor.execute(statement)
                if statement.startswith("SELECT LOAD_FILE") and cursor.fetchone() == (None,):
                    continue  # that is how MariaDB and MySQL say no
            let_through.append(statement)
        except refused:
            continue
    assert let_through == []
    call(daemon, "root.disable")
    assert call(daemon, "instance.show")["status"] == "ACTIVE"
