package mls_test

import (
	"fmt"
	"time"

	"sconce/mls"
)

// Alice makes a group, adds Bob, and writes to him.
func Example() {
	now := time.Now()
	alice, bob := newSigner("alice"), newSigner("bob")

	// Bob publishes a key package, and keeps its secrets.
	lifetime := mls.Lifetime{NotBefore: uint64(now.Unix()) - 3600, NotAfter: uint64(now.Unix()) + 60*86400}
	keyPackage, secrets, err := mls.NewKeyPackage(mls.DefaultSuite, bob, mls.KeyPackageOptions{Lifetime: lifetime})
	check(err)

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
	fmt.Printf("%s: %s\n", b.Member(message.Sender).Credential.Identity, message.Data)
	// Output: alice: hello
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
