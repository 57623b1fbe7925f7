package status

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slabgate/slabgate/proxy"
)

var noon = time.Date(2027, 1, 2, 12, 0, 0, 0, time.UTC)

func TestRatesAreThoseOfTheLastTenSeconds(t *testing.T) {
	var m Meter
	if got := m.Traffic(); got.Requests != 0 || got.History.Requests == nil {
		t.Errorf("before anything: %+v", got)
	}
	total := proxy.Traffic{}
	for i := range 2 * Samples {
		m.Add(noon.Add(time.Duration(i)*Step), total, time.Duration(i)*time.Millisecond)
		step := int64(100)
		if i >= 2*Samples-6 {
			step = 300 // in the last five seconds
		}
		total.Requests, total.BytesIn, total.BytesOut = total.Requests+step, total.BytesIn+2*step, total.BytesOut+3*step
	}
	got := m.Traffic()
	if got.Requests != 200 || got.BytesIn != 400 || got.BytesOut != 600 || got.Total.Requests != total.Requests-300 {
		t.Errorf("got %v %v %v, %+v", got.Requests, got.BytesIn, got.BytesOut, got.Total)
	}
	h := got.History
	if len(h.Requests) != Samples || len(h.BytesIn) != Samples || len(h.BytesOut) != Samples || len(h.RoundTrip) != Samples {
		t.Fatalf("kept %d samples", len(h.Requests))
	}
	if h.Requests[0] != 100 || h.Requests[Samples-1] != 300 || h.RoundTrip[Samples-1] != 0.599 || !h.Until.Equal(noon.Add((2*Samples-1)*Step)) {
		t.Errorf("got %v ... %v, %v until %s", h.Requests[0], h.Requests[Samples-1], h.RoundTrip[Samples-1], h.Until)
	}
}

// A clock that stands still, or goes back, makes no rates.
func TestRatesNeedTime(t *testing.T) {
	var m Meter
	m.Add(noon, proxy.Traffic{}, 0)
	m.Add(noon, proxy.Traffic{Requests: 5}, 0)
	if got := m.Traffic(); got.Requests != 0 || len(got.History.Requests) != 1 {
		t.Errorf("got %+v", got)
	}
}

func plain(peer, identity string) proxy.ClientInfo {
	return proxy.ClientInfo{Peer: peer, Identity: identity, Transport: "plaintext", Dialect: "ascii"}
}

func TestSightingsAreOfPlaintextOnly(t *testing.T) {
	var s Sightings
	gone := plain("10.0.0.9:1", "batch")
	s.Left(&gone, noon.Add(-2*time.Hour))
	old := plain("10.0.0.8:1", "batch")
	s.Left(&old, noon.Add(-25*time.Hour))
	nobody := plain("[::ffff:10.0.0.7]:1", "")
	s.Left(&nobody, noon.Add(-time.Minute))
	here := []proxy.ClientInfo{
		plain("10.0.0.9:2", "shop"), plain("10.0.0.9:3", "shop"), plain("10.0.0.6:1", ""),
		{Peer: "10.0.0.5:1", Identity: "web", Transport: "tls"}, {Peer: "unix", Identity: "web", Transport: "unix"},
	}
	p, all := s.Plaintext(here, noon)
	var got []string
	for _, c := range p.Clients {
		got = append(got, fmt.Sprint(c.Address, " ", c.Identity, " ", c.Connections, " ", noon.Sub(c.LastSeen)))
	}
	want := []string{"10.0.0.9 shop 2 0s", "10.0.0.7  0 1m0s", "10.0.0.9 batch 0 2h0m0s"}
	if !slices.Equal(got, want) || p.Total != 3 || p.Connections != 3 || len(all) != 3 {
		t.Errorf("got %q, %d of %d\nwant %q", got, p.Connections, p.Total, want)
	}
}

