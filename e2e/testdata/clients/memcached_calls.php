<?php
// Makes the calls that it reads, one a line, with PHP's extension memcached in
// its binary dialect, and prints what each returned, one a line. It judges
// nothing: the test that starts it does.

[, $address, $user, $password] = array_pad($argv, 4, '');
[$host, $port] = explode(':', $address);

$client = new Memcached();
$client->setOption(Memcached::OPT_BINARY_PROTOCOL, true);
$client->setOption(Memcached::OPT_TCP_NODELAY, true);
$client->setOption(Memcached::OPT_COMPRESSION, false);
if ($user !== '') {
    $client->setSaslAuthData($user, $password);
}
$client->addServer($host, (int) $port);

// answers are what the extension says by a number.
$answers = [
    Memcached::RES_SUCCESS => 'ok',
    Memcached::RES_NOTFOUND => 'miss',
    Memcached::RES_NOTSTORED => 'not stored',
    Memcached::RES_DATA_EXISTS => 'exists',
    Memcached::RES_E2BIG => 'denied', // the status of a denial
    Memcached::RES_AUTH_FAILURE => 'login failed',
    Memcached::RES_SERVER_TEMPORARILY_DISABLED => 'login failed', // what follows a refused login
];

function answer(): string
{
    global $client, $answers;
    return $answers[$client->getResultCode()] ?? $client->getResultMessage();
}

// value is what was found, or why nothing was.
function value($found): string
{
    return $found === false ? answer() : (string) $found;
}

// stored is the answer of a call that either stores or does not.
function stored(bool $done): string
{
    $answer = answer();
    return $done ? 'ok' : (in_array($answer, ['miss', 'exists']) ? 'not stored' : $answer);
}

function cas(string $key, string $value, ?string $between = null): string
{
    global $client;
    $item = $client->get($key, null, Memcached::GET_EXTENDED);
    if ($item === false) {
        return answer();
    }
    if ($between !== null) {
        $client->set($key, $between);
    }
    $client->cas($item['cas'], $key, $value);
    return answer();
}

function multi(string ...$keys): string
{
    global $client;
    $found = $client->getMulti($keys);
    if ($found === false) {
        return answer();
    }
    ksort($found);
    return implode(' ', array_map(fn ($k, $v) => "$k=$v", array_keys($found), $found));
}

// quiet stores and asks for no answer, and then reads what is there.
function quiet(string $key, string $value): string
{
    global $client;
    $client->setOption(Memcached::OPT_NOREPLY, true);
    $client->set($key, $value);
    $client->setOption(Memcached::OPT_NOREPLY, false);
    return value($client->get($key));
}

function big(string $key, string $size): string
{
    global $client;
    $value = str_repeat('0123456789', intdiv((int) $size, 10));
    $client->set($key, $value);
    return $client->get($key) === $value ? 'ok' : 'changed';
}

function many(string $prefix, string $count): string
{
    global $client;
    $items = [];
    for ($i = 0; $i < (int) $count; $i++) {
        $items[$prefix . $i] = (string) $i;
    }
    $client->setMulti($items);
    return (string) count(array_intersect_assoc($items, $client->getMulti(array_keys($items)) ?: []));
}

$calls = [
    'set' => fn ($k, $v) => stored($client->set($k, $v)),
    'quiet' => 'quiet',
    'add' => fn ($k, $v) => stored($client->add($k, $v)),
    'replace' => fn ($k, $v) => stored($client->replace($k, $v)),
    'append' => fn ($k, $v) => stored($client->append($k, $v)),
    'prepend' => fn ($k, $v) => stored($client->prepend($k, $v)),
    'get' => fn ($k) => value($client->get($k)),
    'multi' => 'multi',
    'cas' => 'cas',
    'race' => fn ($k, $v) => cas($k, $v, 'between'),
    'incr' => fn ($k, $n) => value($client->increment($k, (int) $n)),
    'decr' => fn ($k, $n) => value($client->decrement($k, (int) $n)),
    'touch' => fn ($k) => $client->touch($k, 60) ? 'ok' : answer(),
    'delete' => fn ($k) => $client->delete($k) ? 'ok' : answer(),
    'flush' => fn () => $client->flush() ? 'ok' : answer(),
    'big' => 'big',
    'many' => 'many',
];

while (($line = fgets(STDIN)) !== false) {
    $args = explode(' ', trim($line));
    echo $calls[array_shift($args)](...$args), "\n";
}
