package exporter

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"github.com/slabgate/slabgate/internal/metrics"
)

// generalReply, itemsReply and slabsReply are what a memcached may say.
const (
	generalReply = "STAT pid 1\r\nSTAT uptime 12\r\nSTAT version 1.6.18\r\nSTAT rusage_user 1.500000\r\nSTAT curr_connections 3\r\n" +
		"STAT cmd_set 10\r\nSTAT cas_hits 1\r\nSTAT cas_misses 2\r\nSTAT cas_badval 3\r\nSTAT get_hits 7\r\nSTAT get_misses 5\r\n" +
		"STAT bytes nan\r\nSTAT curr_items many\r\nSTAT uptime 13\r\nEND\r\n"
	itemsReply = "STAT items:1:number 4\r\nSTAT items:1:age 60\r\nSTAT items:01:age 1\r\nSTAT items:x:age 1\r\nSTAT items:9\r\nEND\r\n"
	slabsReply = "STAT 1:chunk_size 96\r\nSTAT 1:cmd_set 2\r\nSTAT 1:cas_hits 1\r\nSTAT 1:cas_badval 0\r\nSTAT 2:chunk_size 120\r\nSTAT active_slabs 2\r\nEND\r\n"
)

// replies are a memcached by the argument of stats.
var replies = map[string]string{"": generalReply, "items": itemsReply, "slabs": slabsReply}

// full returns a source in which everything has happened.
func full() Source {
	m := new(metrics.Metrics)
	m.Reloads.Add(1)
	id := m.Identities.Of("shop")
	id.Requests[0][metrics.OK].Add(3)
	id.Requests[0][metrics.Frozen].Add(2)
	m.Killed.Add(5)
	m.Quarantined.Add(6)
	id.Requests[metrics.GroupMalformed][metrics.Failed].Add(1)
	id.Limits[metrics.LimitTTL].Add(1)
	id.In.Add(100)
	m.Decisions.Of(metrics.Decision{Rule: "own", Effect: "allow"}).Add(3)
	m.Decisions.Of(metrics.Decision{Effect: "default_deny"}).Add(1)
	m.Attempts.Of(metrics.Attempt{Mechanism: "PLAIN", Result: "ok", Secret: "1"}).Add(1)
	l := m.Listeners.Of(metrics.ListenerName{Name: "main", Transport: "tls"})
	l.Open.Add(2)
	l.Opened.Of("ascii").Add(5)
	l.Closed.Of("quit").Add(3)
	l.Shaken.Of("ok").Add(5)
	m.Plaintext.Enter(metrics.Source{Listener: "old", Identity: "shop"}, time.Unix(1e9, 0))
	m.Duration[0].Observe(time.Millisecond, 3)
	m.Overhead.Observe(60*time.Microsecond, 3)
	return Source{
		Metrics: m, Version: "1.0", Revision: "abc", GoVer: "go1.26",
		Now: func() time.Time { return time.Unix(1e9, 0) },
		Config: func() Config {
			return Config{"3f9a", time.Unix(1e9, 0), map[Certificate]time.Time{{"main", "server", "cache-0.example"}: time.Unix(2e9, 5e8), {"main", "ca", "Shop CA"}: time.Unix(3e9, 0)}}
		},
		Upstream:    func() Upstream { return Upstream{Name: "local", Up: true, Open: 5, Idle: 2, Most: 64} },
		Holds:       func() Holds { return Holds{1, 2, 3} },
		DenialsLost: func() int64 { return 4 }, LogDropped: func() int64 { return 0 },
		Stats: func(_ context.Context, argument string) ([]byte, bool) { return []byte(replies[argument]), true },
	}
}

// text is what a scrape of src reads.
func text(t *testing.T, g prometheus.Gatherer) string {
	t.Helper()
	all, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for _, f := range all {
		if _, err := expfmt.MetricFamilyToText(&out, f); err != nil {
			t.Fatal(err)
		}
	}
	return out.String()
}

