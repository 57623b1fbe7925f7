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

// password is where a command takes a password from: a terminal, standard input
// or a file. Never an argument or the environment, which others can read.
type password struct {
	file       string
	iterations int
}

func (p *password) bind(c *cobra.Command) {
	c.Flags().StringVar(&p.file, "password-file", "", "read the password from the first line of this file")
	c.Flags().IntVar(&p.iterations, "iterations", auth.DefaultIterations, "work of one guess, 4096 to 600000")
}

// record asks for a password and hashes it.
func (p *password) record(io stdio) (auth.Record, error) {
	secret, err := p.read(io)
	if err != nil {
		return auth.Record{}, fail(exitUsage, "%v", err)
	}
	r, err := auth.NewRecord(secret, p.iterations, rand.Reader)
	if err != nil {
		return auth.Record{}, fail(exitUsage, "%v", err)
	}
	return r, nil
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
		Short: "Hash a password from standard input into a record for users.yaml.",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			r, err := p.record(io)
			if err != nil {
				return err
			}
			fmt.Fprintln(io.out, r)
			return nil
		},
	}
	p.bind(cmd)
	return cmd
}
