package mls

import (
	"slices"
	"testing"
)

func TestGREASEIsSentWhereItMayBe(t *testing.T) {
	s := X25519AES128
	seen := map[uint16]bool{}
	for range 200 {
		seen[greaseValue()] = true
	}
	for v := range seen {
		if v>>8 != v&0xff || v&0x0f != 0x0a || v == 0xfafa {
			t.Errorf("%#04x is not a GREASE value", v)
		}
	}
	if len(seen) < 10 {
		t.Errorf("only %d values are used", len(seen))
	}
	kp, _, err := NewKeyPackage(s, newSigner(t, s, "a"), KeyPackageOptions{Lifetime: always()})
	if err != nil {
		t.Fatal(err)
	}
	c := kp.Leaf.Capabilities
	if !slices.ContainsFunc(c.Extensions, isGREASE) ||
		!slices.ContainsFunc(c.Proposals, func(v ProposalType) bool { return isGREASE(ExtensionType(v)) }) ||
		!slices.ContainsFunc(c.Credentials, func(v CredentialType) bool { return isGREASE(ExtensionType(v)) }) ||
		!slices.ContainsFunc(c.CipherSuites, func(v CipherSuite) bool { return isGREASE(ExtensionType(v)) }) {
		t.Errorf("capabilities %+v lack GREASE", c)
	}
	if len(kp.Extensions) != 1 || !isGREASE(kp.Extensions[0].Type) || !slices.Contains(c.Extensions, kp.Extensions[0].Type) {
		t.Errorf("key package has extensions %v", kp.Extensions)
	}
	if err := kp.Verify(now); err != nil {
		t.Error(err)
	}
}

func TestGREASEIsIgnoredWhenReceived(t *testing.T) {
	r := newRoom(t, X25519AES128, 4, Config{})
	gi, err := r.clients[0].GroupInfo(false)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(gi.Extensions, func(e Extension) bool { return isGREASE(e.Type) }) {
		t.Error("group info lacks GREASE")
	}
	r.enter(r.newClient(), ExternalOptions{})
	r.agree()
}

func TestGREASECanBeLeftOut(t *testing.T) {
	s := X25519AES128
	signer := newSigner(t, s, "a")
	kp, _, err := NewKeyPackage(s, signer, KeyPackageOptions{Lifetime: always(), NoGREASE: true})
	if err != nil {
		t.Fatal(err)
	}
	if len(kp.Extensions) != 0 || slices.ContainsFunc(kp.Leaf.Capabilities.Extensions, isGREASE) {
		t.Error("key package has GREASE")
	}
	g, err := Create(Config{NoGREASE: true}, []byte("g"), s, signer, Capabilities{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	gi, err := g.GroupInfo(false)
	if err != nil {
		t.Fatal(err)
	}
	if len(gi.Extensions) != 1 || slices.ContainsFunc(g.Member(0).Capabilities.Extensions, isGREASE) {
		t.Error("group has GREASE")
	}
}

// TestOwnGREASEIsNoCapability: a group that asks for a meaningless value is not
// one that its creator supports (RFC 9420, Section 13.5).
func TestOwnGREASEIsNoCapability(t *testing.T) {
	s := X25519AES128
	for v := ExtensionType(0x0a0a); v < 0xfafa; v += 0x1010 {
		_, err := Create(Config{}, []byte("g"), s, newSigner(t, s, "a"), Capabilities{}, Extensions{{Type: v}})
		wantRefusal(t, err, "13.4", "does not support the group's extension")
	}
}
