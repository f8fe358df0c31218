"""Real input: a shop's data for each engine, with the users' own clients over TCP.

Several schemas (databases), many types, indexes, a web of foreign keys, a few hundred thousand
rows; for Redis all kinds of keys, some of which expire. The same seed gives the same data.
"""
import io
import json
import random
import threading
import time
import uuid

import psycopg2
import pymysql
import redis

PASSWORD = "correct-horse-7"
WORDS = ("amber birch cedar delta ember fjord grove haven islet jetty kiosk lemon maple north "
         "onyx pearl quartz raven slate thyme umbra velvet willow zephyr Ödland naïve 東京").split()


def sentence(rng, words=6):
    return " ".join(rng.choice(WORDS) for _ in range(words))


POSTGRESQL_TABLES = """
CREATE SCHEMA catalog; CREATE SCHEMA sales; CREATE SCHEMA ops;
CREATE TYPE sales.state AS ENUM ('cart', 'paid', 'sent', 'returned');
CREATE TABLE catalog.category (id int PRIMARY KEY, parent int REFERENCES catalog.category,
    name text NOT NULL UNIQUE);
CREATE TABLE catalog.product (id int PRIMARY KEY, category int NOT NULL REFERENCES catalog.category,
    name text NOT NULL, price numeric(10, 2) CHECK (price >= 0), tags text[], facts jsonb,
    made date, weight double precision, picture bytea);
CREATE INDEX ON catalog.product (category, price);
CREATE INDEX ON catalog.product USING gin (tags);
CREATE INDEX ON catalog.product USING gin (facts);
CREATE INDEX ON catalog.product (lower(name));
CREATE TABLE sales.customer (id int PRIMARY KEY, mail text NOT NULL UNIQUE, name text,
    born date, address inet, token uuid, active boolean DEFAULT true);
CREATE TABLE sales.orders (id int PRIMARY KEY, customer int NOT NULL REFERENCES sales.customer,
    at timestamptz NOT NULL, state sales.state NOT NULL, note text);
CREATE INDEX ON sales.orders (customer, at DESC);
CREATE INDEX ON sales.orders (at) WHERE state = 'cart';
CREATE TABLE sales.line (orders int REFERENCES sales.orders ON DELETE CASCADE, number smallint,
    product int NOT NULL REFERENCES catalog.product, amount int, price numeric(10, 2),
    PRIMARY KEY (orders, number));
CREATE INDEX ON sales.line (product);
CREATE TABLE ops.log (at timestamptz, level smallint, text text) PARTITION BY RANGE (at);
CREATE TABLE ops.log_2025 PARTITION OF ops.log FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE ops.log_2026 PARTITION OF ops.log FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE VIEW sales.turnover AS SELECT o.customer, sum(l.amount * l.price) AS sum
    FROM sales.orders o JOIN sales.line l ON l.orders = o.id GROUP BY o.customer;
CREATE FUNCTION sales.spent(int) RETURNS numeric LANGUAGE sql STABLE AS
    'SELECT coalesce(sum(amount * price), 0) FROM sales.line JOIN sales.orders ON id = orders
     WHERE customer = $1';
CREATE TABLE public.pulse (id bigserial PRIMARY KEY, at timestamptz DEFAULT now());
"""

MARIADB_TABLES = """
CREATE TABLE category (id INT PRIMARY KEY, parent INT, name VARCHAR(80) NOT NULL UNIQUE,
    FOREIGN KEY (parent) REFERENCES category (id));
CREATE TABLE product (id INT PRIMARY KEY, category INT NOT NULL, name VARCHAR(120) NOT NULL,
    price DECIMAL(10, 2) CHECK (price >= 0), facts JSON, made DATE, weight DOUBLE, picture BLOB,
    kind SET('new', 'used', 'gift'), KEY (category, price), FULLTEXT KEY (name),
    FOREIGN KEY (category) REFERENCES category (id));
CREATE TABLE customer (id INT PRIMARY KEY, mail VARCHAR(120) NOT NULL UNIQUE, name VARCHAR(120),
    born DATE, token CHAR(36), active BOOLEAN DEFAULT TRUE);
CREATE TABLE orders (id INT PRIMARY KEY, customer INT NOT NULL, at DATETIME(3) NOT NULL,
    state ENUM('cart', 'paid', 'sent', 'returned') NOT NULL, note TEXT, KEY (customer, at),
    FOREIGN KEY (customer) REFERENCES customer (id));
CREATE TABLE line (orders INT, number SMALLINT, product INT NOT NULL, amount INT,
    price DECIMAL(10, 2), PRIMARY KEY (orders, number), KEY (product),
    FOREIGN KEY (orders) REFERENCES orders (id) ON DELETE CASCADE,
    FOREIGN KEY (product) REFERENCES product (id));
CREATE TABLE log (at DATETIME NOT NULL, level SMALLINT, text TEXT) PARTITION BY RANGE (YEAR(at))
    (PARTITION p2025 VALUES LESS THAN (2026), PARTITION p2026 VALUES LESS THAN (2027));
CREATE VIEW turnover AS SELECT o.customer, SUM(l.amount * l.price) AS spent
    FROM orders o JOIN line l ON l.orders = o.id GROUP BY o.customer;
CREATE TABLE pulse (id BIGINT AUTO_INCREMENT PRIMARY KEY, at TIMESTAMP(3) DEFAULT NOW(3));
"""


