package protocol

import "testing"

func connRows() []parserRow {
	return []parserRow{
		{in: "version\r\n", want: "version"},
		{in: "version noreply\r\n", want: "version"},
		{in: "version a b c\r\n", want: "version"},
		{in: "version\n", want: "version"},
		{in: "mn\r\n", want: "mn"},
		{in: "mn\n", want: "mn"},
		{in: "mn x\r\n", want: "mn"},
		{in: "quit\r\n", want: "quit"},
		{in: "quit noreply\r\n", want: "quit"},
		{in: "quits\r\n", want: unknown},
		{in: "Version\r\n", want: unknown},
	}
}

func flushRows() []parserRow {
	return []parserRow{
		{in: "flush_all\r\n", want: "flush_all"},
		{in: "flush_all noreply\r\n", want: "flush_all noreply"},
		{in: "flush_all 0\r\n", want: "flush_all"},
		{in: "flush_all 0 noreply\r\n", want: "flush_all noreply"},
		{in: "flush_all 10\r\n", want: "flush_all 10"},
		{in: "flush_all 010\r\n", want: "flush_all 10"},
		{in: "flush_all 10 noreply\r\n", want: "flush_all 10 noreply"},
		{in: "flush_all -5\r\n", want: "flush_all -5"},
		{in: "flush_all -0\r\n", want: "flush_all"},
		{in: "flush_all +1\r\n", want: badExptime},
		{in: "flush_all x\r\n", want: badExptime},
		{in: "flush_all x noreply\r\n", want: silent},
		{in: "flush_all 2147483648\r\n", want: badExptime},
		{in: "flush_all 1 2\r\n", want: badFormat},
		{in: "flush_all 1 2 3\r\n", want: badFormat},
		{in: "flush_all 1 2 noreply\r\n", want: badFormat},
		{in: "flush_all noreply noreply\r\n", want: silent},
		{in: "flush_all noreply 1\r\n", want: badFormat},
		{in: "flush_all 1\t\r\n", want: badFormat},
		{in: "flush\r\n", want: unknown},
	}
}

// statsRows: only whole words of known arguments are served.
func statsRows() []parserRow {
	return []parserRow{
		{in: "stats\r\n", want: "stats"},
		{in: "stats \r\n", want: "stats"},
		{in: "stats items\r\n", want: "stats items"},
		{in: "stats  slabs\r\n", want: "stats slabs"},
		{in: "stats sizes\r\n", want: "stats sizes"},
		{in: "stats settings\r\n", want: "stats settings"},
		{in: "stats extstore\r\n", want: "stats extstore"},
		{in: "stats conns\r\n", want: "stats conns"},
		{in: "stats reset\r\n", want: "stats reset"},
		{in: "stats r\r\n", want: unknown},
		{in: "stats rese\r\n", want: unknown},
		{in: "stats resets\r\n", want: unknown},
		{in: "stats s\r\n", want: unknown},
		{in: "stats item\r\n", want: unknown},
		{in: "stats Items\r\n", want: unknown},
		{in: "stats items x\r\n", want: unknown},
		{in: "stats items items\r\n", want: unknown},
		{in: "stats noreply\r\n", want: unknown},
		{in: "stats items noreply\r\n", want: unknown},
		{in: "stats sizes_enable\r\n", want: unknown},
		{in: "stats sizes_disable\r\n", want: unknown},
		{in: "stats proxy\r\n", want: unknown},
		{in: "stats foo\r\n", want: unknown},
		{in: "stats items\x00\r\n", want: badFormat},
		{in: "stats cachedump 1 0\r\n", want: notServed},
		{in: "stats cachedump 1 100\r\n", want: notServed},
		{in: "stats cachedump\r\n", want: unknown},
		{in: "stats cachedump 1\r\n", want: unknown},
		{in: "stats cachedump 1 0 2\r\n", want: unknown},
		{in: "stats cachedump -1 0\r\n", want: unknown},
		{in: "stats ca 1 1\r\n", want: unknown},
		{in: "stats detail dump\r\n", want: notServed},
		{in: "stats detail on\r\n", want: notServed},
		{in: "stats detail off\r\n", want: notServed},
		{in: "stats detail\r\n", want: unknown},
		{in: "stats detail d\r\n", want: unknown},
		{in: "stats detail on|off\r\n", want: unknown},
	}
}

