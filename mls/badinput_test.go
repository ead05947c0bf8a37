package mls

import (
	"bytes"
	"runtime"
	"slices"
	"testing"
	"time"
)

// Hostile input is refused by name, with work that its own size bounds.

// costs runs what refuses an input, and holds it to memory in proportion to the
// input's size and to little time.
func costs(t *testing.T, size int, refuse func() error) error {
	t.Helper()
	const perOctet, always = 150, 4 << 20
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	err := refuse()
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > uint64(size)*perOctet+always {
		t.Errorf("%d octets of input take %d of memory", size, used)
	}
	if limit := 5*time.Second + time.Duration(size)*5*time.Microsecond; took > limit {
		t.Errorf("%d octets of input take %v", size, took)
	}
	return err
}

func TestHostileBytesCostNoMoreThanTheirSize(t *testing.T) {
	head := []byte{0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0} // of a public message by member 0
	commitOf := func(list []byte) []byte { return append(append(bytes.Clone(head), 3), list...) }
	huge := []byte{0xbf, 0xff, 0xff, 0xff} // 2^30-1
	tests := []struct {
		name          string
		message       []byte
		section, rule string
	}{
		{"application data of 2^30-1 octets that are not there", append(append(bytes.Clone(head), 1), huge...), "2.1", "input ends early"},
		{"a list of 2^30-1 octets of proposals", append(commitOf(huge), 1, 0, 3), "2.1", "input ends early"},
		{"a group id of 2^30-1 octets", append([]byte{0, 1, 0, 1}, huge...), "2.1", "input ends early"},
		{"a megabyte of removes, and an octet more", append(commitOf(appendVec(nil, bytes.Repeat([]byte{1, 0, 3, 0, 0, 0, 1}, 150_000))), 0, 0, 0, 0, 0), "2.1", "bytes left over"},
		{"a megabyte of empty references", append(commitOf(appendVec(nil, bytes.Repeat([]byte{2, 0}, 500_000))), 2), "2.1.1", "presence octet"},
		{"a megabyte of key package extensions", append(append(bytes.Clone(head), 2, 0, 7), appendVec(nil, bytes.Repeat([]byte{0xf0, 1, 0}, 350_000))...), "13.4", "stands twice"},
		{"a megabyte of zeros", make([]byte, 1<<20), "6", "unknown protocol version"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := costs(t, len(test.message), func() error {
				_, err := ParseMessage(test.message)
				return err
			})
			wantRefusal(t, err, test.section, test.rule)
		})
	}
}

func TestTreeOfAMillionBlankNodesIsRefused(t *testing.T) {
	b := appendVec(nil, append(make([]byte, 1_000_000), 1))
	err := costs(t, len(b), func() error {
		_, err := parseTree(b)
		return err
	})
	wantRefusal(t, err, "12.4.3.3", "tree has more than")
	// As many as are read, and then a leaf that is none.
	b = appendVec(nil, append(make([]byte, 2*maxLeaves-2), 1, 1))
	err = costs(t, len(b), func() error {
		_, err := parseTree(b)
		return err
	})
	wantRefusal(t, err, "2.1", "input ends early")
}

// TestSparseTreeCostsNoMoreThanItsSize joins a group whose tree has one leaf at
// each end: as wide as is read, and all of it to be hashed.
func TestSparseTreeCostsNoMoreThanItsSize(t *testing.T) {
	s := mustSuite(t, X25519AES128)
	signer := newSigner(t, s.id, "a")
	leaf, _, err := newKeyPackageLeaf(s, signer, KeyPackageOptions{Lifetime: always()})
	if err != nil {
		t.Fatal(err)
	}
	present := node{leaf: leaf}.appendTo([]byte{1})
	b := appendVec(nil, append(append(bytes.Clone(present), make([]byte, 2*maxLeaves-3)...), present...))
	gi := &GroupInfo{Context: GroupContext{Version: 1, CipherSuite: s.id, GroupID: []byte("g"), TreeHash: make([]byte, s.nh)}}
	if err := gi.sign(s, signer.Private); err != nil {
		t.Fatal(err)
	}
	err = costs(t, len(b), func() error {
		_, err := NewPublicGroup(Config{}, gi, b, now)
		return err
	})
	wantRefusal(t, err, "12.4.3.1", "tree hash is not that")
}

// TestTreeOfOneKeyIsRefused joins a group of thousands who all have the keys of
// its one member.
func TestTreeOfOneKeyIsRefused(t *testing.T) {
	s := mustSuite(t, X25519AES128)
	signer := newSigner(t, s.id, "a")
	leaf, _, err := newKeyPackageLeaf(s, signer, KeyPackageOptions{Lifetime: always()})
	if err != nil {
		t.Fatal(err)
	}
	tree := newTree(leaf)
	for range 5000 {
		tree.add(leaf)
	}
	b := tree.appendTo(nil)
	gi := &GroupInfo{Context: GroupContext{Version: 1, CipherSuite: s.id, GroupID: []byte("g"), TreeHash: tree.hash(s)}}
	if err := gi.sign(s, signer.Private); err != nil {
		t.Fatal(err)
	}
	err = costs(t, len(b), func() error {
		_, err := NewPublicGroup(Config{}, gi, b, now)
		return err
	})
	wantRefusal(t, err, "7.3", "have the same encryption key")
}

func TestContradictionsAreRefusedInTimeThatTheirNumberBounds(t *testing.T) {
	r := newRoom(t, X25519AES128, 3, Config{})
	list := inline(&Remove{Removed: 2})
	for range 50_000 {
		list = append(list, proposalOrRef{proposal: &AppDataUpdate{Component: testComponent, Update: []byte("x")}})
	}
	list = append(list, inline(&Remove{Removed: 2})...)
	m := r.forge(r.clients[0], nil, list...)
	err := costs(t, len(m), func() error {
		_, err := r.clients[1].Process(mustParse(t, m), now)
		return err
	})
	wantRefusal(t, err, "12.2", "for leaf 2")
}

