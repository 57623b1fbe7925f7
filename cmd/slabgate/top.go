package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/slabgate/slabgate/internal/admin"
)

// topCommand is `slabgate top`.
type topCommand struct {
	adminFlags
	rows int
	sort string
	once bool
}

func newTop(io stdio) *cobra.Command {
	var c topCommand
	cmd := &cobra.Command{
		Use:   "top",
		Short: "Live view of clients, sorted by plaintext, denials, ops, bytes or p99.",
		Long: `Live view of clients, sorted by plaintext, denials, ops, bytes or p99.

Keys: p d o b l c sort, / filters (Enter ends it, Escape clears it), q quits.
Without a terminal, or with --once, it is one screen.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.run(cmd.Context(), io) },
	}
	c.bind(cmd)
	cmd.Flags().IntVarP(&c.rows, "rows", "n", 10, "rows of each list")
	cmd.Flags().StringVar(&c.sort, "sort", "ops", "plaintext, denied, ops, bytes, p99 or conns")
	cmd.Flags().BoolVar(&c.once, "once", false, "one screen, with the rates of one second")
	return cmd
}

// topEvery is the time between two screens.
const topEvery = time.Second

func (c *topCommand) run(ctx context.Context, io stdio) error {
	if groupOrders[c.sort] == nil {
		return fail(exitUsage, "--sort %q is not known; want %s", c.sort, strings.Join(slices.Sorted(maps.Keys(groupOrders)), ", "))
	}
	if c.rows < 1 {
		return fail(exitUsage, "-n %d is too few rows", c.rows)
	}
	client, err := c.client(io)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop() // what ends the command must not leave the terminal as it is
	s := &screen{order: c.sort, rows: c.rows}
	if t := terminalOf(io); t != nil && !c.once {
		return c.failed(c.live(ctx, client, s, t))
	}
	return c.failed(c.print(ctx, client, s, io))
}

// print writes one screen with the rates of a second.
func (c *topCommand) print(ctx context.Context, client *admin.Client, s *screen, io stdio) (err error) {
	if s.before, err = client.Status(ctx); err != nil {
		return err
	}
	select {
	case <-time.After(topEvery):
	case <-ctx.Done():
		return nil
	}
	if s.doc, err = client.Status(ctx); err != nil {
		return err
	}
	for _, line := range s.lines() {
		fmt.Fprintln(io.out, line)
	}
	return nil
}

// live shows one screen after the other until a key or ctx ends it.
func (c *topCommand) live(ctx context.Context, client *admin.Client, s *screen, t *terminal) (err error) {
	if err := t.raw(); err != nil {
		return err
	}
	defer t.restore()
	k := keys{screen: s}
	for ctx.Err() == nil && !k.quit {
		doc, err := client.Status(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		s.before, s.doc = s.doc, doc
		for next := time.Now().Add(topEvery); ctx.Err() == nil && !k.quit; {
			t.show(append(s.lines(), "", k.help()))
			pressed, err := t.read(ctx, time.Until(next))
			if err != nil {
				return err
			}
			if len(pressed) == 0 {
				break
			}
			k.press(pressed)
		}
	}
	return nil
}

// keys are what the person at the terminal has pressed.
type keys struct {
	*screen
	typing bool // a filter
	quit   bool
}

// orderKeys are the keys that sort.
var orderKeys = map[byte]string{'p': "plaintext", 'd': "denied", 'o': "ops", 'b': "bytes", 'c': "conns", 'l': "p99"}

// otherKeys are what arrows and their like send: none of ours.
var otherKeys = regexp.MustCompile("\x1b(\\[[0-?]*[ -/]*[@-~]|O.)")

// Keys that are no letters.
const (
	keyInterrupt = 0x03
	keyBack      = 0x08
	keyEscape    = 0x1b
	keyDelete    = 0x7f
)

func (k *keys) press(pressed []byte) {
	for _, b := range otherKeys.ReplaceAll(pressed, nil) {
		switch {
		case b == keyInterrupt:
			k.quit = true
		case k.typing:
			k.typed(b)
		case b == 'q':
			k.quit = true
		case b == '/':
			k.typing, k.filter = true, ""
		case b == keyEscape:
			k.filter = ""
		case orderKeys[b] != "":
			k.order = orderKeys[b]
		}
	}
}

// typed takes one key of a filter.
func (k *keys) typed(b byte) {
	const most = 32
	switch {
	case b == '\r' || b == '\n':
		k.typing = false
	case b == keyEscape:
		k.typing, k.filter = false, ""
	case b == keyBack || b == keyDelete:
		k.filter = k.filter[:max(0, len(k.filter)-1)]
	case b >= ' ' && b < keyDelete && len(k.filter) < most:
		k.filter += string(rune(b))
	}
}

// help is the last line of the screen.
func (k *keys) help() string {
	switch {
	case k.typing:
		return "filter: " + k.filter + "_"
	case k.filter != "":
		return "by " + k.order + ", with " + k.filter + "   Esc clears   q quit"
	}
	return "by " + k.order + "  keys: p plain d denied o ops b bytes l p99 c conns / filter q quit"
}
