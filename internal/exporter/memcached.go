package exporter

import (
	"bytes"
	"context"
	"math"
	"strconv"
	"sync"
	"time"

	"github.com/slabgate/slabgate/protocol"
)

// Bounds of what memcached is asked.
const (
	statsAge     = time.Second     // what it said is shown again for so long
	statsTimeout = 3 * time.Second // for all of a scrape's questions
	maxClasses   = 64              // slab classes; memcached has 63 at most
)

// memcachedFamilies are what memcached says of itself, under the names that
// dashboards of Prometheus's own exporter for it expect. There are none but
// memcached_up while it does not answer.
var memcachedFamilies = []family{
	{"memcached_up", gauge, nil, "1 if memcached answered.", nil},
	{"memcached_version", gauge, []string{"version"}, "Version of memcached; always 1.", nil},
	{"memcached_uptime_seconds", gauge, nil, "Seconds since memcached was started.", nil},
	{"memcached_time_seconds", gauge, nil, "memcached's clock.", nil},
	{"memcached_process_user_cpu_seconds_total", counter, nil, "CPU time of memcached itself.", nil},
	{"memcached_process_system_cpu_seconds_total", counter, nil, "CPU time of the kernel for memcached.", nil},
	{"memcached_read_bytes_total", counter, nil, "Bytes that memcached has read.", nil},
	{"memcached_written_bytes_total", counter, nil, "Bytes that memcached has written.", nil},
	{"memcached_current_connections", gauge, nil, "Connections that memcached has.", nil},
	{"memcached_max_connections", gauge, nil, "Connections that memcached takes.", nil},
	{"memcached_connections_total", counter, nil, "Connections that memcached has had.", nil},
	{"memcached_connections_rejected_total", counter, nil, "Connections that memcached has turned away.", nil},
	{"memcached_connections_yielded_total", counter, nil, "How often memcached left a connection for another.", nil},
	{"memcached_connections_listener_disabled_total", counter, nil, "How often memcached had no room for connections.", nil},
	{"memcached_accepting_connections", gauge, nil, "1 if memcached has room for connections.", nil},
	{"memcached_current_bytes", gauge, nil, "Bytes of items.", nil},
	{"memcached_limit_bytes", gauge, nil, "Bytes that items may take.", nil},
	{"memcached_malloced_bytes", gauge, nil, "Bytes of memory for slab pages.", nil},
	{"memcached_current_items", gauge, nil, "Items.", nil},
	{"memcached_items_total", counter, nil, "Items that were stored.", nil},
	{"memcached_items_evicted_total", counter, nil, "Items that had to make room before they expired.", nil},
	{"memcached_items_reclaimed_total", counter, nil, "Items that were stored in the place of expired ones.", nil},
	{"memcached_item_too_large_total", counter, nil, "Items that were too large to be stored.", nil},
	{"memcached_item_no_memory_total", counter, nil, "Items that found no memory.", nil},
	{"memcached_direct_reclaims_total", counter, nil, "How often a worker had to make room itself.", nil},
	{"memcached_commands_total", counter, []string{"command", "status"}, "Commands by how they ended.", nil},
	{"memcached_lru_crawler_starts_total", counter, nil, "Runs of the LRU crawler.", nil},
	{"memcached_lru_crawler_reclaimed_total", counter, nil, "Items that the LRU crawler has freed.", nil},
	{"memcached_lru_crawler_items_checked_total", counter, nil, "Items that the LRU crawler has looked at.", nil},
	{"memcached_lru_crawler_moves_to_cold_total", counter, nil, "Items moved to the cold LRU.", nil},
	{"memcached_lru_crawler_moves_to_warm_total", counter, nil, "Items moved to the warm LRU.", nil},
	{"memcached_lru_crawler_moves_within_lru_total", counter, nil, "Items moved within an LRU.", nil},
	{"memcached_slab_current_items", gauge, []string{"slab"}, "Items of a slab class.", nil},
	{"memcached_slab_items_age_seconds", gauge, []string{"slab"}, "Age of the oldest item.", nil},
	{"memcached_slab_items_evicted_total", counter, []string{"slab"}, "Items that had to make room before they expired.", nil},
	{"memcached_slab_items_evicted_nonzero_total", counter, []string{"slab"}, "Of them, those that would have expired.", nil},
	{"memcached_slab_items_evicted_unfetched_total", counter, []string{"slab"}, "Of them, those that nobody had read.", nil},
	{"memcached_slab_items_evicted_time_seconds", gauge, []string{"slab"}, "How long the last of them had not been read.", nil},
	{"memcached_slab_items_expired_unfetched_total", counter, []string{"slab"}, "Items that expired and that nobody had read.", nil},
	{"memcached_slab_items_reclaimed_total", counter, []string{"slab"}, "Items that were stored in the place of expired ones.", nil},
	{"memcached_slab_items_crawler_reclaimed_total", counter, []string{"slab"}, "Items that the LRU crawler has freed.", nil},
	{"memcached_slab_items_outofmemory_total", counter, []string{"slab"}, "Items that found no memory.", nil},
	{"memcached_slab_items_tailrepairs_total", counter, []string{"slab"}, "Items that were repaired.", nil},
	{"memcached_slab_chunk_size_bytes", gauge, []string{"slab"}, "Bytes of a chunk.", nil},
	{"memcached_slab_chunks_per_page", gauge, []string{"slab"}, "Chunks of a page.", nil},
	{"memcached_slab_current_pages", gauge, []string{"slab"}, "Pages.", nil},
	{"memcached_slab_current_chunks", gauge, []string{"slab"}, "Chunks.", nil},
	{"memcached_slab_chunks_used", gauge, []string{"slab"}, "Chunks that hold items.", nil},
	{"memcached_slab_chunks_free", gauge, []string{"slab"}, "Chunks that do not.", nil},
	{"memcached_slab_mem_requested_bytes", gauge, []string{"slab"}, "Bytes that the items of a slab class need.", nil},
	{"memcached_slab_commands_total", counter, []string{"slab", "command", "status"}, "Commands on a slab class by how they ended.", nil},
}