def rows(scale=1.0, seed=7):
    """(table, rows) in an order that foreign keys accept; the columns that both engines have."""
    rng = random.Random(seed)
    customers, products, orders = int(20000 * scale), int(8000 * scale), int(60000 * scale)
    yield "category", [(i, None if i < 8 else rng.randrange(i), f"{sentence(rng, 2)} {i}")
                       for i in range(200)]
    yield "product", [(i, rng.randrange(200), sentence(rng, 3), f"{rng.randrange(99999) / 100:.2f}",
                       json.dumps({"colour": rng.choice(WORDS), "size": rng.randrange(60)}),
                       f"20{rng.randrange(10, 26)}-0{rng.randrange(1, 10)}-1{rng.randrange(10)}",
                       rng.random() * 50) for i in range(products)]
    yield "customer", [(i, f"user{i}@example.org", sentence(rng, 2),
                        f"19{rng.randrange(50, 99)}-0{rng.randrange(1, 10)}-1{rng.randrange(10)}",
                        str(uuid.UUID(int=rng.getrandbits(128)))) for i in range(customers)]
    yield "orders", [(i, rng.randrange(customers),
                      f"202{rng.randrange(5, 7)}-0{rng.randrange(1, 10)}-2{rng.randrange(8)} "
                      f"1{rng.randrange(10)}:2{rng.randrange(10)}:33",
                      rng.choice(("cart", "paid", "sent", "returned")), sentence(rng))
                     for i in range(orders)]
    yield "line", [(i, n, rng.randrange(products), rng.randrange(1, 9),
                    f"{rng.randrange(99999) / 100:.2f}")
                   for i in range(orders) for n in range(1 + i % 4)]
    yield "log", [(f"202{5 + i % 2}-03-1{i % 10} 00:00:0{i % 10}", i % 8, sentence(rng))
                  for i in range(int(40000 * scale))]


COLUMNS = {
    "category": "id, parent, name",
    "product": "id, category, name, price, facts, made, weight",
    "customer": "id, mail, name, born, token",
    "orders": "id, customer, at, state, note",
    "line": "orders, number, product, amount, price",
    "log": "at, level, text",
}
SCHEMAS = {"category": "catalog", "product": "catalog", "customer": "sales", "orders": "sales",
           "line": "sales", "log": "ops"}


class Postgresql:
    datastore, database, port = "postgresql", "shop", 15432

    def __init__(self, port=None, user="anna", password=PASSWORD):
        self.arguments = {"host": "127.0.0.1", "port": port or self.port, "user": user,
                          "password": password, "dbname": self.database, "connect_timeout": 2}

    def connect(self):
        return psycopg2.connect(**self.arguments)

    def load(self, scale=1.0):
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute(POSTGRESQL_TABLES)
            for table, lines in rows(scale):
                text = "".join(
                    "\t".join("\\N" if v is None else str(v) for v in line) + "\n" for line in lines)
                cursor.copy_expert(f"COPY {SCHEMAS[table]}.{table} ({COLUMNS[table]}) FROM STDIN",
                                   io.StringIO(text))
        connection.close()

    def count(self):
        connection = self.connect()
        with connection, connection.cursor() as cursor:
            total = 0
            for table, schema in SCHEMAS.items():
                cursor.execute(f"SELECT count(*) FROM {schema}.{table}")
                total += cursor.fetchone()[0]
        connection.close()
        return total

    def pulse(self):
        """One acknowledged write on a connection of its own."""
        connection = self.connect()
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute("INSERT INTO public.pulse DEFAULT VALUES RETURNING id")
                number = cursor.fetchone()[0]
        finally:
            connection.close()
        return number

    def pulses(self):
        connection = self.connect()
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT id FROM public.pulse")
            found = {row[0] for row in cursor.fetchall()}
        connection.close()
        return found