func settingsRows() []parserRow {
	return []parserRow{
		{in: "verbosity 1\r\n", want: "verbosity 1"},
		{in: "verbosity 01\r\n", want: "verbosity 1"},
		{in: "verbosity 1 noreply\r\n", want: "verbosity 1 noreply"},
		{in: "verbosity\r\n", want: unknown},
		{in: "verbosity noreply\r\n", want: silent},
		{in: "verbosity 1 2\r\n", want: unknown},
		{in: "verbosity -1\r\n", want: unknown},
		{in: "verbosity #\r\n", want: unknown},
		{in: "verbosity 4294967295\r\n", want: "verbosity 4294967295"},
		{in: "verbosity 4294967296\r\n", want: unknown},
		{in: "cache_memlimit 64\r\n", want: "cache_memlimit 64"},
		{in: "cache_memlimit 64 noreply\r\n", want: "cache_memlimit 64 noreply"},
		{in: "cache_memlimit x noreply\r\n", want: silent},
		{in: "cache_memlimit\r\n", want: unknown},

		{in: "slabs reassign 1 2\r\n", want: "slabs reassign 1 2"},
		{in: "slabs reassign -1 2\r\n", want: "slabs reassign -1 2"},
		{in: "slabs reassign 1 -2\r\n", want: unknown},
		{in: "slabs reassign 1\r\n", want: unknown},
		{in: "slabs automove 0\r\n", want: "slabs automove 0"},
		{in: "slabs automove 1 noreply\r\n", want: "slabs automove 1 noreply"},
		{in: "slabs automove window 30\r\n", want: "slabs automove window 30"},
		{in: "slabs automove ratio 0.8\r\n", want: "slabs automove ratio 0.8"},
		{in: "slabs automove freeratio 00.80\r\n", want: "slabs automove freeratio 0.80"},
		{in: "slabs automove ratio .8\r\n", want: unknown},
		{in: "slabs automove ratio 8.\r\n", want: unknown},
		{in: "slabs automove ratio .\r\n", want: unknown},
		{in: "slabs automove ratio 0.8.1\r\n", want: unknown},
		{in: "slabs automove ratio -0.8\r\n", want: unknown},
		{in: "slabs automove ratio 0.123456789\r\n", want: "slabs automove ratio 0.123456789"},
		{in: "slabs automove ratio 0.0123456789\r\n", want: unknown},
		{in: "slabs automove ratio 1e3\r\n", want: unknown},
		{in: "slabs automove rat 0.8\r\n", want: unknown},
		{in: "slabs a 1\r\n", want: unknown},
		{in: "slabs\r\n", want: unknown},

		{in: "lru mode flat\r\n", want: "lru mode flat"},
		{in: "lru mode segmented\r\n", want: "lru mode segmented"},
		{in: "lru mode\r\n", want: unknown},
		{in: "lru mode x\r\n", want: unknown},
		{in: "lru m f\r\n", want: unknown},
		{in: "lru tune 10 25 0.1 2.0\r\n", want: "lru tune 10 25 0.1 2.0"},
		{in: "lru tune 10 25 0.1\r\n", want: unknown},
		{in: "lru temp_ttl -1\r\n", want: "lru temp_ttl -1"},
		{in: "lru temp_ttl 60\r\n", want: "lru temp_ttl 60"},
		{in: "lru temp_ttl\r\n", want: unknown},

		{in: "lru_crawler enable\r\n", want: "lru_crawler enable"},
		{in: "lru_crawler disable\r\n", want: "lru_crawler disable"},
		{in: "lru_crawler e\r\n", want: unknown},
		{in: "lru_crawler sleep 100\r\n", want: "lru_crawler sleep 100"},
		{in: "lru_crawler tocrawl 5\r\n", want: "lru_crawler tocrawl 5"},
		{in: "lru_crawler crawl all\r\n", want: "lru_crawler crawl all"},
		{in: "lru_crawler crawl 1,2,03\r\n", want: "lru_crawler crawl 1,2,3"},
		{in: "lru_crawler crawl 1\r\n", want: "lru_crawler crawl 1"},
		{in: "lru_crawler crawl ,\r\n", want: unknown},
		{in: "lru_crawler crawl 1,\r\n", want: unknown},
		{in: "lru_crawler crawl 1,,2\r\n", want: unknown},
		{in: "lru_crawler crawl al\r\n", want: unknown},
		{in: "lru_crawler crawl all,1\r\n", want: unknown},
		{in: "lru_crawler\r\n", want: unknown},

		{in: "extstore item_age 5\r\n", want: "extstore item_age 5"},
		{in: "extstore free_memchunks 5\r\n", want: "extstore free_memchunks 5"},
		{in: "extstore max_frag 0.9\r\n", want: "extstore max_frag 0.9"},
		{in: "extstore item_ag 5\r\n", want: unknown},
		{in: "extstore item_age x\r\n", want: unknown},
		{in: "extstore\r\n", want: unknown},
	}
}

