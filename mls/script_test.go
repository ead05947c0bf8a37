package mls

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// The interop scenarios of mlswg/mls-implementations are scripts for two
// programs. Here all actors are of this implementation and in this process;
// each script runs with public and with encrypted handshakes.

func TestScenarios(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(filepath.Dir(filepath.Dir(vectorPath("x"))), "mls-scenarios", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Skipf("no scenarios at %s: set SCONCE_VECTORS to their folder", vectorPath("x"))
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		var all struct{ Scripts map[string][]scriptStep }
		if err := json.Unmarshal(b, &all); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, name := range slices.Sorted(maps.Keys(all.Scripts)) {
			for _, encrypt := range []bool{false, true} {
				if encrypt && name == "random" {
					continue // a long one: once is enough
				}
				t.Run(fmt.Sprintf("%s/%s/encrypted=%t", filepath.Base(file), name, encrypt), func(t *testing.T) {
					runScript(t, all.Scripts[name], encrypt)
				})
			}
		}
	}
}

type scriptStep struct {
	Action, Actor, Joiner, Signer, Member, Removed string
	Members, Joiners, Clients                      []string
	KeyPackage, PSKID                              int
	EpochID                                        uint64
	ByReference, PSKs                              []int
	ByValue                                        []scriptProposal
	Extensions                                     []scriptExtension
	Description                                    scriptProposal
	ForcePath                                      bool
	ForcePathSnake                                 bool `json:"force_path"`
	ExternalTree                                   bool
	ExternalTreeSnake                              bool `json:"external_tree"`
	RemovePrior                                    bool
	AuthenticatedData, Plaintext                   string
	Ciphertext                                     int

	Proposer, Committer, Welcomer    string
	ExternalReinitProposal           int
	ChangeCiphersuite, ChangeGroupID bool
}

type scriptProposal struct {
	ProposalType      string
	KeyPackage, PSKID int
	Removed           string
	EpochID           uint64
	Extensions        []scriptExtension
	ChangeGroupID     bool
	ChangeCipherSuite bool
}

type scriptExtension struct {
	Type uint16 `json:"extension_type"`
	Data string `json:"extension_data"`
}

type scriptActor struct {
	signer Signer
	group  *Group
	psks   map[string]Secret
}

// script is a run: what each step left, and who is where.
type script struct {
	t       *testing.T
	encrypt bool
	actors  map[string]*scriptActor

	kps       map[int]*KeyPackage
	secrets   map[int]*KeyPackageSecrets
	owners    map[int]string
	proposals map[int][]byte
	messages  map[int][]byte
	plain     map[int][2]string
	externals map[string]Signer
}

const scriptSuite = X25519AES128

func runScript(t *testing.T, steps []scriptStep, encrypt bool) {
	s := &script{t: t, encrypt: encrypt, actors: map[string]*scriptActor{}, kps: map[int]*KeyPackage{}, secrets: map[int]*KeyPackageSecrets{},
		owners: map[int]string{}, proposals: map[int][]byte{}, messages: map[int][]byte{}, plain: map[int][2]string{}, externals: map[string]Signer{}}
	for i, step := range steps {
		s.step(i, step)
		if t.Failed() {
			t.Fatalf("in step %d: %+v", i, step)
		}
	}
}

func (s *script) step(i int, p scriptStep) {
	do, ok := map[string]func(int, scriptStep){
		"createGroup":           s.createGroup,
		"createKeyPackage":      func(i int, p scriptStep) { s.createKeyPackage(i, p.Actor) },
		"addProposal":           func(i int, p scriptStep) { s.propose(i, p.Actor, &Add{s.kps[p.KeyPackage]}) },
		"updateProposal":        func(i int, p scriptStep) { s.propose(i, p.Actor, &Update{}) },
		"removeProposal":        func(i int, p scriptStep) { s.propose(i, p.Actor, &Remove{s.leaf(p.Removed)}) },
		"externalPSKProposal":   func(i int, p scriptStep) { s.propose(i, p.Actor, s.externalPSK(p.PSKID)) },
		"resumptionPSKProposal": func(i int, p scriptStep) { s.propose(i, p.Actor, s.resumptionPSK(p.Actor, p.EpochID)) },
		"groupContextExtensionsProposal": func(i int, p scriptStep) {
			s.propose(i, p.Actor, &GroupContextExtensions{s.extensions(p.Extensions)})
		},
		"installExternalPSK":     s.installPSK,
		"addExternalSigner":      s.addExternalSigner,
		"externalSignerProposal": s.externalSignerProposal,
		"newMemberAddProposal":   s.newMemberAdd,
		"fullCommit":             s.fullCommit,
		"externalJoin":           s.externalJoin,
		"reinit":                 s.reinit,
		"branch":                 s.branch,
		"protect":                s.protect,
		"unprotect":              s.unprotect,
	}[p.Action]
	if !ok {
		s.t.Fatalf("unknown action %q", p.Action)
	}
	do(i, p)
}

