package main

import (
	"errors"
	"fmt"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/slabgate/slabgate/auth"
	"github.com/slabgate/slabgate/internal/config"
	"github.com/slabgate/slabgate/internal/finding"
)

// userCommand is what the subcommands of `slabgate user` share.
type userCommand struct {
	source
	password
	file string
	keep time.Duration
}

func newUser(io stdio) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "user",
		Short: "Manage the users that may log in. Passwords are stored as hashes only.",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	cmd.AddCommand(newUserAdd(io), newUserPasswd(io), newUserList(io), newUserDisable(io))
	return cmd
}

func (u *userCommand) bindUser(c *cobra.Command) {
	u.source.bind(c)
	c.Flags().StringVar(&u.file, "users", "", "users file; default is the configuration's logins.users")
}

func newUserAdd(io stdio) *cobra.Command {
	var u userCommand
	cmd := &cobra.Command{
		Use:     "add NAME",
		Short:   "Add a user. The password comes from a terminal, standard input or --password-file.",
		Example: "  slabgate user add web --users /etc/slabgate/users.yaml",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			return u.change(io, func(list []auth.User) ([]auth.User, error) {
				if find(list, args[0]) != nil {
					return nil, fail(exitFindings, "user %q is there already; to change the password: slabgate user passwd %s", args[0], args[0])
				}
				how, err := u.recipe()
				if err != nil {
					return nil, err
				}
				s, err := u.store(io, how)
				return append(list, auth.User{Name: args[0], Secrets: []auth.StoredSecret{s}}), err
			})
		},
	}
	u.bindUser(cmd)
	u.password.bind(cmd)
	return cmd
}

func newUserPasswd(io stdio) *cobra.Command {
	var u userCommand
	cmd := &cobra.Command{
		Use:     "passwd NAME",
		Short:   "Change a user's password. With --keep-for the old one stays good for a while.",
		Example: "  slabgate user passwd web --keep-for 24h",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			return u.change(io, func(list []auth.User) ([]auth.User, error) {
				usr := find(list, args[0])
				if usr == nil {
					return nil, noUser(args[0])
				}
				return list, u.replace(io, usr)
			})
		},
	}
	u.bindUser(cmd)
	u.password.bind(cmd)
	cmd.Flags().DurationVar(&u.keep, "keep-for", 0, "how long the present password stays good beside the new one")
	return cmd
}

// replace asks for a password and makes it the user's.
func (u *userCommand) replace(io stdio, usr *auth.User) error {
	var old *auth.StoredSecret
	if len(usr.Secrets) > 0 {
		old = &usr.Secrets[0]
	}
	how, err := u.recipeAfter(old, u.keep > 0)
	if err != nil {
		return err
	}
	s, err := u.store(io, how)
	if err != nil {
		return err
	}
	if how.Like != nil && how.Iterations != old.Record.Iterations() {
		fmt.Fprintf(io.err, "SCRAM takes the new password only; both need --iterations %d\n", old.Record.Iterations())
	}
	now := time.Now()
	if until := u.cutShort(usr.Secrets, now); until != "" {
		fmt.Fprintf(io.err, "the older of the two passwords was kept %s and ends now: only two are good at a time\n", until)
	}
	usr.Secrets = u.rotate(usr.Secrets, s, now)
	return nil
}

func newUserDisable(io stdio) *cobra.Command {
	var u userCommand
	var enable bool
	cmd := &cobra.Command{
		Use:   "disable NAME",
		Short: "Refuse a user's logins. A reload also closes the user's connections.",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			return u.change(io, func(list []auth.User) ([]auth.User, error) {
				usr := find(list, args[0])
				if usr == nil {
					return nil, noUser(args[0])
				}
				usr.Disabled = !enable
				return list, nil
			})
		},
	}
	u.bindUser(cmd)
	cmd.Flags().BoolVar(&enable, "undo", false, "accept the user's logins again")
	return cmd
}

func newUserList(io stdio) *cobra.Command {
	var u userCommand
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List users, without their hashes.",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			list, _, err := u.read(io)
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(io.out, 0, 8, 2, ' ', 0)
			fmt.Fprintln(w, "NAME\tSTATE\tSECRETS\tGOOD UNTIL\tSCRAM")
			for i := range list {
				fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\n",
					list[i].Name, stateOf(&list[i]), len(list[i].Secrets), until(&list[i]), scramOf(&list[i]))
			}
			return w.Flush()
		},
	}
	u.bindUser(cmd)
	return cmd
}

func stateOf(usr *auth.User) string {
	if usr.Disabled {
		return "disabled"
	}
	return "enabled"
}

func find(list []auth.User, name string) *auth.User {
	for i := range list {
		if list[i].Name == name {
			return &list[i]
		}
	}
	return nil
}

func noUser(name string) error {
	return fail(exitFindings, "no user is called %q; slabgate user list shows them", name)
}

// change reads the users, lets edit change them, and writes them back whole.
func (u *userCommand) change(io stdio, edit func([]auth.User) ([]auth.User, error)) error {
	list, path, err := u.read(io)
	if err != nil {
		return err
	}
	if list, err = edit(list); err != nil {
		return err
	}
	if _, found := auth.NewUsers(list, 1); found.Failed() {
		printFindings(io.err, found, "")
		return exit(exitUsage)
	}
	if err := config.SaveUsers(path, list); err != nil {
		return fail(exitPermission, "%v", err)
	}
	fmt.Fprintf(io.err, "%s written; a running slabgate takes it with SIGHUP\n", path)
	return nil
}

// read returns the users of the file, which need not exist yet.
func (u *userCommand) read(io stdio) ([]auth.User, string, error) {
	path := u.file
	if path == "" {
		var found finding.List
		flags := u.flagMap(&found)
		if found.Failed() {
			printFindings(io.err, found, "")
			return nil, "", exit(exitUsage)
		}
		c, found := config.Load(u.source.path, flags, u.environ)
		switch {
		case c == nil:
			printFindings(io.err, found, "")
			return nil, "", exit((&loaded{found: found}).exitCode())
		case c.Logins.Users == "":
			return nil, "", fail(exitUsage, "%s has no logins.users; name the file with --users", u.source.path)
		}
		path = c.Logins.Users
	}
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return nil, path, nil
	}
	users, found := config.LoadUsers(path, 1)
	if users == nil {
		printFindings(io.err, found, path)
		return nil, "", exit((&loaded{found: found}).exitCode())
	}
	var list []auth.User
	for _, name := range users.Names() {
		usr, _ := users.Find(name)
		list = append(list, usr)
	}
	return list, path, nil
}
