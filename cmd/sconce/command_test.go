package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sconce/client"
	"sconce/client/bridge"
	"sconce/client/native"
)

// sconce runs the program as a shell would.
func sconce(t *testing.T, args ...string) (out, complaint string, code int) {
	t.Helper()
	return sconceWith(t, "", args...)
}

func sconceWith(t *testing.T, in string, args ...string) (out, complaint string, code int) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	a := &app{in: strings.NewReader(in), out: &stdout, err: &stderr, env: func(string) string { return "" }}
	code = a.main(t.Context(), args)
	return stdout.String(), stderr.String(), code
}

func TestMistakesOnTheCommandLineAreExplained(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{"sned bob hi", `there is no command "sned"; did you mean "send"?`},
		{"frobnicate", `there is no command "frobnicate"; sconce help lists them`},
		{"room", "\"room\" needs to know what to do\nusage: sconce room new NAME"},
		{"room nwe x", `"room" needs to know what to do`},
		{"send bob", "too few arguments\nusage: sconce send TO TEXT"},
		{"send bob --exprie 1h hi", "there is no option --exprie\nusage: sconce send"},
		{"send bob hi --expire", "a value is missing after --expire"},
		{"send bob hi --expire soon", `invalid value "soon" for --expire: want a time such as 30s`},
		{"send bob hi --burn 400d", "want whole seconds, from 1s to 366d"},
		{"whoami now", `"now" is one argument too many`},
		{"--stroe x whoami", "there is no option --stroe"},
		{"room set team", "say what to change"},
		{"read --last 0", "--last is from 1 to 500"},
		{"verify bob --mark --unmark", "--mark and --unmark are opposites"},
		{"sync --offline", "sync needs the server; leave out --offline"},
		{"help nothing", `there is no command "nothing"`},
	} {
		out, complaint, code := sconce(t, strings.Fields(c.line)...)
		if code != exitUsage || out != "" || !strings.Contains(complaint, c.want) || !strings.HasPrefix(complaint, "sconce: ") {
			t.Errorf("sconce %s = %d, %q, %q; want %d with %q", c.line, code, out, complaint, exitUsage, c.want)
		}
	}
}

func TestOptionsMayStandAnywhere(t *testing.T) {
	for line, want := range map[string][]string{
		"a b":                  {"a", "b"},
		"--store x a b":        {"a", "b"},
		"a --store x b":        {"a", "b"},
		"a b --store=x":        {"a", "b"},
		"a -- --store b":       {"a", "--store", "b"},
		"--store x -- a -- -b": {"a", "--", "-b"},
		"a - --json":           {"a", "-"},
		"--json a --":          {"a"},
	} {
		a := &app{env: func(string) string { return "" }}
		got, err := parse(a.options(), strings.Fields(line), 0, anyNumber)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("parse(%q) = %q, %v; want %q", line, got, err, want)
		}
		if strings.Contains(line, "x") && a.store != "x" {
			t.Errorf("parse(%q): store is %q; want x", line, a.store)
		}
	}
}

func TestEveryCommandExplainsItself(t *testing.T) {
	list, _, code := sconce(t)
	if code != exitDone {
		t.Fatalf("sconce = %d", code)
	}
	for _, c := range commands {
		if !strings.Contains(list, "  "+c.words+" ") || !strings.HasPrefix(c.usage, c.words) || c.brief() == "" {
			t.Errorf("%s is not in the list, or its usage does not begin with it", c.words)
		}
		byHelp, _, code := sconce(t, append([]string{"help"}, strings.Fields(c.words)...)...)
		byOption, _, code2 := sconce(t, append(strings.Fields(c.words), "--help")...)
		if code != exitDone || code2 != exitDone || byHelp != byOption || !strings.HasPrefix(byHelp, "usage: sconce "+c.words) {
			t.Errorf("help of %s: %d %q, %d %q", c.words, code, byHelp, code2, byOption)
		}
		if strings.Contains(byHelp, "..") {
			t.Errorf("help of %s: %q", c.words, byHelp)
		}
	}
}

func TestStoreThatIsNotThereIsSaid(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "none")
	_, complaint, code := sconce(t, "whoami", "--store", dir)
	if code != exitFailed || !strings.Contains(complaint, "there is no store in "+dir+": begin with join, link or recover") {
		t.Fatalf("whoami = %d, %q", code, complaint)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("looking made the folder: %v", err)
	}
}