// shown says which metric a statistic is, and its labels but for the slab class.
type shown struct {
	name   string
	labels []string
}

// commandStats are the statistics of commands, of all or of one slab class.
func commandStats(name string) map[string]shown {
	m := map[string]shown{
		"cas_badval": {name, []string{"cas", "badval"}},
		"cmd_flush":  {name, []string{"flush", "hit"}},
		"cmd_set":    {name, []string{"set", "hit"}}, // without cas, see takeCAS
	}
	for _, command := range []string{"get", "delete", "incr", "decr", "cas", "touch"} {
		m[command+"_hits"] = shown{name, []string{command, "hit"}}
		m[command+"_misses"] = shown{name, []string{command, "miss"}}
	}
	return m
}

// statsOf are the statistics that are shown, by the argument of stats.
var statsOf = map[string]map[string]shown{
	"":      named(generalStats, commandStats("memcached_commands_total")),
	"items": named(itemStats, nil),
	"slabs": named(slabStats, commandStats("memcached_slab_commands_total")),
}

// named adds metrics without labels of their own to others.
func named(names map[string]string, to map[string]shown) map[string]shown {
	if to == nil {
		to = make(map[string]shown)
	}
	for stat, name := range names {
		to[stat] = shown{name: name}
	}
	return to
}

var generalStats = map[string]string{
	"uptime": "memcached_uptime_seconds", "time": "memcached_time_seconds",
	"rusage_user": "memcached_process_user_cpu_seconds_total", "rusage_system": "memcached_process_system_cpu_seconds_total",
	"bytes_read": "memcached_read_bytes_total", "bytes_written": "memcached_written_bytes_total",
	"curr_connections": "memcached_current_connections", "max_connections": "memcached_max_connections",
	"total_connections": "memcached_connections_total", "rejected_connections": "memcached_connections_rejected_total",
	"conn_yields": "memcached_connections_yielded_total", "listen_disabled_num": "memcached_connections_listener_disabled_total",
	"accepting_conns": "memcached_accepting_connections",
	"bytes":           "memcached_current_bytes", "limit_maxbytes": "memcached_limit_bytes", "total_malloced": "memcached_malloced_bytes",
	"curr_items": "memcached_current_items", "total_items": "memcached_items_total",
	"evictions": "memcached_items_evicted_total", "reclaimed": "memcached_items_reclaimed_total",
	"store_too_large": "memcached_item_too_large_total", "store_no_memory": "memcached_item_no_memory_total",
	"direct_reclaims": "memcached_direct_reclaims_total", "lru_crawler_starts": "memcached_lru_crawler_starts_total",
	"crawler_reclaimed": "memcached_lru_crawler_reclaimed_total", "crawler_items_checked": "memcached_lru_crawler_items_checked_total",
	"moves_to_cold": "memcached_lru_crawler_moves_to_cold_total", "moves_to_warm": "memcached_lru_crawler_moves_to_warm_total",
	"moves_within_lru": "memcached_lru_crawler_moves_within_lru_total",
}

