package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// maxSecret bounds what is read as a passphrase or recovery key.
const maxSecret = 4096

func isTerminal(f any) bool {
	file, ok := f.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// passphrase reads it from the file that was named, or asks.
func (a *app) passphrase(ctx context.Context) ([]byte, error) {
	if a.passphraseFile != "" {
		return readPassphrase(a.passphraseFile)
	}
	return a.askSecret(ctx, "Passphrase: ")
}

// newPassphrase is passphrase for a new store: asked for twice.
func (a *app) newPassphrase(ctx context.Context) ([]byte, error) {
	if a.passphraseFile != "" {
		return readPassphrase(a.passphraseFile)
	}
	first, err := a.askSecret(ctx, "Choose a passphrase for this store: ")
	if err != nil {
		return nil, err
	}
	if len(first) == 0 {
		return nil, errors.New("the passphrase is empty, so nothing was changed; give the command again")
	}
	again, err := a.askSecret(ctx, "Once more: ")
	if err != nil {
		return nil, err
	}
	if string(first) != string(again) {
		return nil, errors.New("the two passphrases are not the same, so nothing was changed; give the command again")
	}
	return first, nil
}

func readPassphrase(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading the passphrase: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		return nil, fmt.Errorf("reading the passphrase: %w", err)
	}
	text := strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
	switch {
	case len(b) > maxSecret:
		return nil, fmt.Errorf("the passphrase in %s has more than %d bytes", path, maxSecret)
	case text == "":
		return nil, fmt.Errorf("the passphrase in %s is empty", path)
	}
	return []byte(text), nil
}

// askSecret asks on the terminal, without showing what is typed. It does not
// touch standard input, which may be a message or a program.
func (a *app) askSecret(ctx context.Context, prompt string) ([]byte, error) {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return nil, errors.New("there is no terminal to ask for the passphrase on; give --passphrase-file FILE")
	}
	defer tty.Close()
	fd := int(tty.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return nil, fmt.Errorf("asking for the passphrase: %w", err)
	}
	fmt.Fprint(tty, prompt)
	type typed struct {
		text []byte
		err  error
	}
	done := make(chan typed, 1)
	go func() { // ends with the process when nobody types on
		text, err := term.ReadPassword(fd)
		done <- typed{text, err}
	}()
	select {
	case t := <-done:
		fmt.Fprintln(tty)
		if t.err != nil {
			return nil, fmt.Errorf("asking for the passphrase: %w", t.err)
		}
		return t.text, nil
	case <-ctx.Done():
		_ = term.Restore(fd, before) // or the shell would not show what is typed
		fmt.Fprintln(tty)
		return nil, context.Cause(ctx)
	}
}

// askLine asks for what may be seen, on a terminal.
func (a *app) askLine(prompt string) (string, error) {
	if !isTerminal(a.in) {
		return "", nil
	}
	fmt.Fprint(a.err, prompt)
	return a.inputLine()
}

// inputLine reads one line of standard input.
func (a *app) inputLine() (string, error) {
	line, err := bufio.NewReader(io.LimitReader(a.in, maxSecret)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	return strings.TrimSpace(line), nil
}