func TestEverythingIsShown(t *testing.T) {
	got := text(t, New(full()))
	for _, want := range []string{
		`slabgate_build_info{goversion="go1.26",revision="abc",version="1.0"} 1`,
		`slabgate_config_info{digest="3f9a"} 1`,
		`slabgate_config_last_reload_successful 1`,
		`slabgate_config_reloads_total{result="ok"} 1`,
		`slabgate_downstream_connections{listener="main",transport="tls"} 2`,
		`slabgate_downstream_connections_total{dialect="ascii",listener="main",transport="tls"} 5`,
		`slabgate_downstream_connections_closed_total{listener="main",reason="quit",transport="tls"} 3`,
		`slabgate_tls_handshakes_total{listener="main",result="ok",transport="tls"} 5`,
		`slabgate_tls_certificate_not_after_timestamp_seconds{listener="main",name="cache-0.example",usage="server"} 2.0000000005e+09`,
		`slabgate_tls_certificate_not_after_timestamp_seconds{listener="main",name="Shop CA",usage="ca"} 3e+09`,
		`slabgate_plaintext_clients{identity="shop",listener="old"} 1`,
		`slabgate_authentications_total{mechanism="PLAIN",result="ok",secret="1"} 1`,
		`slabgate_requests_total{group="read",identity="shop",result="ok"} 3`,
		`slabgate_requests_total{group="malformed",identity="shop",result="error"} 1`,
		`slabgate_requests_total{group="read",identity="shop",result="frozen"} 2`,
		`slabgate_request_bytes_total{direction="in",identity="shop"} 100`,
		`slabgate_downstream_connections_killed_total 5`,
		`slabgate_downstream_connections_quarantined_total 6`,
		`slabgate_freezes{scope="identity"} 1`,
		`slabgate_freezes{scope="writes"} 2`,
		`slabgate_quarantines 3`,
		`slabgate_request_limits_total{identity="shop",limit="ttl"} 1`,
		`slabgate_policy_decisions_total{effect="allow",rule="own"} 3`,
		`slabgate_policy_decisions_total{effect="default_deny",rule="_none"} 1`,
		`slabgate_request_duration_seconds_count{group="read"} 3`,
		`slabgate_overhead_seconds_bucket{le="5e-05"} 0`,
		`slabgate_overhead_seconds_bucket{le="0.0001"} 3`,
		`slabgate_upstream_connections{state="active",upstream="local"} 3`,
		`slabgate_denial_ring_overwritten_total 4`,
		`process_start_time_seconds`,
		`go_goroutines`,
		`memcached_up 1`,
		`memcached_version{version="1.6.18"} 1`,
		`memcached_uptime_seconds 12`,
		`memcached_process_user_cpu_seconds_total 1.5`,
		`memcached_commands_total{command="set",status="hit"} 4`,
		`memcached_commands_total{command="cas",status="badval"} 3`,
		`memcached_commands_total{command="get",status="miss"} 5`,
		`memcached_slab_current_items{slab="1"} 4`,
		`memcached_slab_chunk_size_bytes{slab="2"} 120`,
		`memcached_slab_commands_total{command="set",slab="1",status="hit"} 1`,
	} {
		if !strings.Contains(got, "\n"+want) {
			t.Errorf("no line %s", want)
		}
	}
	for _, never := range []string{"memcached_current_bytes ", "memcached_current_items ", `slab="01"`, `slab="x"`} {
		if strings.Contains(got, "\n"+never) || strings.Contains(never, "slab") && strings.Contains(got, never) {
			t.Errorf("there is %s, which no number was said of", never)
		}
	}
	if t.Failed() {
		t.Log(got)
	}
}

// TestEveryFamilyIsFed: no row of the tables stays empty once everything has
// happened, and every statistic is of a metric that is in them.
func TestEveryFamilyIsFed(t *testing.T) {
	src := full()
	for argument, known := range statsOf {
		reply := ""
		for stat := range known {
			reply += map[string]string{"": "STAT ", "items": "STAT items:1:", "slabs": "STAT 1:"}[argument] + stat + " 1\r\n"
		}
		replies := src.Stats
		src.Stats = func(ctx context.Context, asked string) ([]byte, bool) {
			if asked == argument {
				return []byte(reply + "STAT version 1.6\r\nEND\r\n"), true
			}
			return replies(ctx, asked)
		}
	}
	got := text(t, New(src))
	shown := map[string]bool{}
	for _, f := range Families() {
		shown[f.Name] = true
		if !strings.Contains(got, "# TYPE "+f.Name+" "+f.Type+"\n") {
			t.Errorf("%s %s is never shown", f.Type, f.Name)
		}
	}
	for argument, known := range statsOf {
		for stat, to := range known {
			if !shown[to.name] {
				t.Errorf("stats %s: %s is %s, which is no metric", argument, stat, to.name)
			}
		}
	}
}