func TestWrongPassphraseIsOneLine(t *testing.T) {
	dir := emptyStore(t)
	_, complaint, code := sconce(t, "whoami", "--store", dir, "--passphrase-file", file(t, "wrong\n"))
	if code != exitFailed || complaint != "sconce: wrong passphrase\n" {
		t.Fatalf("whoami = %d, %q; want one line", code, complaint)
	}
	for content, want := range map[string]string{
		"":                        "is empty",
		"\n":                      "is empty",
		strings.Repeat("x", 5000): "has more than 4096 bytes",
	} {
		_, complaint, code := sconce(t, "whoami", "--store", dir, "--passphrase-file", file(t, content))
		if code != exitFailed || !strings.Contains(complaint, want) {
			t.Errorf("whoami = %d, %q; want %q", code, complaint, want)
		}
	}
}

func TestStoreWithoutADeviceIsSaid(t *testing.T) {
	_, complaint, code := sconce(t, "whoami", "--store", emptyStore(t), "--passphrase-file", file(t, "right"))
	if code != exitFailed || !strings.Contains(complaint, "there is no device in this store yet: begin with join") {
		t.Fatalf("whoami = %d, %q", code, complaint)
	}
}

func TestPassphraseChanges(t *testing.T) {
	dir := emptyStore(t)
	_, complaint, code := sconce(t, "passphrase", "--store", dir, "--passphrase-file", file(t, "right"), "--new-file", file(t, "better"))
	if code != exitDone || complaint != "" {
		t.Fatalf("passphrase = %d, %q", code, complaint)
	}
	if _, complaint, _ := sconce(t, "whoami", "--store", dir, "--passphrase-file", file(t, "right")); complaint != "sconce: wrong passphrase\n" {
		t.Errorf("the old passphrase: %q", complaint)
	}
	if _, complaint, _ := sconce(t, "whoami", "--store", dir, "--passphrase-file", file(t, "better")); !strings.Contains(complaint, "no device") {
		t.Errorf("the new passphrase: %q", complaint)
	}
}

func TestBadInviteIsRefusedBeforeAnythingIsMade(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	for _, line := range []string{"join https://chat.example/#1.x.y --name a", "link https://chat.example", "recover https://chat.example/#nonsense"} {
		_, complaint, code := sconce(t, append(strings.Fields(line), "--store", dir)...)
		if code != exitFailed || strings.Count(complaint, "\n") != 1 {
			t.Errorf("%s = %d, %q; want one line", line, code, complaint)
		}
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a refused command made the folder: %v", err)
	}
}

func TestPlaceIsReadFromWhateverWasKept(t *testing.T) {
	id := strings.Repeat("a", 52)
	for _, s := range []string{
		"https://chat.example:8443/#" + id, " https://chat.example:8443/#device1." + id + "." + id + "\n",
		"https://chat.example:8443/#1." + id + "." + strings.Repeat("a", 26),
	} {
		server, network, err := bridge.ParsePlace(s)
		if err != nil || server != "https://chat.example:8443" || network.String() != id {
			t.Errorf("ParsePlace(%q) = %q, %v, %v", s, server, network, err)
		}
	}
	for _, s := range []string{"", "https://chat.example", "https://chat.example/#", "https://chat.example/path/#" + id, "ftp://x/#" + id, "https://x/#" + id + ".y"} {
		if server, _, err := bridge.ParsePlace(s); err == nil {
			t.Errorf("ParsePlace(%q) = %q; want an error", s, server)
		}
	}
}

// emptyStore makes a vault whose passphrase is "right" and in which no device
// was begun.
func emptyStore(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "store")
	v, err := native.CreateDir(dir, []byte("right"), client.VaultOptions{Cost: client.PassphraseCost{Passes: 1, MemoryKiB: 8, Lanes: 1}})
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func file(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "passphrase")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestHelpOfEveryCommandIsWholeLines(t *testing.T) {
	for _, c := range commands {
		out, complaint, code := sconce(t, append([]string{"help"}, strings.Fields(c.words)...)...)
		if code != exitDone || complaint != "" || !strings.HasPrefix(out, "usage: sconce "+c.words) ||
			!strings.HasSuffix(out, "\n") || strings.HasSuffix(out, "\n\n") {
			t.Errorf("sconce help %s = %d, %q, %q", c.words, code, out, complaint)
		}
	}
}