// The list of all since the start is of those that are gone too, with what all their
// connections have asked, and of those of whom nothing is known yet.
func TestSightingsSinceTheStart(t *testing.T) {
	var s Sightings
	for i, c := range []proxy.ClientInfo{
		{Peer: "10.0.0.9:1", Identity: "batch", Transport: "plaintext", Dialect: "meta", Since: noon.Add(-90 * time.Hour), Requests: 5, Denied: 1},
		{Peer: "10.0.0.9:2", Identity: "batch", Transport: "plaintext", Since: noon.Add(-80 * time.Hour), Requests: 6, WouldDeny: 2},
	} {
		s.Left(&c, noon.Add(time.Duration(i-70)*time.Hour))
	}
	here := []proxy.ClientInfo{
		{Peer: "10.0.0.6:1", Transport: "plaintext", Since: noon},
		{Peer: "10.0.0.7:1", Identity: "shop", Transport: "plaintext", Dialect: "ascii", Since: noon.Add(-time.Hour), Requests: 7, Denied: 3},
		{Peer: "10.0.0.7:2", Identity: "shop", Transport: "plaintext", Dialect: "ascii", Since: noon.Add(-time.Minute), Requests: 1},
		{Peer: "10.0.0.5:1", Identity: "web", Transport: "tls"},
	}
	want := []Plain{
		{"10.0.0.7", "shop", "ascii", 2, 8, 3, noon.Add(-time.Hour), noon},
		{"10.0.0.6", "", "", 1, 0, 0, noon, noon},
		{"10.0.0.9", "batch", "meta", 0, 11, 3, noon.Add(-90 * time.Hour), noon.Add(-69 * time.Hour)},
	}
	for range 2 { // to look changes no figure
		got := s.Since(noon.Add(-100*time.Hour), here, noon)
		if !slices.Equal(got.Clients, want) || got.Forgotten != 0 || !got.Since.Equal(noon.Add(-100*time.Hour)) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	if got := new(Sightings).Since(noon, nil, noon); got.Clients == nil {
		t.Error("an empty list is null")
	}
}

// Strangers push out strangers, and not clients.
func TestSightingsAreBounded(t *testing.T) {
	var s Sightings
	client := plain("10.0.0.1:1", "web")
	s.Left(&client, noon.Add(-time.Hour))
	for i := range mostSeen + 10 {
		c := plain(fmt.Sprintf("10.1.%d.%d:1", i/256, i%256), "")
		s.Left(&c, noon.Add(time.Duration(i)))
	}
	p, all := s.Plaintext(nil, noon.Add(time.Minute))
	if p.Total != mostSeen || p.Forgotten != 11 || len(p.Clients) != MostPlaintext || all[mostSeen-1].Identity != "web" {
		t.Errorf("got %d, %d forgotten, %d shown, the last %+v", p.Total, p.Forgotten, len(p.Clients), all[len(all)-1])
	}
}

func TestEnforce(t *testing.T) {
	list := []Plain{
		{Address: "a", Identity: "web", LastSeen: noon}, {Address: "b", Identity: "web", LastSeen: noon},
		{Address: "c", Identity: "gone", LastSeen: noon.Add(-61 * time.Minute)}, {Address: "d", LastSeen: noon},
	}
	web, trial := DenialGroup{Identity: "web", Count: 2}, DenialGroup{Identity: "trial", Count: 1}
	e := Enforce(list, Unenforced{Latest: []DenialGroup{web, trial}, Learning: []string{"new", "new"}}, noon)
	want := Enforcement{Total: 4, Plaintext: []string{"web"}, WouldDeny: []string{"trial", "web"}, Learning: []string{"new"}, Latest: []DenialGroup{trial, web}}
	if got, want := fmt.Sprint(e), fmt.Sprint(want); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if e := Enforce(list[2:], Unenforced{}, noon); !e.Safe || e.Total != 0 || e.Latest == nil {
		t.Errorf("got %+v, want nothing to break", e)
	}
	if e := Enforce(nil, Unenforced{Untold: 1}, noon); e.Safe || e.Total != 0 {
		t.Errorf("got %+v, want that it is not known", e)
	}
}

func TestSummarise(t *testing.T) {
	c := Summarise([]proxy.ClientInfo{
		{Identity: "web", Transport: "tls", Since: noon, Requests: 1, Denied: 2, WouldDeny: 3, Limited: 4, BytesIn: 5, BytesOut: 6},
		{Identity: "shop", Transport: "unix", Since: noon},
		{Identity: "web", Transport: "tls", Since: noon.Add(-time.Hour), Requests: 10, Denied: 20, WouldDeny: 30, Limited: 40, BytesIn: 50, BytesOut: 60},
	})
	want := []Group{
		{Identity: "web", Transport: "tls", Connections: 2, Requests: 11, Denied: 22, WouldDeny: 33, Limited: 44, BytesIn: 55, BytesOut: 66, Oldest: noon.Add(-time.Hour)},
		{Identity: "shop", Transport: "unix", Connections: 1, Oldest: noon},
	}
	if c.Total != 3 || c.Transports["tls"] != 2 || c.Transports["unix"] != 1 || !slices.Equal(c.Groups, want) {
		t.Errorf("got %+v", c)
	}
}

// TestDocumentIsStable: other systems read these names. Whoever changes one has
// to change the schema with it.
func TestDocumentIsStable(t *testing.T) {
	want, err := os.ReadFile("testdata/document.json")
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.MarshalIndent(example(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if os.Getenv("UPDATE") == "1" {
		if err := os.WriteFile("testdata/document.json", append(got, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if strings.TrimSpace(string(want)) != string(got) {
		t.Errorf("testdata/document.json differs; UPDATE=1 writes it anew. got\n%s", got)
	}
	if strings.Contains(string(got), "null") {
		t.Errorf("a list is null in %s", got)
	}
}
