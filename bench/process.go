package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ticksPerSecond is the unit of CPU time in /proc, the same on every Linux that Go
// runs on.
const ticksPerSecond = 100

// stopGrace is how long a daemon may take to end before it is killed.
const stopGrace = 3 * time.Second

// process is a daemon that bench started, with whatever it forked: they are one
// process group.
type process struct {
	cmd *exec.Cmd
	log string // file of what it prints
}

// startProcess starts argv in its folder. The daemon dies with bench.
func startProcess(dir string, argv []string) (*process, error) {
	p := &process{cmd: exec.Command(argv[0], argv[1:]...), log: filepath.Join(dir, "log")}
	out, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, out, out
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	return p, p.cmd.Start()
}

// stop ends the daemon and what it left behind.
func (p *process) stop() {
	group := p.cmd.Process.Pid
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	kill := time.AfterFunc(stopGrace, func() { _ = syscall.Kill(-group, syscall.SIGKILL) })
	_ = p.cmd.Wait()
	kill.Stop()
	_ = syscall.Kill(-group, syscall.SIGKILL) // workers that outlived their master
}

// lastWords is the end of what the daemon printed, for an error message.
func (p *process) lastWords() string {
	text, _ := os.ReadFile(p.log)
	text = bytes.TrimSpace(text)
	return string(text[max(0, len(text)-300):])
}

// usage is what a process group has used since it started.
type usage struct {
	cpu time.Duration // user and system
	rss int           // KiB now
}

// usage adds up the group. CPU time of children that have ended is in their
// parent's.
func (p *process) usage() (usage, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return usage{}, err
	}
	var sum usage
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended meanwhile
		}
		if u, group := parseStat(string(text)); group == p.cmd.Process.Pid {
			sum.cpu += u.cpu
			sum.rss += u.rss
		}
	}
	if sum.rss == 0 {
		return sum, fmt.Errorf("bench: %s has ended: %s", p.cmd.Path, p.lastWords())
	}
	return sum, nil
}

// Places of /proc/PID/stat, counted after the name of the program.
const (
	statGroup = 2
	statUtime = 11
	statRSS   = 21
)

// parseStat reads one /proc/PID/stat and returns its process group too.
func parseStat(text string) (usage, int) {
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	if len(fields) <= statRSS {
		return usage{}, 0
	}
	number := func(i int) int { n, _ := strconv.Atoi(fields[i]); return n }
	ticks := 0
	for i := range 4 { // utime, stime, and the same of ended children
		ticks += number(statUtime + i)
	}
	return usage{
		cpu: time.Duration(ticks) * time.Second / ticksPerSecond,
		rss: number(statRSS) * os.Getpagesize() >> 10,
	}, number(statGroup)
}
