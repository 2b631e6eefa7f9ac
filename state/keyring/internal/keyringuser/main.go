// Command keyringuser keeps a value in a folder, encrypted with a key from the
// session's keyring, or prints it: the part of a program that an interop test
// runs inside a session of its own.
//
//	keyringuser FOLDER [VALUE]
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/mailsession/mailsession/state"
	"github.com/mailsession/mailsession/state/keyring"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1) //nolint:forbidigo // This is a program.
	}
}

func run(args []string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	dir, err := state.OpenDir(args[0])
	if err != nil {
		return err
	}
	store, err := keyring.Open(ctx, dir, "grants", &keyring.Options{Service: "mailsession interop"})
	if err != nil {
		return err
	}
	if len(args) > 1 {
		_, err = store.CompareAndSwap(ctx, "grant", "", []byte(args[1]))
		return err
	}
	got, err := store.Load(ctx, "grant")
	if err == nil {
		_, err = os.Stdout.Write(got.Value)
	}
	return err
}
