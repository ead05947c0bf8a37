package e2e

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"sconce/client"
	"sconce/internal/sqldb/sqldbtest"
)

// The commands that scripts have beside testscript's own. WHO is a store: a
// device, by the name of its folder.
//
//	server [FLAG…]          run sconced in $WORK/data, on the same port each time; $SERVER is its address,
//	                        $HOST the same without the scheme
//	server demo [FLAG…]     the same by sconce-demo, which runs one for its people
//	server kill | stop      end it with SIGKILL, or as an operator does
//	joins WHO NAME          WHO becomes a person called NAME, by an invite made for them
//	links WHO OLD           WHO becomes a further device of OLD's person, by code and approval
//	as WHO COMMAND…         run sconce COMMAND in WHO's store; its output is stdout and stderr.
//	                        "! as": it must fail, with exit code 1
//	fails CODE PROGRAM…     run a program, which must end with this exit code
//	await 'RE' WHO COMMAND… repeat sconce COMMAND until its standard output matches;
//	                        "! await": until it doesn't
//	reads WHO,… ROOM TEXT…  for each WHO, ROOM comes to hold exactly these messages in this order
//	certificate CERT KEY    make a certificate for 127.0.0.1 that nobody else has signed
//	sql STATEMENT           change the server's database behind its back
//	start NAME PROGRAM…     run a program in the background
//	stays WHO COMMAND…      the same for sconce in WHO's store; its name is WHO
//	expect NAME 'RE'        wait until what it prints goes on with a match
//	say NAME LINE           write to it
//	ends NAME               wait until it has ended by itself and well
//	stop | kill NAME        end it
//	grab VAR 'RE' [NAME]    $VAR becomes the group of a match in stdout, or in what NAME printed
//	count N 'RE' [FILE]     stdout, or a file, has N matches
//	holds WORD PLACE…       WORD stands in PLACE: a file or folder, "log" for what the server logged, or
//	                        "memory:NAME" for the memory of a program; "! holds": nowhere in any of them
//	terminal NAME 80x24 WHO [COMMAND…]
//	                        run sconce in WHO's store in a terminal of that size; needs tmux
//	resize NAME 120x40      change its size
//	press NAME KEY…         press keys, by tmux's names for them
//	types NAME TEXT         type a text
//	screen NAME 'RE'        wait until what stands on it matches; "! screen": until it doesn't
//	untouched NAME TITLE    the window's title is so, and nothing wrote to the clipboard
var scriptCommands = map[string]func(*testscript.TestScript, bool, []string){
	"server":      serverCommand,
	"joins":       positive(joins),
	"links":       positive(links),
	"as":          as,
	"fails":       positive(fails),
	"await":       await,
	"reads":       positive(reads),
	"certificate": positive(certificate),
	"sql":         positive(changeDatabase),
	"start":       positive(start),
	"stays":       positive(stays),
	"expect":      positive(expect),
	"say":         positive(say),
	"ends":        positive(ends),
	"stop":        positive(func(ts *testscript.TestScript, args []string) error { return end(ts, args, (*program).stop) }),
	"kill":        positive(func(ts *testscript.TestScript, args []string) error { return end(ts, args, (*program).kill) }),
	"grab":        positive(grab),
	"count":       positive(count),
	"holds":       holds,
	"terminal":    positive(openTerminal),
	"resize":      positive(resizeTerminal),
	"press":       positive(pressKeys),
	"types":       positive(typeText),
	"screen":      awaitScreen,
	"untouched":   positive(terminalTold),
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		Cmds:                scriptCommands,
		Setup:               setUp,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}

// onPostgres are the stories that run on PostgreSQL too, where there is one: what
// the database has a part in, and no more, for each takes its seconds.
var onPostgres = []string{
	"direct-message", "same-direct-room", "remove-and-add", "expire-and-burn", "server-killed", "dismiss",
}

func TestScriptsOnPostgres(t *testing.T) {
	for _, name := range onPostgres {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			database := postgresOf(t)
			testscript.Run(t, testscript.Params{
				Files: []string{filepath.Join("testdata", name+".txt")},
				Cmds:  scriptCommands,
				Setup: func(env *testscript.Env) error {
					err := setUp(env)
					if err == nil {
						env.Values[stageKey{}].(*stage).server.database = database
					}
					return err
				},
				RequireExplicitExec: true,
				RequireUniqueNames:  true,
			})
		})
	}
}