func (s *script) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *script) actor(name string) *scriptActor {
	a := s.actors[name]
	if a == nil {
		a = &scriptActor{signer: newSigner(s.t, scriptSuite, name), psks: map[string]Secret{}}
		s.actors[name] = a
	}
	return a
}

func (s *script) config(a *scriptActor) Config {
	return Config{Rules: lastWins{}, EncryptHandshakes: s.encrypt, PastEpochs: 3, PSK: func(id PreSharedKeyID) (Secret, bool) {
		psk, ok := a.psks[string(id.ID)]
		return psk, ok && id.Type == PSKExternal
	}}
}

func (s *script) createKeyPackage(i int, name string) {
	a := s.actor(name)
	kp, secrets, err := NewKeyPackage(scriptSuite, a.signer, KeyPackageOptions{Lifetime: always()})
	s.must(err)
	s.kps[i], s.secrets[i], s.owners[i] = kp, secrets, name
}

func (s *script) createGroup(i int, p scriptStep) {
	a := s.actor(p.Actor)
	g, err := Create(s.config(a), fmt.Appendf(nil, "group %d", i), scriptSuite, a.signer, Capabilities{}, nil)
	s.must(err)
	a.group = g
	if len(p.Members) == 0 {
		return
	}
	var list []Proposal
	for n, name := range p.Members {
		s.createKeyPackage(-1-n, name)
		list = append(list, &Add{s.kps[-1-n]})
	}
	st, err := g.Commit(CommitOptions{Proposals: list}, now)
	s.must(err)
	s.must(g.Merge(st))
	for n, name := range p.Members {
		s.join(name, st, -1-n, false)
	}
}

func (s *script) join(name string, st *StagedCommit, kp int, treeInside bool) {
	s.t.Helper()
	a := s.actor(name)
	tree := st.Tree()
	if treeInside {
		tree = nil
	}
	g, err := Join(s.config(a), mustParse(s.t, st.Welcome()), s.kps[kp], s.secrets[kp], tree, now)
	s.must(err)
	a.group = g
}

func (s *script) leaf(name string) LeafIndex { return s.actor(name).group.Own() }

func (s *script) propose(i int, name string, q Proposal) {
	s.t.Helper()
	m, err := s.actor(name).group.Propose(q, nil)
	s.must(err)
	s.proposals[i] = m
}

func (s *script) nonce() []byte {
	suite, _ := scriptSuite.suite()
	return suite.randomSecret()
}

func (s *script) externalPSK(step int) Proposal {
	return &PreSharedKey{PreSharedKeyID{Type: PSKExternal, ID: fmt.Appendf(nil, "psk %d", step), Nonce: s.nonce()}}
}

func (s *script) resumptionPSK(name string, epoch uint64) Proposal {
	return &PreSharedKey{PreSharedKeyID{Type: PSKResumption, Usage: ResumptionApplication,
		GroupID: s.actor(name).group.Context().GroupID, Epoch: epoch, Nonce: s.nonce()}}
}

func (s *script) extensions(list []scriptExtension) Extensions {
	var out Extensions
	for _, e := range list {
		b, err := base64.StdEncoding.DecodeString(e.Data)
		s.must(err)
		out = append(out, Extension{ExtensionType(e.Type), b})
	}
	return out
}

func (s *script) installPSK(i int, p scriptStep) {
	for _, name := range p.Clients {
		s.actor(name).psks[fmt.Sprintf("psk %d", i)] = Secret(fmt.Sprintf("the secret of step %d", i))
	}
}

func (s *script) proposal(by string, q scriptProposal) Proposal {
	switch q.ProposalType {
	case "add":
		return &Add{s.kps[q.KeyPackage]}
	case "remove":
		return &Remove{s.leaf(q.Removed)}
	case "externalPSK":
		return s.externalPSK(q.PSKID)
	case "resumptionPSK":
		return s.resumptionPSK(by, q.EpochID)
	case "groupContextExtensions":
		return &GroupContextExtensions{s.extensions(q.Extensions)}
	case "reinit":
		return s.reinitProposal(by, q.ChangeCipherSuite, q.ChangeGroupID, q.Extensions)
	}
	s.t.Fatalf("unknown proposal %q", q.ProposalType)
	return nil
}