func TestUnknownTypesAreNamed(t *testing.T) {
	suite := X25519AES128
	r := newRoom(t, suite, 3, Config{})
	unknown := newSigner(t, suite, "x")
	unknown.Credential.Type = 0xF123
	caps := DefaultCapabilities()
	caps.Credentials = append(caps.Credentials, 0xF123)
	kp, _, err := NewKeyPackage(suite, unknown, KeyPackageOptions{Lifetime: always(), Capabilities: caps})
	if err != nil {
		t.Fatal(err)
	}
	r.refused(r.forge(r.clients[0], nil, inline(&Add{kp})...), "7.3", "is not supported by all members")

	listed := DefaultCapabilities()
	listed.Extensions = append(listed.Extensions, 0xF123)
	kp, _, err = NewKeyPackage(suite, newSigner(t, suite, "y"), KeyPackageOptions{Lifetime: always(), Capabilities: listed, LeafExtensions: Extensions{{Type: 0xF123}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := kp.Verify(now); err != nil {
		t.Errorf("an extension that nobody here knows, and that its leaf lists: %v", err)
	}
	_, _, err = NewKeyPackage(suite, newSigner(t, suite, "z"), KeyPackageOptions{Lifetime: always(), LeafExtensions: Extensions{{Type: 0xF123}}})
	wantRefusal(t, err, "7.3", "its own extension")
}

func TestCommitOfARemovedMemberIsRefused(t *testing.T) {
	r := newRoom(t, X25519AES128, 4, Config{})
	gone := r.clients[2]
	gone.disk.save(gone.Drain())
	kept, err := Load(gone.cfg, gone.disk.records())
	if err != nil {
		t.Fatal(err)
	}
	r.commit(r.clients[0], CommitOptions{Proposals: []Proposal{&Remove{Removed: gone.Own()}}})
	// It knows the number of the epoch, and nothing else of it.
	ac := kept.frame(ContentCommit, FormatPublicMessage, nil)
	ac.content.epoch = r.server.Context().Epoch
	ac.content.commit = &commit{}
	m := r.sealForged(&client{Group: kept}, ac)
	err = costs(t, len(m), func() error {
		_, err := r.server.Process(mustParse(t, m), now)
		return err
	})
	wantRefusal(t, err, "6.1", "which is blank")
	for _, c := range r.clients {
		err := costs(t, len(m), func() error {
			_, err := c.Process(mustParse(t, m), now)
			return err
		})
		wantRefusal(t, err, "6.2", "membership tag")
	}
}

func TestWelcomeForAnotherGroupIsRefused(t *testing.T) {
	i, other := invite(t), invite(t)
	join := func(welcome *Message, tree []byte) error {
		return costs(t, len(welcome.Bytes())+len(tree), func() error {
			_, err := Join(i.cfg, welcome, i.kp, i.secrets, tree, now)
			return err
		})
	}
	wantRefusal(t, join(other.welcome, i.tree), "12.4.3.1", "welcome is for other key packages")
	// The right Welcome with the tree of another group.
	wantRefusal(t, join(i.welcome, other.tree), "12.4.3", "group info signature")
}

// TestLongListsOfRequirementsAreRefusedInTimeThatTheirLengthBounds: a member can
// make what a group requires as long as a message, and its own leaf's list too.
func TestLongListsOfRequirementsAreRefusedInTimeThatTheirLengthBounds(t *testing.T) {
	const rare = ExtensionType(0xFFFF)
	types := make([]ExtensionType, 0, 1<<16)
	for e := ExtensionType(0x0FFF); e < rare; e++ {
		types = append(types, e)
	}
	types = append(types, rare)
	behind := append(slices.Repeat([]ExtensionType{7}, 2_000_000), types...) // each is found late
	required := RequiredCapabilities{Extensions: types}.Extension()
	repeated := RequiredCapabilities{Extensions: slices.Repeat([]ExtensionType{rare}, 250_000)}.Extension()
	for what, c := range map[string]struct {
		asked  Extension
		listed []ExtensionType
		lacks  ExtensionType // 0 if nothing
	}{
		"all of them":             {required, behind, 0},
		"one is missing":          {required, behind[:len(behind)-1], rare},
		"one that is repeated":    {repeated, behind, 0},
		"a default among them":    {RequiredCapabilities{Extensions: append([]ExtensionType{ExtensionRatchetTree}, types...)}.Extension(), behind, 0},
		"few, of a long list":     {RequiredCapabilities{Extensions: []ExtensionType{rare, 0xF000}}.Extension(), behind, 0},
		"few, and one is missing": {RequiredCapabilities{Extensions: []ExtensionType{0xF000, rare}}.Extension(), types[:len(types)-1], rare},
	} {
		t.Run(what, func(t *testing.T) {
			err := costs(t, len(c.asked.Data)+2*len(c.listed), func() error {
				demands, err := demandsOf(Extensions{c.asked})
				if err != nil {
					return err
				}
				if asked := demands.required.Extensions; len(asked) > 1<<16 || len(slices.Compact(asked)) != len(asked) {
					t.Errorf("%d types are asked of each leaf", len(asked))
				}
				leaf := &LeafNode{Capabilities: Capabilities{Extensions: append([]ExtensionType{ExtensionRequiredCapabilities}, c.listed...)}}
				return demands.check(leaf)
			})
			if c.lacks == 0 && err != nil {
				t.Error(err)
			} else if c.lacks != 0 {
				wantRefusal(t, err, "7.3", "leaf does not support required extension 65535")
			}
		})
	}
}
