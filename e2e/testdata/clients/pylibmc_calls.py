"""Makes the calls that it reads, one a line, with the client library pylibmc in
its binary dialect, and prints what each returned, one a line. It judges nothing:
the test that starts it does."""

import sys

import pylibmc

BEHAVIORS = {"cas": True, "tcp_nodelay": True}

# Answers that libmemcached knows by a number, and pylibmc by a class.
ANSWERS = {
    pylibmc.NotFound: "miss",
    pylibmc.TooBig: "denied",  # the status of a denial
    pylibmc.ServerDown: "login failed",  # what follows a refused login
}


def text(value):
    return "miss" if value is None else value.decode()


def yes(value, no="not stored"):
    return "ok" if value else no


def append(call):
    """The library raises where it was not stored."""

    def answer(client, key, value):
        try:
            return yes(call(client, key, value.encode()))
        except pylibmc.Error as error:
            if "error 14 " in str(error):
                return "not stored"
            raise

    return answer


def cas(client, key, value, between=None):
    old, token = client.gets(key)
    if old is None:
        return "miss"
    if between is not None:
        client.set(key, between)
    return "ok" if client.cas(key, value.encode(), token) else "exists"


def replace(client, key, value):
    try:
        return yes(client.replace(key, value.encode()))
    except pylibmc.NotFound:
        return "not stored"


def multi(client, *keys):
    found = client.get_multi(keys)
    return " ".join(f"{k}={text(v)}" for k, v in sorted(found.items()))


def quiet(client, key, value):
    """Stores and asks for no answer, and then reads what is there. It takes a
    client of its own: the library connects anew when that is changed."""
    silent = client.clone()
    silent.behaviors = {**BEHAVIORS, "_noreply": True}
    silent.set(key, value.encode())
    return text(silent.get(key))


def big(client, key, size):
    value = b"0123456789" * (int(size) // 10)
    client.set(key, value)
    return yes(client.get(key) == value, "changed")


def many(client, prefix, count):
    items = {f"{prefix}{i}": str(i).encode() for i in range(int(count))}
    client.set_multi(items)
    return str(sum(v == items[k] for k, v in client.get_multi(list(items)).items()))


CALLS = {
    "set": lambda c, k, v: yes(c.set(k, v.encode())),
    "quiet": quiet,
    "add": lambda c, k, v: yes(c.add(k, v.encode())),
    "replace": replace,
    "append": append(pylibmc.Client.append),
    "prepend": append(pylibmc.Client.prepend),
    "get": lambda c, k: text(c.get(k)),
    "multi": multi,
    "cas": cas,
    "race": lambda c, k, v: cas(c, k, v, b"between"),
    "incr": lambda c, k, n: str(c.incr(k, int(n))),
    "decr": lambda c, k, n: str(c.decr(k, int(n))),
    "touch": lambda c, k: yes(c.touch(k, 60), "miss"),
    "delete": lambda c, k: yes(c.delete(k), "miss"),
    "flush": lambda c: yes(c.flush_all()),
    "big": big,
    "many": many,
}


def answer(error):
    if "error 41 " in str(error):
        return "login failed"
    return ANSWERS.get(type(error), f"{type(error).__name__}: {error}".replace("\n", " "))


def main(address, user="", password=""):
    login = {"username": user, "password": password} if user else {}
    client = pylibmc.Client([address], binary=True, behaviors=BEHAVIORS, **login)
    for line in sys.stdin:
        call, *args = line.split()
        try:
            print(CALLS[call](client, *args), flush=True)
        except pylibmc.Error as error:
            print(answer(error), flush=True)


main(*sys.argv[1:])
