package main

import (
	"errors"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
)

// showBrowser opens a link in a window of its own, where a browser can do that.
// What a program is started with, everybody on the computer can read, so the link
// goes by a file that is its owner's alone; forget removes it.
func showBrowser(link string) (forget func(), err error) {
	dir, err := os.MkdirTemp("", "sconce-app-") // nobody else may look into it
	if err != nil {
		return func() {}, err
	}
	forget = func() { _ = os.RemoveAll(dir) }
	path := filepath.Join(dir, "open.html")
	body := `<!doctype html><meta charset="utf-8"><meta name="referrer" content="no-referrer"><title>Sconce</title>` +
		`<meta http-equiv="refresh" content="0; url=` + html.EscapeString(link) + `">`
	if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
		return forget, err
	}
	err = errors.New("none was found")
	for _, command := range browsers("file://" + path) {
		program, missing := exec.LookPath(command[0])
		if missing != nil {
			continue
		}
		cmd := exec.Command(program, command[1:]...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // Ctrl-C here is not for a browser that runs for more
		if err = cmd.Start(); err == nil {
			go func() { _ = cmd.Wait() }() // it may stay longer than this program
			return forget, nil
		}
	}
	return forget, err
}

// browsers lists how to open an address, the best way first: a window without
// the bars of a browser.
func browsers(address string) (all [][]string) {
	if runtime.GOOS == "darwin" {
		for _, name := range []string{"Google Chrome", "Microsoft Edge", "Chromium"} {
			if _, err := os.Stat("/Applications/" + name + ".app"); err == nil {
				all = append(all, []string{"open", "-na", name, "--args", "--app=" + address})
			}
		}
		return append(all, []string{"open", address})
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge", "microsoft-edge-stable"} {
		all = append(all, []string{name, "--app=" + address})
	}
	return append(all, []string{"xdg-open", address}, []string{"sensible-browser", address})
}
