package mls

import (
	"bufio"
	"bytes"
	"crypto/fips140"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// What a group erases is gone from the whole memory of its process, garbage and
// stacks included: a process of its own does one step of a story, and writes all
// its memory to a file. What must not be in it is worked out here, from the same
// records and messages.
//
// Left out are keys that the standard library takes copies of and does not erase
// (see [wiping]): those of HPKE and what they derive from, of signatures, and of
// AEADs.

const (
	residueFolder = "SCONCE_TEST_RESIDUE" // of the process that is looked at
	residueStep   = "SCONCE_TEST_RESIDUE_STEP"
)

// residue is the folder through which the two processes talk. Everything in it
// is masked, so that reading a file leaves no secret in memory.
type residue struct {
	t      testing.TB
	folder string
}

func mask(b []byte) {
	for i := range b {
		b[i] ^= 0xA5
	}
}

func (r residue) write(name string, b []byte) {
	r.t.Helper()
	b = bytes.Clone(b)
	mask(b)
	if err := os.WriteFile(filepath.Join(r.folder, name), b, 0o600); err != nil {
		r.t.Fatal(err)
	}
	clear(b)
}

func (r residue) read(name string) []byte {
	r.t.Helper()
	b, err := os.ReadFile(filepath.Join(r.folder, name))
	if err != nil {
		r.t.Fatal(err)
	}
	mask(b)
	return b
}

// save writes records, and erases what is secret in them as a store would.
func (r residue) save(name string, records []Record) {
	r.t.Helper()
	size := 0
	for _, rec := range records {
		size += len(rec.Key) + len(rec.Value) + 8
	}
	b := make([]byte, 0, size)
	for _, rec := range records {
		if rec.Value != nil {
			b = appendVec(appendVec(b, rec.Key), rec.Value)
		}
		if rec.Secret {
			clear(rec.Value)
		}
	}
	r.write(name, b)
	clear(b)
}

// load makes a group of saved records, and leaves nothing of what was secret
// among them.
func (r residue) load(cfg Config, name string) *Group {
	r.t.Helper()
	b := r.read(name)
	defer clear(b)
	var secret [][]byte
	g, err := Load(cfg, func(yield func(k, v []byte) bool) {
		for rd := (&reader{b: b}); rd.more(); {
			k, v := rd.vec(), rd.vec()
			k, v = bytes.Clone(k), bytes.Clone(v)
			if k[0] != keyGroup && k[0] != keyNode && k[0] != keyProposal {
				secret = append(secret, v)
			}
			if !yield(k, v) {
				return
			}
		}
	})
	if err != nil {
		r.t.Fatal(err)
	}
	for _, v := range secret {
		clear(v)
	}
	g.unsavedMember = true
	r.save("again", g.Drain()) // records of the present epoch are made, too
	return g
}

// dump writes the whole memory of this process to a file.
func (r residue) dump(name string) {
	r.t.Helper()
	out, err := os.Create(filepath.Join(r.folder, name))
	if err != nil {
		r.t.Fatal(err)
	}
	defer out.Close()
	memory, err := os.Open("/proc/self/mem")
	if err != nil {
		r.t.Fatal(err)
	}
	defer memory.Close()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		r.t.Fatal(err)
	}
	for line := range strings.Lines(string(maps)) {
		var start, end uint64
		var mode string
		if _, err := fmt.Sscanf(line, "%x-%x %s", &start, &end, &mode); err != nil {
			r.t.Fatal(err)
		}
		if !strings.HasPrefix(mode, "rw") || strings.Contains(line, "[v") {
			continue
		}
		if _, err := io.Copy(out, io.NewSectionReader(memory, int64(start), int64(end-start))); err != nil {
			r.t.Fatal(err)
		}
	}
}

var residuePSK = []byte("something all have been told")

func residueConfig() Config {
	return Config{Rules: lastWins{}, PSK: func(id PreSharedKeyID) (Secret, bool) {
		return residuePSK, id.Type == PSKExternal
	}}
}