func refusedRows() []parserRow {
	return []parserRow{
		{in: "lru_crawler metadump all\r\n", want: notServed},
		{in: "lru_crawler metadump 1,2\r\n", want: notServed},
		{in: "lru_crawler mgdump all\r\n", want: notServed},
		{in: "lru_crawler m all\r\n", want: unknown},
		{in: "lru_crawler metadump hash\r\n", want: unknown},
		{in: "watch\r\n", want: notServed},
		{in: "watch fetchers mutations\r\n", want: notServed},
		{in: "watch noreply\r\n", want: silent},
		{in: "shutdown\r\n", want: notServed},
		{in: "shutdown graceful\r\n", want: notServed},
		{in: "shutdown noreply\r\n", want: silent},
		{in: "refresh_certs\r\n", want: notServed},
		{in: "refresh_certs noreply\r\n", want: silent},
		{in: "misbehave\r\n", want: notServed},
		{in: "debugtime p\r\n", want: notServed},
		{in: "debugitem lock a\r\n", want: notServed},
		{in: "bget a\r\n", want: notServed},
		{in: "bget a noreply\r\n", want: notServed},
		{in: "shutdown\x00\r\n", want: unknown},
		{in: "watch \x00\r\n", want: badFormat},
	}
}

func TestParserReadsConnCommands(t *testing.T) { testRows(t, connRows()) }
func TestParserReadsFlush(t *testing.T)        { testRows(t, flushRows()) }
func TestParserReadsStats(t *testing.T)        { testRows(t, statsRows()) }
func TestParserReadsSettings(t *testing.T)     { testRows(t, settingsRows()) }
func TestParserRefusesByName(t *testing.T)     { testRows(t, refusedRows()) }

// TestAppendAloneIsWhatWasParsed holds that a command about no key goes
// upstream as its canonical text.
func TestAppendAloneIsWhatWasParsed(t *testing.T) {
	for _, row := range append(append(statsRows(), settingsRows()...), flushRows()...) {
		tr := &transcript{}
		tr.visit = func(r *Request) {
			want := describe(&Request{Form: Form{Verb: r.Verb}, Args: r.Args}) + "\r\n"
			if got := string(AppendAlone(nil, r)); got != want || r.Verb.Route != RouteKeyless {
				t.Errorf("%q: composed as %q on route %d, want %q", row.in, got, r.Verb.Route, want)
			}
		}
		tr.arrive(row.in)
	}
}