// postgresOf gives a test a part of the PostgreSQL for itself, or skips the test
// where there is none.
func postgresOf(t *testing.T) (database string) {
	t.Helper()
	dsn, schema := sqldbtest.Postgres(t)
	address, err := url.Parse(dsn)
	if err != nil {
		t.Fatalf("the address of the PostgreSQL is no URL: %v", err)
	}
	query := address.Query()
	query.Set("search_path", schema)
	address.RawQuery = query.Encode()
	return address.String()
}

// stage is what a script has running.
type stage struct {
	server    *sconced
	started   map[string]*program
	terminals terminals
}

type stageKey struct{}

func setUp(env *testscript.Env) error {
	server, err := newServer(filepath.Join(env.WorkDir, "data"))
	if err != nil {
		return err
	}
	s := &stage{server: server, started: map[string]*program{}}
	env.Values[stageKey{}] = s
	env.Defer(s.end)
	env.Setenv("PATH", programs+string(filepath.ListSeparator)+env.Getenv("PATH"))
	env.Setenv("HOME", env.WorkDir)
	env.Setenv("SERVER", server.url())
	env.Setenv("HOST", address(server.port))
	return os.WriteFile(filepath.Join(env.WorkDir, passphraseFile), []byte("correct horse battery staple\n"), 0o600)
}

// passphraseFile opens every store of a script.
const passphraseFile = "passphrase"

func (s *stage) end() {
	s.terminals.end()
	for _, p := range s.started {
		_ = p.kill()
	}
	if s.server.program != nil {
		_ = s.server.kill()
	}
}

func stageOf(ts *testscript.TestScript) *stage { return ts.Value(stageKey{}).(*stage) }

// program finds what runs under a name.
func (s *stage) program(name string) (*program, error) {
	if name == "server" && s.server.program != nil {
		return s.server.program, nil
	}
	if p, ok := s.started[name]; ok {
		return p, nil
	}
	return nil, fmt.Errorf("nothing was started as %q", name)
}

// positive makes a command of one that has no opposite.
func positive(run func(*testscript.TestScript, []string) error) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg {
			ts.Fatalf("this command can't be negated")
		}
		ts.Check(run(ts, args))
	}
}

var errUsage = errors.New("usage: see the list in script_test.go")

func serverCommand(ts *testscript.TestScript, neg bool, args []string) {
	s := stageOf(ts).server
	var err error
	switch {
	case neg:
		err = errUsage
	case len(args) == 1 && args[0] == "kill":
		err = s.kill()
	case len(args) == 1 && args[0] == "stop":
		if err = s.stop(); err == nil && s.cmd.ProcessState.ExitCode() != 0 {
			err = fmt.Errorf("the server ended with %v; it printed:\n%s", s.cmd.ProcessState, s.output())
		}
	case len(args) > 0 && args[0] == "demo":
		err = s.startBy([]string{"sconce-demo"}, args[1:]...)
	default:
		err = s.start(args...)
	}
	ts.Check(err)
	ts.Setenv("SERVER", s.url())
}

// sconceArgs is sconce's command line for a command in somebody's store.
func sconceArgs(ts *testscript.TestScript, who string, args []string) []string {
	return append([]string{"--store", ts.MkAbs(who), "--passphrase-file", ts.MkAbs(passphraseFile)}, args...)
}

func as(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Check(errUsage)
	}
	code, err := exitCode(run(ts, args[0], args[1:]...))
	ts.Check(err)
	want := 0
	if neg {
		want = 1 // and not 2, which says that the script's line makes no sense
	}
	if code != want {
		ts.Fatalf("sconce %s as %s ended with exit code %d, want %d", strings.Join(args[1:], " "), args[0], code, want)
	}
}

// exitCode is what a program ended with; an error is that it did not run.
func exitCode(err error) (int, error) {
	if ended, ok := errors.AsType[*exec.ExitError](err); ok {
		return ended.ExitCode(), nil
	}
	return 0, err
}