class Mariadb:
    datastore, database, port = "mariadb", "shop", 13306

    def __init__(self, port=None, user="anna", password=PASSWORD):
        self.arguments = {"host": "127.0.0.1", "port": port or self.port, "user": user,
                          "password": password, "database": self.database, "connect_timeout": 2,
                          "charset": "utf8mb4", "autocommit": True}

    def connect(self):
        return pymysql.connect(**self.arguments)

    def load(self, scale=1.0):
        connection = self.connect()
        with connection, connection.cursor() as cursor:
            for statement in MARIADB_TABLES.split(";\n"):
                if statement.strip():
                    cursor.execute(statement)
            connection.begin()
            for table, lines in rows(scale):
                places = ", ".join(["%s"] * len(COLUMNS[table].split(",")))
                cursor.executemany(
                    f"INSERT INTO {table} ({COLUMNS[table]}) VALUES ({places})", lines)
            connection.commit()

    def count(self):
        connection = self.connect()
        with connection, connection.cursor() as cursor:
            total = 0
            for table in SCHEMAS:
                cursor.execute(f"SELECT COUNT(*) FROM {table}")
                total += cursor.fetchone()[0]
        return total

    def pulse(self):
        connection = self.connect()
        with connection, connection.cursor() as cursor:
            cursor.execute("INSERT INTO pulse () VALUES ()")
            return cursor.lastrowid

    def pulses(self):
        connection = self.connect()
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT id FROM pulse")
            return {row[0] for row in cursor.fetchall()}


class Mysql(Mariadb):
    datastore, port = "mysql", 13307


class Redis:
    datastore, database, port = "redis", None, 16379

    def __init__(self, port=None, user="anna", password=PASSWORD):
        self.arguments = {"host": "127.0.0.1", "port": port or self.port, "username": user,
                          "password": password, "socket_connect_timeout": 2}

    def connect(self):
        return redis.Redis(**self.arguments)

    def load(self, scale=1.0):
        rng = random.Random(7)
        connection = self.connect()
        pipe = connection.pipeline(transaction=False)
        for i in range(int(60000 * scale)):
            pipe.set(f"session:{i}", sentence(rng, 8))
            if i % 3 == 0:
                pipe.expire(f"session:{i}", 86400 + i)
            if i % 2 == 0:
                pipe.hset(f"product:{i}", mapping={"name": sentence(rng, 2), "price": i})
            if i % 4 == 0:
                pipe.zadd("ranking", {f"product:{i}": rng.random()})
                pipe.rpush(f"cart:{i % 997}", i, i + 1)
                pipe.sadd(f"tag:{rng.choice(WORDS)}", i)
            if i % 10 == 0:
                pipe.xadd("orders", {"customer": i, "note": sentence(rng, 3)})
            if i % 5000 == 0:
                pipe.execute()
        pipe.execute()
        connection.close()

    def count(self):
        connection = self.connect()
        total = connection.dbsize() - (1 if connection.exists("pulse") else 0)
        connection.close()
        return total

    def pulse(self):
        connection = self.connect()
        try:
            return connection.rpush("pulse", 1)
        finally:
            connection.close()

    def pulses(self):
        connection = self.connect()
        try:
            return set(range(1, connection.llen("pulse") + 1))
        finally:
            connection.close()


class Valkey(Redis):
    datastore, port = "valkey", 16380


class Prober(threading.Thread):
    """A client that never stops trying: connects, writes, remembers what was acknowledged."""

    def __init__(self, shop):
        super().__init__(daemon=True)
        self.shop = shop
        self.stopping = threading.Event()
        self.acknowledged = set()
        self.longest_gap_s = 0.0
        self.failures = 0

    def run(self):
        last = time.monotonic()
        while not self.stopping.is_set():
            try:
                number = self.shop.pulse()
            except Exception:  # whatever a client library makes of a closed door
                self.failures += 1
                time.sleep(0.001)
                continue
            now = time.monotonic()
            self.longest_gap_s = max(self.longest_gap_s, now - last)
            last = now
            self.acknowledged.add(number)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.join(30)
        missing = self.acknowledged - self.shop.pulses()
        assert not missing, f"acknowledged and lost: {sorted(missing)[:10]}"


SHOPS = {shop.datastore: shop for shop in (Postgresql, Mariadb, Mysql, Redis, Valkey)}
