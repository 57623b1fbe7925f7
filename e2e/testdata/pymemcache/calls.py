"""Makes the calls that it reads, one a line, with the client library pymemcache,
and prints what each returned, one a line. It judges nothing: the test that
starts it does."""

import ssl
import sys

from pymemcache.client.base import Client
from pymemcache.exceptions import MemcacheClientError


def text(value):
    return "miss" if value is None else value.decode()


def yes(value, no="not stored"):
    return "ok" if value else no


def cas(client, key, value, between=None):
    old, token = client.gets(key)
    if old is None:
        return "miss"
    if between is not None:
        client.set(key, between)
    return {True: "ok", False: "exists", None: "miss"}[client.cas(key, value, token)]


def number(value):
    return "miss" if value is None else str(value)


def multi(client, *keys):
    found = client.get_many(keys)
    return " ".join(f"{k}={text(v)}" for k, v in sorted(found.items()))


CALLS = {
    "set": lambda c, k, v: yes(c.set(k, v)),
    "quiet": lambda c, k, v: yes(c.set(k, v, noreply=True)),
    "add": lambda c, k, v: yes(c.add(k, v)),
    "replace": lambda c, k, v: yes(c.replace(k, v)),
    "append": lambda c, k, v: yes(c.append(k, v)),
    "prepend": lambda c, k, v: yes(c.prepend(k, v)),
    "get": lambda c, k: text(c.get(k)),
    "multi": multi,
    "cas": cas,
    "race": lambda c, k, v: cas(c, k, v, "between"),
    "incr": lambda c, k, n: number(c.incr(k, int(n))),
    "decr": lambda c, k, n: number(c.decr(k, int(n))),
    "touch": lambda c, k: yes(c.touch(k, 60), "miss"),
    "delete": lambda c, k: yes(c.delete(k), "miss"),
    "flush": lambda c: yes(c.flush_all()),
    "version": lambda c: yes(c.version()),
}


def main(host, port, ca, cert, key):
    context = ssl.create_default_context(cafile=ca)
    context.load_cert_chain(cert, key)
    client = Client((host, int(port)), tls_context=context, timeout=10, connect_timeout=10, default_noreply=False)
    for line in sys.stdin:
        call, *args = line.split()
        try:
            print(CALLS[call](client, *args))
        except MemcacheClientError as error:
            print("denied" if "access denied" in str(error) else f"MemcacheClientError: {error}")


main(*sys.argv[1:])