// run is as, for other commands of this file.
func run(ts *testscript.TestScript, who string, args ...string) error {
	return ts.Exec("sconce", sconceArgs(ts, who, args)...)
}

func joins(ts *testscript.TestScript, args []string) error {
	if len(args) != 2 {
		return errUsage
	}
	if err := ts.Exec("sconced", "invite", "--data", ts.MkAbs("data"), args[1]); err != nil {
		return err
	}
	link := inviteLink.FindString(ts.ReadFile("stdout"))
	if link == "" {
		return errors.New("sconced invite printed no link")
	}
	return run(ts, args[0], "join", link, "--name", args[1], "--device", args[0])
}

var (
	inviteLink    = regexp.MustCompile(`https?://\S+/#1\.[a-z0-9]+\.[a-z0-9]+`)
	linkCode      = regexp.MustCompile(`SD1-\S+`)
	deviceAddress = regexp.MustCompile(`https?://\S+/#device1\.\S+`)
)

func links(ts *testscript.TestScript, args []string) error {
	if len(args) != 2 {
		return errUsage
	}
	if err := run(ts, args[1], "whoami"); err != nil {
		return err
	}
	p, err := startIn(ts, args[0], "link", deviceAddress.FindString(ts.ReadFile("stdout")), "--device", args[0])
	if err != nil {
		return err
	}
	code, err := p.expect(linkCode, patience)
	if err != nil {
		return err
	}
	if err := run(ts, args[1], "approve", code[0]); err != nil {
		return err
	}
	return ends(ts, args[:1])
}

func await(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 3 {
		ts.Check(errUsage)
	}
	re, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	// Errors are part of what is waited out; the last one says why it was in vain.
	var last error
	came := eventually(func() bool {
		last = run(ts, args[1], args[2:]...)
		return re.MatchString(ts.ReadFile("stdout")) != neg && (last == nil || !neg)
	})
	if !came {
		is := "is not"
		if neg {
			is = "is still"
		}
		ts.Fatalf("%v passed and %q %s in what sconce %s prints for %s (%v)", patience, re, is, strings.Join(args[2:], " "), args[1], last)
	}
}

func fails(ts *testscript.TestScript, args []string) error {
	if len(args) < 2 {
		return errUsage
	}
	code, err := exitCode(ts.Exec(args[1], args[2:]...))
	if err != nil {
		return err
	}
	if fmt.Sprint(code) != args[0] {
		return fmt.Errorf("%s ended with exit code %d, want %s", args[1], code, args[0])
	}
	return nil
}

// reads waits until a room holds what it should on each device. More than that,
// or anything else, is wrong at once.
func reads(ts *testscript.TestScript, args []string) error {
	if len(args) < 2 {
		return errUsage
	}
	want := args[2:]
	for who := range strings.SplitSeq(args[0], ",") {
		var got []string
		var last error
		wrong := false
		came := eventually(func() bool {
			last = run(ts, who, "read", args[1], "--json", "--last", "500")
			got = textsIn(ts.ReadFile("stdout"))
			wrong = last == nil && !slices.Equal(got, want[:min(len(got), len(want))])
			return wrong || last == nil && slices.Equal(got, want)
		})
		if wrong || !came {
			return fmt.Errorf("%s reads in %s %q, want %q (%v)", who, args[1], got, want, last)
		}
	}
	return nil
}

// textsIn gives what people wrote, out of JSON lines of messages.
func textsIn(lines string) []string {
	texts := []string{}
	for line := range strings.Lines(lines) {
		var m client.MessageView
		if json.Unmarshal([]byte(line), &m) == nil && !m.Deleted && (m.Kind == "text" || m.Kind == "reply") {
			texts = append(texts, m.Text)
		}
	}
	return texts
}

func changeDatabase(ts *testscript.TestScript, args []string) error {
	if len(args) != 1 {
		return errUsage
	}
	s := stageOf(ts).server
	driver, address := "sqlite", "file:"+filepath.Join(s.data, databaseFile)+"?_pragma=busy_timeout(10000)"
	if s.database != "" {
		driver, address = "pgx", s.database
	}
	db, err := sql.Open(driver, address)
	if err != nil {
		return err
	}
	defer db.Close()
	done, err := db.ExecContext(context.Background(), args[0])
	if err != nil {
		return err
	}
	if n, err := done.RowsAffected(); err != nil || n == 0 {
		return fmt.Errorf("the statement changed nothing (%v)", err)
	}
	return nil
}

