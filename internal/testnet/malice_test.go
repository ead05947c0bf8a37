package testnet

import (
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"sconce/client"
)

// breakKeys makes a device unable to open what the next commit encrypts to it,
// as a malicious committer does to everyone: its leaf's private key in the store
// becomes another. What the server and the others see of the group stays right.
func breakKeys(t *testing.T, d *Device, room string) {
	t.Helper()
	_ = d.Client.Close()
	v, err := client.OpenVault(d.Disk.Store(), d.Disk.Keyring(), Passphrase, client.VaultOptions{})
	if err != nil {
		t.Fatal(err)
	}
	id, err := hex.DecodeString(room)
	if err != nil {
		t.Fatal(err)
	}
	key := slices.Concat([]byte{'g'}, id, []byte{'m'})
	record, err := v.Get(key)
	if err != nil || record == nil {
		t.Fatalf("%s has no member record: %v", d.Name, err)
	}
	// Versions, a flag and the leaf's index, the signature key; then the secrets
	// of the tree, of which the leaf's key is the first.
	at := 1 + 1 + 4
	at += vector(record[at:])
	at += header(record[at:]) + 1
	at += header(record[at:])
	record[at] ^= 1
	if err := v.Apply([]client.Put{{Key: key, Value: record, Erasable: true}}); err != nil {
		t.Fatal(err)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	d.Open()
}

// header is how long the length before a vector is (RFC 9420, Section 2.1.2).
func header(b []byte) int { return 1 << (b[0] >> 6) }

// vector is how long a vector and its length are.
func vector(b []byte) int {
	n := int(b[0] & 0x3f)
	for _, x := range b[1:header(b)] {
		n = n<<8 | int(x)
	}
	return header(b) + n
}

func TestCommitThatOthersCannotOpenDoesNotKillTheRoom(t *testing.T) {
	run(t, 31, func(t *testing.T, n *Net) {
		alice, bob, carol, dave := n.Person("alice"), n.Person("bob"), n.Person("carol"), n.Person("dave")
		n.MustQuiet()
		room := n.room("tea", alice, bob, carol, dave)
		alice.say(room, "before")
		n.MustQuiet()
		breakKeys(t, bob, room)
		breakKeys(t, carol, room)
		if err := alice.Client.RemovePerson(t.Context(), room, dave.Client.Me().User); err != nil {
			t.Fatal(err)
		}
		n.MustQuiet()
		for _, d := range []*Device{bob, carol} {
			list, err := d.Client.Messages(room, 0, 0)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.ContainsFunc(list, func(m client.MessageView) bool { return strings.Contains(m.Text, "joins again") }) {
				t.Errorf("%s does not say that it could not follow: the commit could be opened after all", d.Name)
			}
			d.say(room, "after from "+d.Name)
		}
		n.MustQuiet()
		for _, d := range []*Device{alice, bob, carol} {
			got := texts(t, d, room)
			if !slices.Equal(got, []string{"before", "after from bob/1", "after from carol/1"}) {
				t.Errorf("%s shows %q", d.Name, got)
			}
			if r := digestOf(t, d, room); r.Alarm != "" || r.Keys != digestOf(t, alice, room).Keys {
				t.Errorf("%s does not agree: %+v", d.Name, r)
			}
		}
	})
}