var itemStats = map[string]string{
	"number": "memcached_slab_current_items", "age": "memcached_slab_items_age_seconds",
	"evicted": "memcached_slab_items_evicted_total", "evicted_nonzero": "memcached_slab_items_evicted_nonzero_total",
	"evicted_unfetched": "memcached_slab_items_evicted_unfetched_total", "evicted_time": "memcached_slab_items_evicted_time_seconds",
	"expired_unfetched": "memcached_slab_items_expired_unfetched_total", "reclaimed": "memcached_slab_items_reclaimed_total",
	"crawler_reclaimed": "memcached_slab_items_crawler_reclaimed_total", "outofmemory": "memcached_slab_items_outofmemory_total",
	"tailrepairs": "memcached_slab_items_tailrepairs_total",
}

var slabStats = map[string]string{
	"chunk_size": "memcached_slab_chunk_size_bytes", "chunks_per_page": "memcached_slab_chunks_per_page",
	"total_pages": "memcached_slab_current_pages", "total_chunks": "memcached_slab_current_chunks",
	"used_chunks": "memcached_slab_chunks_used", "free_chunks": "memcached_slab_chunks_free",
	"mem_requested": "memcached_slab_mem_requested_bytes",
}

// said is what memcached said: values by the name of their metric.
type said map[string][]labelled

type labelled struct {
	value  float64
	labels []string
}

// show shows the values of one metric.
func (s said) show(name string, to *values) {
	for _, l := range s[name] {
		to.add(l.value, l.labels...)
	}
}

// memcached remembers for a moment what it said: however often it is asked for that,
// memcached is asked once a second. The zero value is ready to use.
type memcached struct {
	mu   sync.Mutex
	at   time.Time
	said said
}

// ask returns what memcached says. If it does not answer, that is all there is.
func (m *memcached) ask(src *Source) said {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.said != nil && time.Since(m.at) < statsAge {
		return m.said
	}
	ctx, cancel := context.WithTimeout(context.Background(), statsTimeout)
	defer cancel()
	all := said{}
	for argument, known := range statsOf {
		reply, ok := src.Stats(ctx, argument)
		if !ok {
			all = said{"memcached_up": {{value: 0}}}
			break
		}
		all.take(reply, argument != "", known)
		all["memcached_up"] = []labelled{{value: 1}}
	}
	m.said, m.at = all, time.Now()
	return all
}

// take takes what is known out of one reply. In replies about slab classes the
// number of the class stands before the name.
func (s said) take(reply []byte, classes bool, known map[string]shown) {
	taken := map[string]bool{}
	values := map[string]map[string]float64{} // by class, then by statistic
	for line := range bytes.Lines(reply) {
		name, value, ok := protocol.ParseStat(line)
		if !ok || taken[string(name)] {
			continue
		}
		taken[string(name)] = true
		if string(name) == "version" && !classes {
			s["memcached_version"] = []labelled{{1, []string{printable(value)}}}
			continue
		}
		class, stat := classOf(name, classes)
		n, err := strconv.ParseFloat(string(value), 64)
		if _, ok := known[stat]; !ok || err != nil || math.IsNaN(n) || classes && class == "" {
			continue
		}
		if values[class] == nil {
			if len(values) >= maxClasses {
				continue
			}
			values[class] = map[string]float64{}
		}
		values[class][stat] = n
	}
	for class, of := range values {
		withoutCAS(of)
		s.add(class, of, known)
	}
}

// add adds the values of one class, or of none.
func (s said) add(class string, of map[string]float64, known map[string]shown) {
	for stat, n := range of {
		to, labels := known[stat], []string(nil)
		if class != "" {
			labels = append(labels, class)
		}
		s[to.name] = append(s[to.name], labelled{n, append(labels, to.labels...)})
	}
}

// withoutCAS takes cas out of the count of set, which memcached has it in.
func withoutCAS(of map[string]float64) {
	if n, ok := of["cmd_set"]; ok {
		of["cmd_set"] = max(0, n-of["cas_hits"]-of["cas_misses"]-of["cas_badval"])
	}
}

// classOf splits the name of a statistic: "items:3:age" or "3:chunk_size" is that
// of a class. What is not about a class has none.
func classOf(name []byte, classes bool) (class, stat string) {
	if !classes {
		return "", string(name)
	}
	name = bytes.TrimPrefix(name, []byte("items:"))
	number, rest, ok := bytes.Cut(name, []byte(":"))
	if n, err := strconv.Atoi(string(number)); !ok || err != nil || n < 0 || strconv.Itoa(n) != string(number) {
		return "", ""
	}
	return string(number), string(rest)
}

// printable is a short text without anything that is not printable ASCII.
func printable(text []byte) string {
	out := make([]byte, 0, 64)
	for _, b := range text[:min(len(text), 64)] {
		if b > ' ' && b <= '~' {
			out = append(out, b)
		}
	}
	return string(out)
}
