package mls

import (
	"fmt"
	"sync"
	"testing"
)

// benchGroup is a group of n in which the creator added all others in one
// commit, so that no parent node is filled: the worst case for commits.
type benchGroup struct {
	room    *room
	adds    []Proposal
	welcome []byte // of the bulk add, for the last client alone
	tree    []byte
	filled  []*client // first and last client of the same group after its nodes were filled; nil until asked for
}

var benchGroups = struct {
	sync.Mutex
	made map[string]*benchGroup // guarded by the mutex
}{made: map[string]*benchGroup{}}

func benchSetup(b *testing.B, suite CipherSuite, n int) *benchGroup {
	b.Helper()
	benchGroups.Lock()
	defer benchGroups.Unlock()
	key := fmt.Sprint(suite, n)
	if g := benchGroups.made[key]; g != nil {
		return g
	}
	r := newRoom(b, suite, 1, Config{})
	g := &benchGroup{room: r}
	var last []*client
	for range n - 1 {
		c := r.newClient()
		g.adds = append(g.adds, &Add{KeyPackage: c.kp})
		last = append(last, c)
	}
	st, err := r.clients[0].Commit(CommitOptions{Proposals: g.adds}, now)
	if err != nil {
		b.Fatal(err)
	}
	g.tree = st.Tree()
	// A dozen members spread over the tree are enough to fill the paths that are measured.
	r.deliver(r.clients[0], st)
	ref, err := last[len(last)-1].kp.Ref()
	if err != nil {
		b.Fatal(err)
	}
	g.welcome = st.WelcomeFor(ref)
	r.join(last[len(last)-1], st)
	benchGroups.made[key] = g
	return g
}

// fill has every node on the first client's copath set, as after each member
// has committed once: it joins a member for each subtree and has it commit.
func (g *benchGroup) fill(b *testing.B) (first, last *client) {
	b.Helper()
	if g.filled != nil {
		return g.filled[0], g.filled[1]
	}
	r := newRoom(b, g.room.suite, 1, Config{})
	var fresh []*client
	var adds []Proposal
	for range len(g.adds) {
		c := r.newClient()
		fresh = append(fresh, c)
		adds = append(adds, &Add{KeyPackage: c.kp})
	}
	st := r.commit(r.clients[0], CommitOptions{Proposals: adds})
	// From each pair of leaves one member commits: then no node is blank and
	// no leaf unmerged above the lowest parents.
	for i := 1; i < len(fresh); i += 2 {
		r.join(fresh[i], st)
	}
	r.join(fresh[0], st)
	for _, c := range r.clients {
		commit, err := c.Commit(CommitOptions{}, now)
		if err != nil {
			b.Fatal(err)
		}
		r.deliver(c, commit)
	}
	g.filled = []*client{r.clients[0], r.clients[1]}
	return g.filled[0], g.filled[1]
}

func BenchmarkGroup(b *testing.B) {
	for _, suite := range []CipherSuite{X25519AES128, P256AES128, MLKEM768P256AES256} {
		for _, n := range []int{10, 100, 1000} {
			run := func(name string, f func(b *testing.B, g *benchGroup)) {
				b.Run(fmt.Sprintf("%#04x/%d/%s", uint16(suite), n, name), func(b *testing.B) {
					g := benchSetup(b, suite, n)
					b.ReportAllocs()
					f(b, g)
				})
			}
			run("bulk-add", benchBulkAdd)
			run("join", benchJoin)
			run("commit-unmerged", benchCommit)
			run("process-unmerged", benchProcess)
			if n <= 100 || suite == X25519AES128 {
				run("commit-filled", benchCommitFilled)
				run("process-filled", benchProcessFilled)
			}
			run("encrypt-256", benchEncrypt)
			run("decrypt-256", benchDecrypt)
			run("load", benchLoad)
			run("save-after-message", benchSave)
		}
	}
}

