package mls_test

import (
	"errors"
	"fmt"
	"time"

	"sconce/mls"
)

// Alice makes a group, adds Bob, and writes to him.
func Example() {
	now := time.Now()
	alice, bob := newSigner("alice"), newSigner("bob")

	// Bob publishes a key package, and keeps its secrets.
	keyPackage, secrets := newKeyPackage(bob, now)

	a, err := mls.Create(mls.Config{}, []byte("a random id"), mls.DefaultSuite, alice, mls.DefaultCapabilities(), nil)
	check(err)
	staged, err := a.Commit(mls.CommitOptions{Proposals: []mls.Proposal{&mls.Add{KeyPackage: keyPackage}}}, now)
	check(err)
	// Alice stores staged.Bytes(), sends staged.Message(), and once it is accepted:
	check(a.Merge(staged))

	welcome, err := mls.ParseMessage(staged.Welcome())
	check(err)
	b, err := mls.Join(mls.Config{}, welcome, keyPackage, secrets, staged.Tree(), now)
	check(err)

	// Each stores what Drain gives before anything leaves the device.
	sent, err := a.Encrypt(nil, []byte("hello"))
	check(err)
	_ = a.Drain()

	received, err := mls.ParseMessage(sent)
	check(err)
	event, err := b.Process(received, now)
	check(err)
	message := event.(*mls.ApplicationMessage)
	fmt.Printf("%s: %s\n", message.Credential.Identity, message.Data)
	// Output: alice: hello
}

// A member removes another, and looks at what a commit of somebody else does
// before it takes effect.
func ExampleGroup_Commit_remove() {
	now := time.Now()
	groups := newGroup(now, "alice", "bob", "carol")
	alice, bob, carol := groups[0], groups[1], groups[2]

	staged, err := alice.Commit(mls.CommitOptions{Proposals: []mls.Proposal{&mls.Remove{Removed: carol.Own()}}}, now)
	check(err)

	// What the others do with it, in the order of the log:
	for _, g := range []*mls.Group{bob, carol} {
		message, err := mls.ParseMessage(staged.Message())
		check(err)
		event, err := g.Process(message, now)
		check(err)
		commit := event.(*mls.StagedCommit)
		if g == bob {
			for _, r := range commit.View().Removed {
				fmt.Printf("%s is removed by %s\n", r.Old.Credential.Identity, g.Member(mls.LeafIndex(r.By.Index)).Credential.Identity)
			}
		}
		check(g.Merge(commit))
	}
	check(alice.Merge(staged))

	_, err = carol.Encrypt(nil, []byte("hello?"))
	fmt.Println("carol is out:", carol.Removed(), errors.Is(err, mls.ErrRemoved))
	// Output:
	// carol is removed by alice
	// carol is out: true true
}

// Dave joins by himself, with a GroupInfo that a member gave out.
func ExampleJoinExternal() {
	now := time.Now()
	groups := newGroup(now, "alice", "bob")

	info, err := groups[1].GroupInfo(true) // with the ratchet tree inside
	check(err)

	// Dave stores staged.Bytes(), sends staged.Message(), and once it is accepted:
	staged, err := mls.JoinExternal(mls.Config{}, info, nil, newSigner("dave"), mls.ExternalOptions{}, now)
	check(err)
	dave, err := staged.Group()
	check(err)

	for _, g := range groups {
		message, err := mls.ParseMessage(staged.Message())
		check(err)
		event, err := g.Process(message, now)
		check(err)
		check(g.Merge(event.(*mls.StagedCommit)))
	}
	fmt.Println(dave.MemberCount(), "members, who agree:", string(dave.EpochAuthenticator()) == string(groups[0].EpochAuthenticator()))
	// Output: 3 members, who agree: true
}

// A server follows a group without its secrets: it refuses what no member
// would take, and knows who is in.
func ExamplePublicGroup() {
	now := time.Now()
	groups := newGroup(now, "alice")
	info, err := groups[0].GroupInfo(true)
	check(err)
	server, err := mls.NewPublicGroup(mls.Config{}, info, nil, now)
	check(err)

	keyPackage, _ := newKeyPackage(newSigner("bob"), now)
	staged, err := groups[0].Commit(mls.CommitOptions{Proposals: []mls.Proposal{&mls.Add{KeyPackage: keyPackage}}}, now)
	check(err)

	for range 2 { // the same commit twice: one can win
		message, err := mls.ParseMessage(staged.Message())
		check(err)
		event, err := server.Process(message, now)
		if late, ok := errors.AsType[*mls.EpochError](err); ok {
			fmt.Printf("refused: the group is in epoch %d\n", late.Have)
			continue
		}
		check(err)
		commit := event.(*mls.StagedCommit)
		for _, added := range commit.View().Added {
			fmt.Printf("%s joins at leaf %d\n", added.New.Credential.Identity, added.Leaf)
		}
		check(server.Merge(commit))
	}
	// Output:
	// bob joins at leaf 1
	// refused: the group is in epoch 1
}

// A component takes a secret that all members share, and that cannot be worked
// out again from what is left on a device.
func ExampleGroup_SafeExport() {
	groups := newGroup(time.Now(), "alice", "bob")
	const calls mls.ComponentID = 0x8123
	a, err := groups[0].SafeExport(calls)
	check(err)
	b, err := groups[1].SafeExport(calls)
	check(err)
	_, again := groups[1].SafeExport(calls)
	fmt.Println(a, a.Equal(b), errors.Is(again, mls.ErrExported))
	// Output: [secret] true true
}

