# Makes the calls that it reads, one a line, with the client library dalli 3 in
# its binary dialect, and prints what each returned, one a line. It judges
# nothing: the test that starts it does.

require 'logger'
require 'openssl'
require 'dalli'

address, user, password, ca = ARGV
Dalli.logger = Logger.new($stderr)
options = { socket_timeout: 10, compress: false }
options.update(username: user, password: password) unless user.to_s.empty?
if ca
  context = OpenSSL::SSL::SSLContext.new
  context.set_params(ca_file: ca, verify_mode: OpenSSL::SSL::VERIFY_PEER)
  options[:ssl_context] = context
end
client = Dalli::Client.new(address, options)

# What the library prints of an answer that is an error.
WORDS = {
  'Response error 3:' => 'denied',
  'Error authenticating:' => 'login failed',
  'Dalli only supports the PLAIN' => 'login failed',
  'Response error 32:' => 'login failed', # what follows a refused login
  'No server available' => 'login failed' # and what follows two of them
}.freeze

# A call that stores returns the item's token, false, or a token of 0.
stored = ->(done) { done && done != 0 ? 'ok' : 'not stored' }
value = ->(found) { found.nil? ? 'miss' : found.to_s }
yes = ->(done) { done ? 'ok' : 'miss' }
raw = { raw: true }

cas = lambda do |key, text, between|
  done = client.cas(key, 60, raw) do |_|
    client.set(key, between, 60, raw) if between
    text
  end
  { nil => 'miss', false => 'exists' }.fetch(done, 'ok')
end

big = lambda do |key, size|
  text = '0123456789' * (size.to_i / 10)
  client.set(key, text, 60, raw)
  client.get(key) == text ? 'ok' : 'changed'
end

many = lambda do |prefix, count|
  items = (0...count.to_i).to_h { |i| ["#{prefix}#{i}", i.to_s] }
  client.multi { items.each { |k, v| client.set(k, v, 60, raw) } }
  client.get_multi(*items.keys).count { |k, v| items[k] == v }.to_s
end

# Stores and asks for no answer, and then reads what is there.
quiet = lambda do |key, text|
  client.multi { client.set(key, text, 60, raw) }
  value.call(client.get(key))
end

CALLS = {
  'set' => ->(k, v) { stored.call(client.set(k, v, 60, raw)) },
  'quiet' => quiet,
  'add' => ->(k, v) { stored.call(client.add(k, v, 60, raw)) },
  'replace' => ->(k, v) { stored.call(client.replace(k, v, 60, raw)) },
  'append' => ->(k, v) { stored.call(client.append(k, v)) },
  'prepend' => ->(k, v) { stored.call(client.prepend(k, v)) },
  'get' => ->(k) { value.call(client.get(k)) },
  'multi' => ->(*keys) { client.get_multi(*keys).sort.map { |k, v| "#{k}=#{v}" }.join(' ') },
  'cas' => ->(k, v) { cas.call(k, v, nil) },
  'race' => ->(k, v) { cas.call(k, v, 'between') },
  'incr' => ->(k, n) { value.call(client.incr(k, n.to_i)) },
  'decr' => ->(k, n) { value.call(client.decr(k, n.to_i)) },
  'touch' => ->(k) { yes.call(client.touch(k, 60)) },
  'gat' => ->(k) { value.call(client.gat(k, 60)) },
  'delete' => ->(k) { yes.call(client.delete(k)) },
  'flush' => -> { yes.call(client.flush.all?) },
  'big' => big,
  'many' => many
}.freeze

$stdout.sync = true
$stdin.each_line do |line|
  name, *args = line.split
  begin
    puts CALLS.fetch(name).call(*args)
  rescue Dalli::DalliError, NotImplementedError => e
    word = WORDS.find { |text, _| e.message.start_with?(text) }
    puts word ? word.last : "#{e.class}: #{e.message}".tr("\n", ' ')
  end
end