func (s *script) addExternalSigner(i int, p scriptStep) {
	signer := newSigner(s.t, scriptSuite, p.Signer)
	s.externals[p.Signer] = signer
	ctx := s.actor(p.Actor).group.Context()
	var senders []ExternalSender
	if b, ok := ctx.Extensions.Find(ExtensionExternalSenders); ok {
		var err error
		senders, err = parseExternalSenders(b)
		s.must(err)
	}
	senders = append(senders, ExternalSender{SignatureKey: signer.Public, Credential: signer.Credential})
	s.propose(i, p.Actor, &GroupContextExtensions{ctx.Extensions.With(ExtensionExternalSenders, ExternalSendersExtension(senders...).Data)})
}

func (s *script) outside(name string) ExternalGroup {
	ctx := s.actor(name).group.Context()
	return ExternalGroup{GroupID: ctx.GroupID, Epoch: ctx.Epoch, CipherSuite: ctx.CipherSuite}
}

func (s *script) externalSignerProposal(i int, p scriptStep) {
	b, _ := s.actor(p.Member).group.Context().Extensions.Find(ExtensionExternalSenders)
	senders, err := parseExternalSenders(b)
	s.must(err)
	signer := s.externals[p.Actor]
	index := slices.IndexFunc(senders, func(e ExternalSender) bool { return bytes.Equal(e.SignatureKey, signer.Public) })
	s.proposals[i], err = NewExternalProposal(s.proposal(p.Member, p.Description), s.outside(p.Member), uint32(index), signer.Private)
	s.must(err)
}

func (s *script) newMemberAdd(i int, p scriptStep) {
	s.createKeyPackage(i, p.Joiner)
	m, err := NewJoinProposal(s.kps[i], s.outside(p.Actor), s.actor(p.Joiner).signer.Private)
	s.must(err)
	s.proposals[i] = m
}

// process has actors process a message, and merge it if it is a commit.
func (s *script) process(message []byte, names ...string) {
	s.t.Helper()
	for _, name := range names {
		g := s.actor(name).group
		e, err := g.Process(mustParse(s.t, message), now)
		if err != nil {
			s.t.Fatalf("%s: %v", name, err)
		}
		if st, ok := e.(*StagedCommit); ok {
			s.must(g.Merge(st))
		}
	}
}

func (s *script) fullCommit(_ int, p scriptStep) {
	by := s.actor(p.Actor)
	for _, ref := range p.ByReference {
		s.process(s.proposals[ref], append([]string{p.Actor}, p.Members...)...)
	}
	var list []Proposal
	for _, q := range p.ByValue {
		list = append(list, s.proposal(p.Actor, q))
	}
	inside := !p.ExternalTree && !p.ExternalTreeSnake
	st, err := by.group.Commit(CommitOptions{Proposals: list, ForcePath: p.ForcePath || p.ForcePathSnake, InlineTree: inside}, now)
	s.must(err)
	if got, want := len(st.View().Proposals), len(p.ByReference)+len(p.ByValue); got != want {
		s.t.Fatalf("the commit has %d proposals, want %d", got, want)
	}
	s.process(st.Message(), p.Members...)
	s.must(by.group.Merge(st))
	for _, name := range p.Joiners {
		s.join(name, st, s.keyPackageOf(name, st), inside)
	}
	s.agree(append(append([]string{p.Actor}, p.Members...), p.Joiners...)...)
}

// keyPackageOf finds which of an actor's key packages the commit adds.
func (s *script) keyPackageOf(name string, st *StagedCommit) int {
	for i, owner := range s.owners {
		if owner != name {
			continue
		}
		for _, a := range st.View().Added {
			if a.New == s.kps[i].Leaf || bytes.Equal(a.New.EncryptionKey, s.kps[i].Leaf.EncryptionKey) {
				return i
			}
		}
	}
	s.t.Fatalf("the commit does not add %s", name)
	return 0
}

func (s *script) agree(names ...string) {
	s.t.Helper()
	want := s.actor(names[0]).group
	for _, name := range names[1:] {
		g := s.actor(name).group
		wantBytes(s.t, name+"'s epoch authenticator", g.EpochAuthenticator(), want.EpochAuthenticator())
	}
}

func (s *script) externalJoin(_ int, p scriptStep) {
	host, a := s.actor(p.Actor), s.actor(p.Joiner)
	gi, err := host.group.GroupInfo(!p.ExternalTree)
	s.must(err)
	var tree []byte
	if p.ExternalTree {
		tree = host.group.Tree()
	}
	o := ExternalOptions{}
	if p.RemovePrior {
		leaf := a.group.Own()
		o.Resync = &leaf
	}
	for _, step := range p.PSKs {
		o.Proposals = append(o.Proposals, s.externalPSK(step))
		a.psks[fmt.Sprintf("psk %d", step)] = Secret(fmt.Sprintf("the secret of step %d", step))
	}
	st, err := JoinExternal(s.config(a), gi, tree, a.signer, o, now)
	s.must(err)
	s.process(st.Message(), append([]string{p.Actor}, p.Members...)...)
	a.group, err = st.Group()
	s.must(err)
	s.agree(append([]string{p.Actor, p.Joiner}, p.Members...)...)
}

