// Makes the calls that it reads, one a line, with the client library memjs, and
// prints what each returned, one a line. It judges nothing: the test that starts
// it does.
'use strict';

const memjs = require('memjs');
const readline = require('readline');

const [address, user, password] = process.argv.slice(2);
const client = memjs.Client.create(address, {
  timeout: 10,
  username: user,
  password: password,
  logger: { log: console.error },
});

// What the library says of a status that is an error.
const answers = {
  'Value too large': 'denied',
  'Item not stored': 'not stored',
  'Key not found': 'miss',
  'Memcached server authentication failed!': 'login failed',
};

const value = (found) => (found.value === null ? 'miss' : found.value.toString());
const stored = (done) => (done ? 'ok' : 'not stored');
const yes = (done) => (done ? 'ok' : 'miss');
const short = { expires: 60 };

async function big(key, size) {
  const text = '0123456789'.repeat(size / 10);
  await client.set(key, text, short);
  return value(await client.get(key)) === text ? 'ok' : 'changed';
}

// many has no multi-get to call: it asks for all keys at once.
async function many(prefix, count) {
  const keys = Array.from({ length: count }, (_, i) => prefix + i);
  await Promise.all(keys.map((key, i) => client.set(key, String(i), short)));
  const found = await Promise.all(keys.map((key) => client.get(key)));
  return String(found.filter((f, i) => value(f) === String(i)).length);
}

const calls = {
  set: async (k, v) => stored(await client.set(k, v, short)),
  add: async (k, v) => stored(await client.add(k, v, short)),
  replace: async (k, v) => stored(await client.replace(k, v, short)),
  append: async (k, v) => stored(await client.append(k, v)),
  prepend: async (k, v) => stored(await client.prepend(k, v)),
  get: async (k) => value(await client.get(k)),
  incr: async (k, n) => String((await client.increment(k, Number(n), short)).value),
  decr: async (k, n) => String((await client.decrement(k, Number(n), short)).value),
  touch: async (k) => yes(await client.touch(k, 60)),
  delete: async (k) => yes(await client.delete(k)),
  big,
  many,
};

function answer(error) {
  const text = String(error.message || error).replace(/^MemJS \w+: /, '');
  return answers[text] || text;
}

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [name, ...args] = line.split(' ');
    console.log(await calls[name](...args).catch(answer));
  }
  client.close();
}

// A connection that was refused keeps the process alive: it is ended here.
main().then(() => process.exit(0));