func benchBulkAdd(b *testing.B, g *benchGroup) {
	creator := newRoom(b, g.room.suite, 1, Config{}).clients[0]
	var size, welcome int
	for b.Loop() {
		st, err := creator.Commit(CommitOptions{Proposals: g.adds}, now)
		if err != nil {
			b.Fatal(err)
		}
		size, welcome = len(st.Message()), len(st.Welcome())
	}
	b.ReportMetric(float64(size), "commit-B")
	b.ReportMetric(float64(welcome), "welcome-B")
}

func benchJoin(b *testing.B, g *benchGroup) {
	c := g.room.clients[1]
	for b.Loop() {
		if _, err := Join(c.cfg, mustParse(b, g.welcome), c.kp, c.secrets, g.tree, now); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(g.tree)), "tree-B")
	b.ReportMetric(float64(len(g.welcome)), "welcome-B")
}

func benchCommit(b *testing.B, g *benchGroup) { commitLoop(b, g.room.clients[0]) }

func benchCommitFilled(b *testing.B, g *benchGroup) {
	first, _ := g.fill(b)
	commitLoop(b, first)
}

func commitLoop(b *testing.B, c *client) {
	var size int
	for b.Loop() {
		st, err := c.Commit(CommitOptions{}, now)
		if err != nil {
			b.Fatal(err)
		}
		size = len(st.Message())
	}
	b.ReportMetric(float64(size), "commit-B")
}

func benchProcess(b *testing.B, g *benchGroup) { processLoop(b, g.room.clients[0], g.room.clients[1]) }

func benchProcessFilled(b *testing.B, g *benchGroup) {
	first, last := g.fill(b)
	processLoop(b, first, last)
}

func processLoop(b *testing.B, from, to *client) {
	st, err := from.Commit(CommitOptions{}, now)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := to.Process(mustParse(b, st.Message()), now); err != nil {
			b.Fatal(err)
		}
	}
}

func benchEncrypt(b *testing.B, g *benchGroup) {
	text := make([]byte, 256)
	var size int
	for b.Loop() {
		m, err := g.room.clients[0].Encrypt(nil, text)
		if err != nil {
			b.Fatal(err)
		}
		size = len(m)
	}
	b.ReportMetric(float64(size), "message-B")
}

func benchDecrypt(b *testing.B, g *benchGroup) {
	from, to := g.room.clients[0], g.room.clients[1]
	catchUp(b, from, to)
	text := make([]byte, 256)
	for b.Loop() {
		b.StopTimer()
		m, err := from.Encrypt(nil, text)
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		if _, err := to.Process(mustParse(b, m), now); err != nil {
			b.Fatal(err)
		}
	}
}

// catchUp starts a new epoch, in which neither has missed a message.
func catchUp(b *testing.B, from, to *client) {
	b.Helper()
	st, err := from.Commit(CommitOptions{}, now)
	if err != nil {
		b.Fatal(err)
	}
	e, err := to.Process(mustParse(b, st.Message()), now)
	if err != nil {
		b.Fatal(err)
	}
	if err := to.Merge(e.(*StagedCommit)); err != nil {
		b.Fatal(err)
	}
	if err := from.Merge(st); err != nil {
		b.Fatal(err)
	}
}

func benchLoad(b *testing.B, g *benchGroup) {
	c := g.room.clients[1]
	disk := store{}
	copied, err := Join(c.cfg, mustParse(b, g.welcome), c.kp, c.secrets, g.tree, now)
	if err != nil {
		b.Fatal(err)
	}
	disk.save(copied.Drain())
	var size int
	for k, v := range disk {
		size += len(k) + len(v)
	}
	for b.Loop() {
		if _, err := Load(c.cfg, disk.records()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(size), "store-B")
}

func benchSave(b *testing.B, g *benchGroup) {
	c := g.room.clients[0]
	c.Drain()
	var size int
	for b.Loop() {
		b.StopTimer()
		if _, err := c.Encrypt(nil, []byte("x")); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		size = 0
		for _, r := range c.Drain() {
			size += len(r.Key) + len(r.Value)
		}
	}
	b.ReportMetric(float64(size), "record-B")
}
