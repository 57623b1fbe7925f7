package main

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/doctor"
	"github.com/slabgate/slabgate/internal/testkit"
)

// openMemcached is the address of a memcached that anybody may ask, with one key.
func openMemcached(t *testing.T) string {
	t.Helper()
	mc := testkit.MemcachedConfig{TCP: true}.Start(t)
	conn := mc.Dial(t)
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	fmt.Fprint(conn, "set canarykey:4417 0 0 16\r\ncanaryvalue-8826\r\n")
	if _, err := io.ReadFull(conn, make([]byte, len("STORED\r\n"))); err != nil {
		t.Fatal(err)
	}
	return mc.Addr()
}

// wantNoCanary fails the test if a probe shows the key or the value.
func (o outcome) wantNoCanary(t *testing.T) {
	t.Helper()
	for _, canary := range []string{"canarykey", "4417", "canaryvalue", "8826"} {
		if strings.Contains(o.out+o.err, canary) {
			t.Errorf("it shows %q:\n%s%s", canary, o.out, o.err)
		}
	}
}

func TestProbeShowsWhatAStrangerSees(t *testing.T) {
	testkit.VerifyNoLeaks(t)
	addr := openMemcached(t)
	o := slabgate(t, "probe", "--rate", "1000", addr)
	o.want(t, exitFindings, "asked from 127.0.0.1, judged as untrusted", addr+"  open; plaintext: VERSION ", "[CRIT] PRB-02",
		"a:9 (1)", "it says it has 1 item", "not tested  PRB-07", "a stranger learned the names of keys: 1, and values: 1")
	o.wantNoCanary(t)
}

func TestProbeHasTheFormatsOfDoctor(t *testing.T) {
	testkit.VerifyNoLeaks(t)
	addr := openMemcached(t)
	for format, read := range map[string]func(*testing.T, string){
		"json": func(t *testing.T, out string) {
			var all doctor.Report
			if from, err := all.Merge([]byte(out)); err != nil || from != "semi" || !all.Worst(doctor.Critical) {
				t.Errorf("doctor takes it as %q, %v, %+v", from, err, all.Counts)
			}
		},
		"junit": func(t *testing.T, out string) {
			var v struct {
				Failures int `xml:"failures,attr"`
			}
			if err := xml.Unmarshal([]byte(out), &v); err != nil || v.Failures < 3 {
				t.Errorf("%d failures, %v", v.Failures, err)
			}
		},
		"sarif": func(t *testing.T, out string) {
			var v struct {
				Version string
				Runs    []struct{ Results []struct{ RuleID string } }
			}
			if err := json.Unmarshal([]byte(out), &v); err != nil || v.Version != "2.1.0" || len(v.Runs) != 1 || len(v.Runs[0].Results) < 3 {
				t.Errorf("%+v, %v", v, err)
			}
		},
	} {
		t.Run(format, func(t *testing.T) {
			o := slabgate(t, "probe", "-o", format, "--from", "semi", "--rate", "1000", addr)
			o.want(t, exitFindings, "asked from 127.0.0.1")
			o.wantNoCanary(t)
			read(t, o.out)
		})
	}
}

func TestProbeExitCodes(t *testing.T) {
	testkit.VerifyNoLeaks(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := ln.Addr().String()
	ln.Close()
	for _, tc := range []struct {
		args string
		code int
		text string
	}{
		{"", exitUsage, "requires at least 1 arg"},
		{"--from outside 127.0.0.1:1", exitUsage, `--from "outside" is not known`},
		{"--depth all 127.0.0.1:1", exitUsage, `--depth "all" is not known`},
		{"--fail-on all 127.0.0.1:1", exitUsage, `--fail-on "all" is not known`},
		{"--rate 0 127.0.0.1:1", exitUsage, "--rate 0"},
		{"--ports x 127.0.0.1", exitUsage, `--ports: "x" is not a port`},
		{"-o yaml 127.0.0.1:1", exitUsage, `-o "yaml" is not known`},
		{"10.0.0.0/27", exitUsage, "--i-am-authorised"},
		{"10.0.0.0/8 --i-am-authorised", exitUsage, "no list of targets"},
		{closed, exitOK, "1 more closed or silent"},
		{closed + " --from untrusted", exitOK, "no name of a key and no value came back"},
		{closed + " --from semi", exitUnseen, "slabgate at least has to answer"},
		{"unix:/nonexistent/socket", exitUnseen, "unix:/nonexistent/socket  unreachable: no such file"},
		{"--fail-on info " + closed, exitOK, "findings: 0 critical"},
		{"--ports " + closed[strings.LastIndex(closed, ":")+1:] + " 127.0.0.1", exitOK, "1 more closed or silent"},
	} {
		slabgate(t, append([]string{"probe"}, strings.Fields(tc.args)...)...).want(t, tc.code, tc.text)
	}
}

func TestProbeFailsOnWhatItIsTold(t *testing.T) {
	testkit.VerifyNoLeaks(t)
	addr := openMemcached(t)
	slabgate(t, "probe", "--depth", "banner", "--rate", "1000", "--from", "trusted", "--fail-on", "critical", addr).want(t, exitOK, "[HIGH] PRB-03")
	slabgate(t, "probe", "--depth", "banner", "--rate", "1000", "--from", "trusted", addr).want(t, exitFindings, "[HIGH] PRB-03")
}
