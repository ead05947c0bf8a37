package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// terminals are the windows of a tmux of the script's own.
type terminals struct {
	dir    string          // of its socket, whose path must be short
	opened map[string]bool // windows, by name
}

func (t *terminals) tmux(args ...string) (string, error) {
	if t.dir == "" {
		dir, err := os.MkdirTemp("", "sconce")
		if err != nil {
			return "", err
		}
		t.dir, t.opened = dir, map[string]bool{}
	}
	cmd := exec.Command("tmux", append([]string{"-S", filepath.Join(t.dir, "tmux"), "-f", os.DevNull, "-u"}, args...)...)
	cmd.Env = append(os.Environ(), "TERM=xterm-256color", "TMUX=", "NO_COLOR=")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("tmux %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return string(out), nil
}

func (t *terminals) end() {
	if t.dir != "" {
		_, _ = t.tmux("kill-server") // it has ended by itself with its last window
		_ = os.RemoveAll(t.dir)
	}
}

// openTerminal runs sconce in somebody's store in a window of a size such as
// 80x24.
func openTerminal(ts *testscript.TestScript, args []string) error {
	if len(args) < 3 {
		return errUsage
	}
	width, height, ok := strings.Cut(args[1], "x")
	if !ok {
		return errUsage
	}
	t := &stageOf(ts).terminals
	command := append([]string{filepath.Join(programs, "sconce")}, sconceArgs(ts, args[2], args[3:])...)
	// The window stays when the program has ended, so that its last words can be read.
	if _, err := t.tmux(append([]string{"new-session", "-d", "-s", args[0], "-x", width, "-y", height, "-e", "HOME=" + ts.Getenv("WORK"), "--"}, command...)...); err != nil {
		return err
	}
	t.opened[args[0]] = true
	_, err := t.tmux("set-option", "-t", args[0], "remain-on-exit", "on")
	return err
}

func resizeTerminal(ts *testscript.TestScript, args []string) error {
	if len(args) != 2 {
		return errUsage
	}
	width, height, _ := strings.Cut(args[1], "x")
	_, err := stageOf(ts).terminals.tmux("resize-window", "-t", args[0], "-x", width, "-y", height)
	return err
}

// pressKeys presses keys, by tmux's names for them.
func pressKeys(ts *testscript.TestScript, args []string) error {
	if len(args) < 2 {
		return errUsage
	}
	_, err := stageOf(ts).terminals.tmux(append([]string{"send-keys", "-t", args[0], "--"}, args[1:]...)...)
	return err
}

func typeText(ts *testscript.TestScript, args []string) error {
	if len(args) != 2 {
		return errUsage
	}
	_, err := stageOf(ts).terminals.tmux("send-keys", "-l", "-t", args[0], "--", args[1])
	return err
}

// awaitScreen waits until what stands in a window matches.
func awaitScreen(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Check(errUsage)
	}
	re, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	t := &stageOf(ts).terminals
	if !t.opened[args[0]] {
		ts.Check(errors.New("no terminal was opened as " + args[0]))
	}
	var picture string
	came := eventually(func() bool {
		picture, err = t.tmux("capture-pane", "-p", "-t", args[0])
		return err == nil && re.MatchString(picture) != neg
	})
	if !came {
		is := "is not"
		if neg {
			is = "is still"
		}
		ts.Fatalf("%v passed and %q %s on the screen of %s (%v):\n%s", patience, re, is, args[0], err, picture)
	}
}

// terminalTold fails when a program has changed what is the terminal's: its
// title, or the clipboard.
func terminalTold(ts *testscript.TestScript, args []string) error {
	if len(args) != 2 {
		return errUsage
	}
	t := &stageOf(ts).terminals
	var title string
	var err error
	came := eventually(func() bool {
		title, err = t.tmux("display-message", "-p", "-t", args[0], "#{pane_title}")
		return err == nil && strings.TrimSpace(title) == args[1]
	})
	if !came {
		return fmt.Errorf("the window's title is %q (%v); want %q", strings.TrimSpace(title), err, args[1])
	}
	if buffer, err := t.tmux("show-buffer"); err == nil {
		return fmt.Errorf("the clipboard holds %q; want nothing", buffer)
	}
	return nil
}