func start(ts *testscript.TestScript, args []string) error {
	if len(args) < 2 {
		return errUsage
	}
	_, err := startAs(ts, args[0], args[1:])
	return err
}

func stays(ts *testscript.TestScript, args []string) error {
	if len(args) < 2 {
		return errUsage
	}
	_, err := startIn(ts, args[0], args[1:]...)
	return err
}

// startIn starts sconce in somebody's store; it runs under their name.
func startIn(ts *testscript.TestScript, who string, args ...string) (*program, error) {
	return startAs(ts, who, append([]string{"sconce"}, sconceArgs(ts, who, args)...))
}

func startAs(ts *testscript.TestScript, name string, args []string) (*program, error) {
	s := stageOf(ts)
	if p, ok := s.started[name]; ok && p.running() {
		return nil, fmt.Errorf("%s runs already", name)
	}
	path := args[0]
	if filepath.Base(path) == path {
		path = filepath.Join(programs, path)
	}
	cmd := exec.Command(path, args[1:]...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = append(os.Environ(), "HOME="+ts.Getenv("WORK"))
	p, err := startProgram(name, cmd)
	if err != nil {
		return nil, err
	}
	s.started[name] = p
	return p, nil
}

func expect(ts *testscript.TestScript, args []string) error {
	if len(args) != 2 {
		return errUsage
	}
	_, err := match(ts, args[0], args[1])
	return err
}

func match(ts *testscript.TestScript, name, pattern string) ([]string, error) {
	p, err := stageOf(ts).program(name)
	if err != nil {
		return nil, err
	}
	re, err := regexp.Compile("(?m)" + pattern)
	if err != nil {
		return nil, err
	}
	m, err := p.expect(re, patience)
	if err == nil {
		ts.Logf("%s: %s", name, m[0])
	}
	return m, err
}

func say(ts *testscript.TestScript, args []string) error {
	if len(args) != 2 {
		return errUsage
	}
	p, err := stageOf(ts).program(args[0])
	if err != nil {
		return err
	}
	return p.say(args[1])
}

func end(ts *testscript.TestScript, args []string, how func(*program) error) error {
	if len(args) != 1 {
		return errUsage
	}
	p, err := stageOf(ts).program(args[0])
	if err != nil {
		return err
	}
	return how(p)
}

func ends(ts *testscript.TestScript, args []string) error {
	return end(ts, args, func(p *program) error {
		if err := p.wait(); err != nil {
			return err
		}
		if !p.cmd.ProcessState.Success() {
			return fmt.Errorf("%s ended with %v; it printed:\n%s", p.name, p.cmd.ProcessState, p.output())
		}
		return nil
	})
}

func grab(ts *testscript.TestScript, args []string) error {
	var m []string
	switch len(args) {
	case 2:
		re, err := regexp.Compile("(?m)" + args[1])
		if err != nil {
			return err
		}
		if m = re.FindStringSubmatch(ts.ReadFile("stdout")); m == nil {
			return fmt.Errorf("%q is not in stdout", re)
		}
	case 3:
		var err error
		if m, err = match(ts, args[2], args[1]); err != nil {
			return err
		}
	default:
		return errUsage
	}
	if len(m) < 2 {
		return fmt.Errorf("%q has no group", args[1])
	}
	ts.Setenv(args[0], m[1])
	return nil
}

func count(ts *testscript.TestScript, args []string) error {
	if len(args) < 2 || len(args) > 3 {
		return errUsage
	}
	file := "stdout"
	if len(args) == 3 {
		file = args[2]
	}
	re, err := regexp.Compile("(?m)" + args[1])
	if err != nil {
		return err
	}
	if n := len(re.FindAllString(ts.ReadFile(file), -1)); fmt.Sprint(n) != args[0] {
		return fmt.Errorf("%q is in %s %d times, want %s", re, file, n, args[0])
	}
	return nil
}
