package mls

import (
	"fmt"
	"testing"
)

// benchGroup is a group of n in which the creator added all others in one
// commit, so that no parent node is filled: the worst case for commits. Its
// room has the creator and the last member.
type benchGroup struct {
	room    *room
	adds    []Proposal
	welcome []byte // of the bulk add, for the last member alone
	tree    []byte
	filled  *benchGroup // another group, after each member has committed once; nil until asked for
}

var benchGroups = map[string]*benchGroup{}

func benchSetup(b *testing.B, suite CipherSuite, n int) *benchGroup {
	b.Helper()
	key := fmt.Sprint(suite, n)
	if benchGroups[key] == nil {
		benchGroups[key] = makeBenchGroup(b, suite, n)
	}
	return benchGroups[key]
}

func makeBenchGroup(b *testing.B, suite CipherSuite, n int) *benchGroup {
	b.Helper()
	r := newRoom(b, suite, 1, Config{})
	g := &benchGroup{room: r}
	var last *client
	for range n - 1 {
		last = r.newClient()
		g.adds = append(g.adds, &Add{KeyPackage: last.kp})
	}
	st := r.commit(r.clients[0], CommitOptions{Proposals: g.adds})
	ref, err := last.kp.Ref()
	if err != nil {
		b.Fatal(err)
	}
	g.tree, g.welcome = st.Tree(), st.WelcomeFor(ref)
	r.join(last, st)
	return g
}

// fill gives the two clients of a group in which each member has committed
// once. Commits of a thousand members take minutes, so their paths are put
// into the tree directly, and the two are given the private keys they would know.
func (g *benchGroup) fill(b *testing.B) (first, last *client) {
	b.Helper()
	if g.filled == nil {
		g.filled = makeBenchGroup(b, g.room.suite, len(g.adds)+1)
		g.filled.fillTree(b)
	}
	return g.filled.room.clients[0], g.filled.room.clients[1]
}

func (g *benchGroup) fillTree(b *testing.B) {
	clients := g.room.clients
	p := clients[0].public
	private := map[nodeIndex]Secret{}
	for i, l := range p.tree.leaves() {
		path, err := p.tree.createPath(p.s, i, l, clients[0].Group.signer, p.ctx.GroupID)
		if err != nil {
			b.Fatal(err)
		}
		private[i.node()] = path.secrets.leaf
		for n, key := range path.secrets.private {
			private[n] = key
		}
	}
	ctx := *p.ctx
	ctx.TreeHash = p.tree.hash(p.s)
	for _, c := range clients {
		c.member.secrets = newTreeSecrets(private[c.own.node()])
		for n := range p.tree.directPath(c.own) {
			if key := private[n]; key != nil {
				c.member.secrets.private[n] = key
			}
		}
		c.public.tree = p.tree.fork()
		c.public.setEpoch(&ctx, c.public.interim, c.public.confirmationTag)
	}
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
			run("commit-filled", benchCommitFilled)
			run("process-filled", benchProcessFilled)
			run("encrypt-256", benchEncrypt)
			run("decrypt-256", benchDecrypt)
			run("load", benchLoad)
			run("save-after-message", benchSave)
		}
	}
}

// BenchmarkPrimitives measures what no code of ours can avoid, to read the
// others against: a commit seals once for each node that it reaches, an Add is
// two verifications and a seal, a member of a joined tree one verification.
func BenchmarkPrimitives(b *testing.B) {
	for _, id := range []CipherSuite{X25519AES128, P256AES128, MLKEM768P256AES256} {
		s := mustSuite(b, id)
		_, public, err := s.generateKeyPair()
		if err != nil {
			b.Fatal(err)
		}
		private, verifyKey, err := s.sig.generate()
		if err != nil {
			b.Fatal(err)
		}
		key, err := s.sig.signingKey(private)
		if err != nil {
			b.Fatal(err)
		}
		context, message := make([]byte, 180), [][]byte{make([]byte, 400)}
		secret, to := s.randomSecret(), s.sealer(context)
		signature, err := key(nil, message)
		if err != nil {
			b.Fatal(err)
		}
		for _, c := range []struct {
			name string
			f    func() bool
		}{
			{"check-key", func() bool { return s.checkPublicKey(public) == nil }},
			{"seal", func() bool { _, err := to.seal(public, secret); return err == nil }},
			{"seal-std", func() bool { _, err := s.hpkeSeal(context, public, secret); return err == nil }},
			{"sign", func() bool { _, err := key(nil, message); return err == nil }},
			{"verify", func() bool { return s.sig.verify(verifyKey, message, signature) }},
		} {
			b.Run(fmt.Sprintf("%#04x/%s", uint16(id), c.name), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if !c.f() {
						b.Fatal("refused")
					}
				}
			})
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
	messages := make([][]byte, b.N)
	for i := range messages {
		var err error
		if messages[i], err = from.Encrypt(nil, text); err != nil {
			b.Fatal(err)
		}
	}
	b.ResetTimer()
	for _, m := range messages {
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
		if err := spend(c.messages, c.own, applicationRatchet); err != nil {
			b.Fatal(err)
		}
		size = 0
		for _, r := range c.Drain() {
			size += len(r.Key) + len(r.Value)
		}
	}
	b.ReportMetric(float64(size), "record-B")
}