func (s *script) reinitProposal(by string, suite, id bool, ext []scriptExtension) *ReInit {
	ctx := s.actor(by).group.Context()
	q := &ReInit{GroupID: ctx.GroupID, Version: 1, CipherSuite: ctx.CipherSuite, Extensions: s.extensions(ext)}
	if suite {
		q.CipherSuite = P256AES128
	}
	if id {
		q.GroupID = []byte("the group after")
	}
	return q
}

func (s *script) reinit(i int, p scriptStep) {
	names := slices.Compact(slices.Sorted(slices.Values(append(slices.DeleteFunc([]string{p.Proposer, p.Committer, p.Welcomer},
		func(n string) bool { return n == "" }), p.Members...))))
	proposal := s.proposals[p.ExternalReinitProposal]
	if p.Proposer != "" {
		s.propose(i, p.Proposer, s.reinitProposal(p.Proposer, p.ChangeCiphersuite, p.ChangeGroupID, p.Extensions))
		proposal = s.proposals[i]
	}
	s.process(proposal, names...)
	by := s.actor(p.Committer).group
	st, err := by.Commit(CommitOptions{ForcePath: p.ForcePath}, now)
	s.must(err)
	others := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == p.Committer })
	s.process(st.Message(), others...)
	s.must(by.Merge(st))

	welcomer := s.actor(p.Welcomer)
	suite := welcomer.group.ReInit().CipherSuite
	s.succeed(p, names, p.Welcomer, suite, func(cfg Config, signer Signer, kps []*KeyPackage, o SuccessionOptions) (*Group, *StagedCommit, error) {
		return welcomer.group.ReInitialise(cfg, signer, kps, o, now)
	})
}

func (s *script) branch(_ int, p scriptStep) {
	a := s.actor(p.Actor)
	s.succeed(p, append([]string{p.Actor}, p.Members...), p.Actor, scriptSuite, func(cfg Config, signer Signer, kps []*KeyPackage, o SuccessionOptions) (*Group, *StagedCommit, error) {
		return a.group.Branch(cfg, []byte("branch"), s.extensions(p.Extensions), signer, kps, o, now)
	})
}

func (s *script) succeed(p scriptStep, names []string, by string, suite CipherSuite,
	create func(Config, Signer, []*KeyPackage, SuccessionOptions) (*Group, *StagedCommit, error)) {
	var kps []*KeyPackage
	secrets := map[string]*KeyPackageSecrets{}
	own := map[string]*KeyPackage{}
	signers := map[string]Signer{}
	for _, name := range names {
		signer := s.actor(name).signer
		if suite != scriptSuite {
			signer = newSigner(s.t, suite, name)
		}
		signers[name] = signer
		if name == by {
			continue
		}
		kp, secret, err := NewKeyPackage(suite, signer, KeyPackageOptions{Lifetime: always()})
		s.must(err)
		kps, secrets[name], own[name] = append(kps, kp), secret, kp
	}
	a := s.actor(by)
	next, st, err := create(s.config(a), signers[by], kps, SuccessionOptions{ForcePath: p.ForcePath, InlineTree: !p.ExternalTree})
	s.must(err)
	s.must(next.Merge(st))
	var tree []byte
	if p.ExternalTree {
		tree = next.Tree()
	}
	for _, name := range names {
		if name == by {
			continue
		}
		old := s.actor(name)
		g, err := Join(old.group.Succeeding(s.config(old)), mustParse(s.t, st.Welcome()), own[name], secrets[name], tree, now)
		s.must(err)
		old.group = g
	}
	a.group = next
	s.agree(names...)
}

func (s *script) protect(i int, p scriptStep) {
	m, err := s.actor(p.Actor).group.Encrypt([]byte(p.AuthenticatedData), []byte(p.Plaintext))
	s.must(err)
	s.messages[i], s.plain[i] = m, [2]string{p.AuthenticatedData, p.Plaintext}
}

func (s *script) unprotect(_ int, p scriptStep) {
	e, err := s.actor(p.Actor).group.Process(mustParse(s.t, s.messages[p.Ciphertext]), now)
	s.must(err)
	m := e.(*ApplicationMessage)
	if got := [2]string{string(m.AuthenticatedData), string(m.Data)}; got != s.plain[p.Ciphertext] {
		s.t.Errorf("read %q, want %q", got, s.plain[p.Ciphertext])
	}
}