// A component signs with the key of Alice's leaf. No other component can take
// the signature for one of its own, nor can MLS.
func ExampleGroup_SafeSign() {
	groups := newGroup(time.Now(), "alice", "bob")
	alice, bob := groups[0], groups[1]
	const polls, calls mls.ComponentID = 0x8123, 0x8124

	vote := []byte("yes")
	signature, err := alice.SafeSign(polls, "vote", vote)
	check(err)

	// Whoever sees Alice's leaf can check it: Bob, or a server.
	suite, key := bob.Context().CipherSuite, bob.Member(alice.Own()).SignatureKey
	fmt.Println("to polls:", suite.SafeVerify(key, polls, "vote", vote, signature))
	fmt.Println("to calls:", suite.SafeVerify(key, calls, "vote", vote, signature))
	// Output:
	// to polls: true
	// to calls: false
}

// A component seals to one member what nobody else in the group can read.
func ExampleGroup_SafeDecrypt() {
	groups := newGroup(time.Now(), "alice", "bob", "carol")
	alice, bob, carol := groups[0], groups[1], groups[2]
	const calls mls.ComponentID = 0x8124

	key := alice.Member(bob.Own()).EncryptionKey // who is not in the group may seal, too
	sealed, err := alice.Context().CipherSuite.SafeEncrypt(key, calls, "offer", nil, []byte("pick up"))
	check(err)

	opened, err := bob.SafeDecrypt(key, calls, "offer", nil, sealed)
	check(err)
	fmt.Printf("bob: %s, or as it prints: %s\n", []byte(opened), opened)

	_, err = carol.SafeDecrypt(key, calls, "offer", nil, sealed)
	fmt.Println("carol:", err)
	// Output:
	// bob: pick up, or as it prints: [secret]
	// carol: mls: decryption failed
}

// A group may ask that what goes beside a message, readable for all who carry
// it, says which component it is of.
func ExampleSafeAAD() {
	now := time.Now()
	const calls mls.ComponentID = 0x8124
	framed := mls.AppData{mls.ComponentSafeAAD: mls.ComponentsList()}
	groups := newGroupWith(now, mls.Extensions{framed.Extension()}, "alice", "bob")
	alice, bob := groups[0], groups[1]

	_, err := alice.Encrypt([]byte("ring"), []byte("hello"))
	refused, _ := errors.AsType[*mls.InvalidError](err)
	fmt.Println("not framed:", refused.Section)

	sent, err := alice.Encrypt(mls.SafeAAD{calls: []byte("ring")}.Bytes(), []byte("hello"))
	check(err)
	received, err := mls.ParseMessage(sent)
	check(err)
	event, err := bob.Process(received, now)
	check(err)
	beside, err := mls.ParseSafeAAD(event.(*mls.ApplicationMessage).AuthenticatedData)
	check(err)
	fmt.Printf("of calls: %s\n", beside[calls])
	// Output:
	// not framed: draft-ietf-mls-extensions SafeAAD
	// of calls: ring
}

// newGroup has the first of these make a group and add the others.
func newGroup(now time.Time, names ...string) []*mls.Group { return newGroupWith(now, nil, names...) }

// newGroupWith makes a group that has extensions.
func newGroupWith(now time.Time, ext mls.Extensions, names ...string) []*mls.Group {
	first, err := mls.Create(mls.Config{}, []byte("a random id"), mls.DefaultSuite, newSigner(names[0]), mls.DefaultCapabilities(), ext)
	check(err)
	groups := []*mls.Group{first}
	if len(names) == 1 {
		return groups
	}
	o := mls.CommitOptions{AuthenticatedData: mls.SafeAAD{}.Bytes()} // for groups that ask for it
	var kps []*mls.KeyPackage
	var secrets []*mls.KeyPackageSecrets
	for _, name := range names[1:] {
		kp, s := newKeyPackage(newSigner(name), now)
		kps, secrets = append(kps, kp), append(secrets, s)
		o.Proposals = append(o.Proposals, &mls.Add{KeyPackage: kp})
	}
	staged, err := first.Commit(o, now)
	check(err)
	check(first.Merge(staged))
	welcome, err := mls.ParseMessage(staged.Welcome())
	check(err)
	for i, kp := range kps {
		g, err := mls.Join(mls.Config{}, welcome, kp, secrets[i], staged.Tree(), now)
		check(err)
		groups = append(groups, g)
	}
	return groups
}

func newKeyPackage(s mls.Signer, now time.Time) (*mls.KeyPackage, *mls.KeyPackageSecrets) {
	lifetime := mls.Lifetime{NotBefore: uint64(now.Unix()) - 3600, NotAfter: uint64(now.Unix()) + 60*86400}
	kp, secrets, err := mls.NewKeyPackage(mls.DefaultSuite, s, mls.KeyPackageOptions{Lifetime: lifetime})
	check(err)
	return kp, secrets
}

func newSigner(name string) mls.Signer {
	private, public, err := mls.DefaultSuite.GenerateSignatureKey()
	check(err)
	return mls.Signer{Credential: mls.Credential{Type: mls.CredentialBasic, Identity: []byte(name)}, Public: public, Private: private}
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
