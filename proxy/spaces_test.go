package proxy

import (
	"context"
	"errors"
	"testing"

	"go.uber.org/zap"

	"github.com/slabgate/slabgate/internal/generations"
	"github.com/slabgate/slabgate/policy"
	"github.com/slabgate/slabgate/protocol"
)

// shop is a policy of one identity with a namespace, which may do everything in it.
func shop(limits policy.LimitsDoc) *policy.Document {
	d := app(rule("@rw me", "*"))
	id := d.Identities["app"]
	id.Namespace, id.Flush, id.Limits = ref("t/{identity}/"), "scoped", limits
	d.Identities["app"] = id
	return d
}

// nobodyThere is a memcached that is down.
type nobodyThere struct{}

func (nobodyThere) Ask(context.Context, *protocol.Command) (protocol.Reply, []byte, error) {
	return protocol.Reply{Status: protocol.StatusDown}, nil, errors.New("it is down")
}

// loneSpaces are namespaces that are told to nobody.
func loneSpaces(t testing.TB) *generations.Store {
	t.Helper()
	s, err := generations.Open(generations.Config{}, nobodyThere{}, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// inSpace gives the exchange of a driver the namespace of its identity.
func (d *driver) inSpace(s *generations.Store, root string) *driver {
	d.spaces = s
	d.x.space = space{root: root, live: s.Use(context.Background(), root)}
	return d
}

// flushNamespace is session.flushNamespace for one that is due at once.
func (d *driver) flushNamespace(req *protocol.Request) {
	d.spaces.Flush(context.Background(), d.x.space.root)
	if !req.NoReply {
		d.x.out = req.AppendAlone(d.x.out, []byte("OK\r\n"))
	}
}

// prefix is what the keys of a driver's client begin with upstream.
func (d *driver) prefix() string {
	if d.x.space.live == nil {
		return ""
	}
	return string(d.x.space.live.Prefix())
}