// residueSteps are what the process that is looked at does.
var residueSteps = map[string]func(residue){
	"commit": func(r residue) {
		st, g := r.commit()
		if err := g.Merge(st); err != nil {
			r.t.Fatal(err)
		}
		r.finish(g)
	},
	"lose": func(r residue) {
		st, g := r.commit()
		st.Discard()
		r.finish(g)
	},
	"follow": func(r residue) {
		g := r.load(residueConfig(), "follow.before")
		r.follow(g, r.read("message"))
		r.finish(g)
	},
	"listen": func(r residue) {
		g := r.load(residueConfig(), "listen.before")
		r.hear(g)
		for _, give := range []func() (Secret, error){
			func() (Secret, error) { return g.SafeExport(testComponent) },
			func() (Secret, error) { return g.Export(residueLabel, nil, 32) },
		} {
			secret, err := give()
			if err != nil {
				r.t.Fatal(err)
			}
			clear(secret)
		}
		r.finish(g)
	},
	"create": func(r residue) {
		suite := CipherSuite(r.read("suite")[0])
		g, err := Create(residueConfig(), []byte("g"), suite, newSigner(r.t, suite, "creator"), Capabilities{}, nil)
		if err != nil {
			r.t.Fatal(err)
		}
		r.finish(g)
	},
	"leave": func(r residue) {
		g := r.load(residueConfig(), "leave.before")
		r.hear(g)
		r.follow(g, r.read("message"))
		r.finish(g)
	},
	"join": func(r residue) {
		kp, err := ParseKeyPackage(r.read("key package"))
		if err != nil {
			r.t.Fatal(err)
		}
		b := r.read("key package secrets")
		secrets, err := ParseKeyPackageSecrets(b)
		if err != nil {
			r.t.Fatal(err)
		}
		g, err := Join(residueConfig(), mustParse(r.t, r.read("welcome")), kp, secrets, r.read("tree"), now)
		if err != nil {
			r.t.Fatal(err)
		}
		clear(b)
		r.finish(g)
	},
}

// commit adds one, removes one, and mixes in a PSK.
func (r residue) commit() (*StagedCommit, *Group) {
	g := r.load(residueConfig(), "commit.before")
	kp, err := ParseKeyPackage(r.read("key package"))
	if err != nil {
		r.t.Fatal(err)
	}
	st, err := g.Commit(CommitOptions{Proposals: []Proposal{
		&Add{kp}, &Remove{Removed: 3}, &PreSharedKey{PreSharedKeyID{Type: PSKExternal, ID: []byte("psk"), Nonce: make([]byte, g.public.s.nh)}},
	}}, now)
	if err != nil {
		r.t.Fatal(err)
	}
	b := st.Bytes()
	b.erase() // as once it is stored
	r.write("message", st.Message())
	r.write("welcome", st.Welcome())
	r.write("tree", st.Tree())
	return st, g
}

const residueLabel = "a label"

// hear has the third message come before the first, and the second never.
func (r residue) hear(g *Group) {
	r.t.Helper()
	for _, name := range []string{"third", "first"} {
		e, err := g.Process(mustParse(r.t, r.read(name)), now)
		if err != nil {
			r.t.Fatal(err)
		}
		clear(e.(*ApplicationMessage).Data)
	}
}

func (r residue) follow(g *Group, message []byte) {
	r.t.Helper()
	e, err := g.Process(mustParse(r.t, message), now)
	if err != nil {
		r.t.Fatal(err)
	}
	if err := g.Merge(e.(*StagedCommit)); err != nil {
		r.t.Fatal(err)
	}
}

// finish stores all that the group has, and dumps the memory while it is alive.
func (r residue) finish(g *Group) {
	g.unsaveEverything()
	r.save("after", g.Drain())
	overwriteStack(64)
	r.dump("memory")
	runtime.KeepAlive(g)
}