// TestMemcachedThatDoesNotAnswer: that is all that is told of it.
func TestMemcachedThatDoesNotAnswer(t *testing.T) {
	for _, missing := range []string{"", "items", "slabs"} {
		src := full()
		src.Stats = func(_ context.Context, argument string) ([]byte, bool) {
			return []byte(replies[argument]), argument != missing
		}
		got := text(t, New(src))
		if !strings.Contains(got, "\nmemcached_up 0\n") || strings.Count(got, "# TYPE memcached_") != 1 {
			t.Errorf("without an answer to stats %s: %s", missing, got)
		}
	}
}

// TestMemcachedIsAskedOnceASecond: scrapes may come as fast as they like.
func TestMemcachedIsAskedOnceASecond(t *testing.T) {
	src, asked := full(), 0
	answer := src.Stats
	src.Stats = func(ctx context.Context, argument string) ([]byte, bool) {
		asked++
		if _, bounded := ctx.Deadline(); !bounded {
			t.Error("nothing bounds the question")
		}
		return answer(ctx, argument)
	}
	e := newExporter(src)
	for range 5 {
		e.memcached.ask(&src)
	}
	if asked != 3 {
		t.Errorf("asked %d times, want 3", asked)
	}
	e.memcached.at = e.memcached.at.Add(-statsAge)
	e.memcached.ask(&src)
	if asked != 6 {
		t.Errorf("asked %d times a second later, want 6", asked)
	}
}

// TestSlabClassesAreBounded: memcached can't make any number of series.
func TestSlabClassesAreBounded(t *testing.T) {
	reply := strings.Builder{}
	for i := range 10 * maxClasses {
		fmt.Fprintf(&reply, "STAT items:%d:number 1\r\n", i)
	}
	all := said{}
	all.take([]byte(reply.String()), true, statsOf["items"])
	if n := len(all["memcached_slab_current_items"]); n != maxClasses {
		t.Errorf("%d classes, want %d", n, maxClasses)
	}
}

// TestOverflowIsShownAsOther: what finds no room of its own is not lost.
func TestOverflowIsShownAsOther(t *testing.T) {
	src := full()
	for i := range 3000 {
		src.Metrics.Identities.Of(strconv.Itoa(i)).In.Add(1)
		src.Metrics.Decisions.Of(metrics.Decision{Rule: strconv.Itoa(i)}).Add(1)
	}
	got := text(t, New(src))
	for _, want := range []string{`{direction="in",identity="_other"} `, `{effect="_other",rule="_other"} `} {
		if !strings.Contains(got, want) {
			t.Errorf("no series %s", want)
		}
	}
	if n := strings.Count(got, "slabgate_request_bytes_total{"); n > 2*2001 {
		t.Errorf("%d series of bytes", n)
	}
}

// TestRefusedReload: as long as no other is taken, the last reload is one that was
// refused.
func TestRefusedReload(t *testing.T) {
	src := full()
	g := New(src)
	src.Metrics.ReloadsRefused.Add(1)
	if got := text(t, g); !strings.Contains(got, "\nslabgate_config_last_reload_successful 0\n") {
		t.Error("after one that is refused there is no 0")
	}
	src.Metrics.Reloads.Add(1)
	if got := text(t, g); !strings.Contains(got, "\nslabgate_config_last_reload_successful 1\n") {
		t.Error("after one that is taken there is no 1")
	}
}

func TestNamesFollowTheHabits(t *testing.T) {
	all, err := New(full()).Gather()
	if err != nil {
		t.Fatal(err)
	}
	ours := slices.DeleteFunc(all, func(f *dto.MetricFamily) bool {
		return !strings.HasPrefix(f.GetName(), "slabgate_") && !strings.HasPrefix(f.GetName(), "memcached_")
	})
	problems, err := promlint.NewWithMetricFamilies(ours).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// TestPromtoolTakesTheMetrics holds a scrape against Prometheus's own judge.
func TestPromtoolTakesTheMetrics(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not installed: apt-get install prometheus")
	}
	cmd := exec.Command(promtool, "check", "metrics")
	cmd.Stdin = strings.NewReader(text(t, New(full())))
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
}

func TestEachFamilyIsThereOnce(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range Families() {
		if seen[f.Name] || f.Help == "" {
			t.Errorf("%s is there twice, or says nothing of itself", f.Name)
		}
		seen[f.Name] = true
	}
}
