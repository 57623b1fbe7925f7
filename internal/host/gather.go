package host

import (
	"context"
	"errors"
	"io/fs"
	"time"
)

// patience bounds a whole examination.
const patience = 2 * time.Second

// Options say what to gather.
type Options struct {
	Memcached string   // auto or empty for all that are found, an address, or a process id
	Subject   *Subject // slabgate's configuration; nil without one, or for that of a tree
	Startup   bool     // only what every start looks at
	Active    bool     // more is allowed than to look
}

// gathering is one examination.
type gathering struct {
	source  Source
	options Options
	facts   *Facts
	base    string         // /proc/812, the folder of the process that looks
	holders map[uint64]int // inode of a socket to the process that holds it
	hidden  int            // processes whose open files may not be seen
}

// step is a part of an examination. The later ones need what the earlier found.
type step struct {
	what  string
	start bool // every start needs it
	run   func(*gathering, context.Context)
}

var steps = []step{
	{"the configuration in the tree", true, (*gathering).gatherSubject},
	{"processes", true, (*gathering).gatherProcesses},
	{"sockets", true, (*gathering).gatherSockets},
	{"addresses", true, (*gathering).gatherAddresses},
	{"the surroundings", true, (*gathering).gatherPlace},
	{"files", true, (*gathering).gatherFiles},
	{"memcached", true, (*gathering).gatherMemcached},
	{"trials", false, (*gathering).gatherTrials},
	{"settings of the kernel", true, (*gathering).gatherSettings},
	{"the firewall", false, (*gathering).gatherFirewall}, // it takes other programs, which the daemon does not start
	{"accounts", false, (*gathering).gatherAccounts},
	{"the clock", false, (*gathering).gatherClock},
	{"slabgate's unit", false, (*gathering).gatherUnit},
}

// Gather looks at a source and tells what it saw, within two seconds. What it did
// not see, for whatever reason, is in Unseen.
func Gather(ctx context.Context, source Source, options Options) *Facts {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	g := &gathering{source: source, options: options, holders: map[uint64]int{}, facts: &Facts{
		Time: source.Now().UTC().Round(0), Live: source.Live(), Active: options.Active, Subject: options.Subject, Settings: map[string]string{},
	}}
	for _, s := range steps {
		switch {
		case options.Startup && !s.start:
		case ctx.Err() != nil:
			g.unseen(s.what, errLate)
		default:
			s.run(g, ctx)
		}
	}
	return g.facts
}

var errLate = errors.New("there was no time left")

// subjectKeeper is a source that has a configuration of slabgate, or keeps one.
type subjectKeeper interface {
	subject() (*Subject, error)
}

func (g *gathering) gatherSubject(context.Context) {
	if keeper, ok := g.source.(interface{ keepSubject(*Subject) }); ok {
		keeper.keepSubject(g.options.Subject)
	}
	keeper, ok := g.source.(subjectKeeper)
	if !ok || g.facts.Subject != nil {
		return
	}
	var err error
	if g.facts.Subject, err = keeper.subject(); err != nil {
		g.facts.Subject = nil
		g.unseen(subjectFile, err)
	}
}

// unseen notes that something could not be looked at.
func (g *gathering) unseen(what string, err error) {
	g.facts.Unseen = append(g.facts.Unseen, Unseen{what, whyNot(err)})
}

// whyNot is an error in the words of a report.
func whyNot(err error) string {
	var path *fs.PathError
	switch {
	case err == nil:
		return ""
	case errors.Is(err, fs.ErrPermission):
		return "needs root"
	case errors.Is(err, fs.ErrNotExist):
		return "no such file"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return errLate.Error()
	case errors.As(err, &path):
		return path.Err.Error()
	}
	return err.Error()
}

// read is the text of a file, or empty with a note if it may not be seen.
func (g *gathering) read(name string) string {
	data, err := g.source.ReadFile(name)
	if err != nil {
		g.unseen(name, err)
		return ""
	}
	if len(data) >= MostBytes {
		g.unseen(name, errors.New("only its first 4 MiB were read"))
	}
	return string(data)
}

// optional is the text of a file that need not be there.
func (g *gathering) optional(name string) (string, bool) {
	data, err := g.source.ReadFile(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		g.unseen(name, err)
	}
	return string(data), err == nil
}