// unsaveEverything has the next Drain give all there is.
func (g *Group) unsaveEverything() {
	g.public.unsaved.everything(g.public)
	g.unsavedMember = true
	if g.removed {
		return
	}
	g.messages.handOver()
	for n := range g.exporter.frontier {
		g.exporter.dirty[n] = struct{}{}
	}
}

// overwriteStack does what any further calls would: what was returned from leaves
// its frames behind.
//
//go:noinline
func overwriteStack(depth int) byte {
	var frame [1 << 12]byte
	if depth > 0 {
		frame[0] = overwriteStack(depth - 1)
	}
	return frame[0] ^ frame[len(frame)-1]
}

// TestResidueOfAStep is the process that is looked at.
func TestResidueOfAStep(t *testing.T) {
	folder := os.Getenv(residueFolder)
	if folder == "" {
		return // it is started by the test below
	}
	overwriteStack(64) // it has all its room now: a stack that grows leaves one behind
	residueSteps[os.Getenv(residueStep)](residue{t, folder})
}

// step runs one in a process of its own.
func (r residue) step(name string) {
	r.t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestResidueOfAStep$", "-test.count=1")
	// A signal that comes just after a copy finds it in the registers, and writes
	// them to a stack of its own.
	debug := strings.TrimPrefix(os.Getenv("GODEBUG")+",asyncpreemptoff=1,gcshrinkstackoff=1", ",")
	cmd.Env = append(os.Environ(), "GODEBUG="+debug, residueFolder+"="+r.folder, residueStep+"="+name)
	if out, err := cmd.CombinedOutput(); err != nil {
		r.t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

// occurrences tells which of some secrets are in a memory.
func (r residue) occurrences(of map[string]Secret) (found []string) {
	r.t.Helper()
	f, err := os.Open(filepath.Join(r.folder, "memory"))
	if err != nil {
		r.t.Fatal(err)
	}
	defer f.Close()
	const most = 64 // of a secret
	in, seen := bufio.NewReaderSize(f, 1<<20), map[string]bool{}
	window := make([]byte, 0, 1<<21)
	chunk := make([]byte, 1<<20)
	for {
		n, err := io.ReadFull(in, chunk)
		window = append(window, chunk[:n]...)
		for name, secret := range of {
			seen[name] = seen[name] || len(secret) > 0 && bytes.Contains(window, secret)
		}
		if err != nil {
			break
		}
		window = append(window[:0], window[max(0, len(window)-most):]...)
	}
	for name, yes := range seen {
		if yes {
			found = append(found, name)
		}
	}
	slices.Sort(found)
	return found
}

func TestErasedSecretsAreNowhereInMemory(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skipf("a process cannot read its own memory as a file on %s", runtime.GOOS)
	}
	if fips140.Enabled() {
		t.Skip("the FIPS 140-3 module derives keys in memory of its own")
	}
	for _, suite := range []CipherSuite{X25519AES128, DefaultSuite} {
		t.Run(suite.String(), func(t *testing.T) { checkResidue(t, suite) })
	}
}

// TestEpochSecretOfACreatorIsNowhereInMemory: it is drawn at random, so whatever is
// in memory is tried as one.
func TestEpochSecretOfACreatorIsNowhereInMemory(t *testing.T) {
	if runtime.GOOS != "linux" || fips140.Enabled() {
		t.Skip("see TestErasedSecretsAreNowhereInMemory")
	}
	r := residue{t, t.TempDir()}
	s := mustSuite(t, X25519AES128)
	r.write("suite", []byte{byte(s.id)})
	r.step("create")
	g := r.load(residueConfig(), "after")
	memory, err := os.ReadFile(filepath.Join(r.folder, "memory"))
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	for at := 0; at+s.nh <= len(memory); at += 8 { // as the allocator aligns
		secret := memory[at : at+s.nh]
		if bytes.Count(secret, []byte{0}) > 4 {
			continue // nor is a random secret like that
		}
		tried++
		if s.deriveSecret(secret, "init").Equal(g.epoch.init) {
			t.Fatal("the epoch secret is left in memory")
		}
	}
	if tried < 1000 {
		t.Errorf("only %d secrets were tried", tried)
	}
}

func checkResidue(t *testing.T, suite CipherSuite) {
	r := residue{t, t.TempDir()}
	room := newRoom(t, suite, 4, residueConfig())
	for _, c := range room.clients {
		room.commit(c, CommitOptions{}) // so that the parents have keys
	}
	// Ratchets are running in all but the one that listens.
	spoken, err := room.clients[0].Encrypt(nil, []byte("text"))
	if err != nil {
		t.Fatal(err)
	}
	spread(t, []*client{room.clients[1], room.clients[3]}, spoken)
	names := []string{"commit", "follow", "listen", "leave"}
	before := map[string]map[string]Secret{"join": {}}
	for i, name := range names {
		c := room.clients[i]
		c.public.unsaved.everything(c.public)
		c.disk.save(c.Drain())
		var records []Record
		for k, v := range c.disk {
			records = append(records, Record{Key: []byte(k), Value: v})
		}
		r.save(name+".before", records)
		// A key that its process has loaded, and has not put to use, has no copies.
		var used []string
		if name == "follow" {
			used = []string{".secrets.leaf"}
		}
		before[name] = standing(c.Group, "before", used...)
		maps.Copy(before[name], derivable(c.Group))
	}
	for _, name := range []string{"first", "second", "third"} {
		m, err := room.clients[1].Encrypt(nil, []byte(name))
		if err != nil {
			t.Fatal(err)
		}
		r.write(name, m)
	}
	r.step("listen")
	listened := r.load(residueConfig(), "after")
	r.expectGone("listen", before["listen"], listened)
	joiner := room.newClient()
	r.write("key package", joiner.kp.Bytes())
	r.write("key package secrets", joiner.secrets.Bytes())

	// A commit that lost leaves nothing, nor of the epoch that it would have opened.
	witness := room.clients[2].Group
	r.step("lose")
	lost := transients(t, witness, r.read("message"))
	maps.Copy(lost, standing(followed(t, room.clients[2], r.read("message")), "of the lost epoch", ".secrets."))
	r.expectGone("lose", lost, room.clients[0].Group)
	present := standing(room.clients[0].Group, "now")
	if found := r.occurrences(present); len(found) != len(present) {
		t.Errorf("of %d secrets of the present epoch, memory has %q", len(present), found) // or the search means nothing
	}

	r.step("commit")
	derived := transients(t, witness, r.read("message"))
	for _, name := range []string{"commit", "follow", "join", "leave"} {
		if name != "commit" {
			r.step(name)
		}
		gone := maps.Clone(derived)
		maps.Copy(gone, before[name])
		after := r.load(residueConfig(), "after")
		r.expectGone(name, gone, after)
		next := standing(after, "after")
		if found := r.occurrences(next); len(found) < len(next) || name != "leave" && len(next) < 9 {
			t.Errorf("%s: of %d secrets of the next epoch, memory has %q", name, len(next), found)
		}
	}
}

// followed gives the group of a client as a commit would make it, and leaves the
// client's own as it is.
func followed(t *testing.T, c *client, message []byte) *Group {
	t.Helper()
	c.public.unsaved.everything(c.public)
	c.disk.save(c.Drain())
	g, err := Load(residueConfig(), c.disk.records())
	if err != nil {
		t.Fatal(err)
	}
	residue{t: t}.follow(g, message)
	return g
}

// expectGone checks that memory has no secret but those that a group still holds.
func (r residue) expectGone(step string, secrets map[string]Secret, g *Group) {
	r.t.Helper()
	for _, f := range secretsIn(g) {
		maps.DeleteFunc(secrets, func(_ string, secret Secret) bool { return secret.Equal(f.secret) })
	}
	r.expectNone(step, secrets)
}

func (r residue) expectNone(step string, secrets map[string]Secret) {
	r.t.Helper()
	for _, name := range r.occurrences(secrets) {
		r.t.Errorf("%s: %s is left in memory", step, name)
	}
}
