package main

import (
	"bufio"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/slabgate/slabgate/auth"
)

// password is where a command takes a password from, a terminal, standard input
// or a file, and how it stores it. Never an argument or the environment, which
// others can read.
type password struct {
	file       string
	iterations int
	hashes     []string
	cmd        *cobra.Command
}

func (p *password) bind(c *cobra.Command) {
	p.cmd = c
	c.Flags().StringVar(&p.file, "password-file", "", "read the password from the first line of this file")
	c.Flags().IntVar(&p.iterations, "iterations", auth.DefaultIterations, "work of one guess, 4096 to 600000")
	c.Flags().StringSliceVar(&p.hashes, "scram", []string{string(auth.SHA256)},
		"hashes for logins by SCRAM: SHA-256, which there always is, SHA-512, SHA-1")
}

// told reports whether a flag was given.
func (p *password) told(flag string) bool { return p.cmd.Flags().Changed(flag) }

// recipe is how the flags say to store a password.
func (p *password) recipe() (auth.Recipe, error) {
	r := auth.Recipe{Iterations: p.iterations, Rand: rand.Reader}
	for _, name := range p.hashes {
		h, err := auth.ParseHash(name)
		if err != nil {
			return r, fail(exitUsage, "%v", err)
		}
		r.Hashes = append(r.Hashes, h)
	}
	return r, nil
}

// recipeAfter is the recipe of a password that takes over from old, and stands
// beside it if keep says so. What no flag says stays as it is: the hashes, and
// beside old its salt and iterations, without which SCRAM takes only one of the
// two passwords.
func (p *password) recipeAfter(old *auth.StoredSecret, keep bool) (auth.Recipe, error) {
	r, err := p.recipe()
	if err != nil || old == nil {
		return r, err
	}
	if !p.told("scram") {
		r.Hashes = old.Hashes()
	}
	if !keep {
		return r, nil
	}
	r.Like = old
	if !p.told("iterations") {
		r.Iterations = old.Record.Iterations()
	}
	return r, nil
}

// store asks for a password and stores it by a recipe.
func (p *password) store(io stdio, how auth.Recipe) (auth.StoredSecret, error) {
	secret, err := p.read(io)
	if err != nil {
		return auth.StoredSecret{}, fail(exitUsage, "%v", err)
	}
	s, err := auth.NewSecret(secret, how)
	if err != nil {
		return auth.StoredSecret{}, fail(exitUsage, "%v", err)
	}
	return s, nil
}

func (p *password) read(io stdio) (auth.Secret, error) {
	if p.file != "" {
		f, err := os.Open(p.file)
		if err != nil {
			return "", err
		}
		defer f.Close()
		return firstLine(f)
	}
	if f, ok := io.in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return ask(f, io.err)
	}
	return firstLine(io.in)
}

// ask takes a password from a terminal, twice.
func ask(f *os.File, talk io.Writer) (auth.Secret, error) {
	var typed [2]string
	for i, prompt := range []string{"Password: ", "Again: "} {
		fmt.Fprint(talk, prompt)
		b, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(talk)
		if err != nil {
			return "", err
		}
		typed[i] = string(b)
	}
	if typed[0] != typed[1] {
		return "", errors.New("the two passwords differ")
	}
	return checkPassword(typed[0])
}

func firstLine(r io.Reader) (auth.Secret, error) {
	line, err := bufio.NewReader(io.LimitReader(r, auth.MaxPassword+2)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	return checkPassword(strings.TrimRight(line, "\r\n"))
}

func checkPassword(s string) (auth.Secret, error) {
	switch {
	case s == "":
		return "", errors.New("the password is empty")
	case len(s) > auth.MaxPassword:
		return "", fmt.Errorf("the password is longer than %d bytes", auth.MaxPassword)
	}
	return auth.Secret(s), nil
}

func newHash(io stdio) *cobra.Command {
	var p password
	cmd := &cobra.Command{
		Use:   "hash",
		Short: "Hash a password from standard input into records for users.yaml, one a line.",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			how, err := p.recipe()
			if err != nil {
				return err
			}
			s, err := p.store(io, how)
			if err != nil {
				return err
			}
			for _, r := range append([]auth.Record{s.Record}, s.Others...) {
				fmt.Fprintln(io.out, r)
			}
			return nil
		},
	}
	p.bind(cmd)
	return cmd
}
