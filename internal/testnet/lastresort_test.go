package testnet

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"sconce/api"
	"sconce/mls"
)

// A device that is away while its key packages run out is added by that of last
// resort, as often as it takes. Everyone sees its mark; once the device is back
// it has erased the private half and published another.
func TestDeviceWithoutKeyPackagesIsAddedByThatOfLastResort(t *testing.T) {
	run(t, 52, func(t *testing.T, n *Net) {
		alice, bob := n.Person("alice"), n.Blank("bob", "bob/1")
		n.MustQuiet()
		var published, claimed []*mls.KeyPackage
		n.Wire.tamper = func(l *Link, r *request) ([]byte, error, bool) {
			switch {
			case r.name == api.PublishKeyPackages.Name && l == bob.Link:
				q := parsed[api.PublishKeyPackagesRequest](t, r.body)
				if published == nil { // all but one have run out
					q.KeyPackages = q.KeyPackages[:1]
					r.body = must(api.Marshal(q))
				}
				for _, raw := range q.KeyPackages {
					published = append(published, keyPackageOf(t, raw, false))
				}
				if q.LastResort != nil {
					published = append(published, keyPackageOf(t, q.LastResort, true))
				}
			case r.name == api.ClaimKeyPackages.Name && l == alice.Link:
				answer, err := n.Wire.deliver(t.Context(), *r)
				if err != nil {
					return answer, err, true
				}
				for _, k := range parsed[api.ClaimKeyPackagesResponse](t, answer).KeyPackages {
					claimed = append(claimed, keyPackageOf(t, k.KeyPackage, len(claimed) > 0))
				}
				return answer, nil, true
			}
			return nil, nil, false
		}
		n.Join(bob)
		bob.MustSync()
		if len(published) != 2 {
			t.Fatalf("bob published %d key packages", len(published))
		}
		held := keyPackages(t, bob, nil)
		bob.Link.Offline = true
		rooms := []string{n.room("one", alice, bob), n.room("two", alice, bob), n.room("three", alice, bob)}
		if len(claimed) != 3 || !bytes.Equal(claimed[1].Bytes(), claimed[2].Bytes()) || !bytes.Equal(claimed[1].Bytes(), published[1].Bytes()) {
			t.Fatalf("alice was given %d key packages, or others than that of last resort", len(claimed))
		}
		for _, room := range rooms {
			alice.say(room, "hello")
		}

		bob.Link.Offline = false
		n.MustQuiet()

		for i, room := range rooms {
			bob.say(room, "here")
			alice.MustSync()
			if got := texts(t, alice, room); !slices.Equal(got, []string{"hello", "here"}) {
				t.Errorf("in room %d alice shows %q", i+1, got)
			}
		}
		last := published[len(published)-1]
		if !last.LastResort() || bytes.Equal(last.Bytes(), published[1].Bytes()) {
			t.Error("bob did not publish another key package of last resort")
		}
		now := keyPackages(t, bob, nil)
		for i, kp := range published[:2] {
			ref, err := kp.Ref()
			if err != nil {
				t.Fatal(err)
			}
			before, after := 0, 0
			for k := range held {
				before += count(k, ref)
			}
			for k := range now {
				after += count(k, ref)
			}
			if before != 1 || after != 0 {
				t.Errorf("of key package %d bob held %d private halves before it was used, and %d after", i, before, after)
			}
		}
	})
}

// It is replaced once it was used, though there be enough of the others again.
func TestUsedKeyPackageOfLastResortIsReplacedThoughOthersAreLeft(t *testing.T) {
	run(t, 53, func(t *testing.T, n *Net) {
		alice := n.Person("alice")
		n.MustQuiet()
		var published []*api.PublishKeyPackagesRequest
		used := true
		n.Wire.tamper = func(l *Link, r *request) ([]byte, error, bool) {
			switch r.name {
			case api.CheckKeyPackages.Name:
				return changed(t, n, r, func(s *api.KeyPackageStatus) { s.LastResortUsed, used = used, false })
			case api.PublishKeyPackages.Name:
				published = append(published, parsed[api.PublishKeyPackagesRequest](t, r.body))
			}
			return nil, nil, false
		}
		n.Advance(48 * time.Hour) // so that it looks after its stock
		alice.MustSync()
		alice.MustSync()
		if len(published) != 1 || len(published[0].KeyPackages) != 0 {
			t.Fatalf("alice published %d times", len(published))
		}
		keyPackageOf(t, published[0].LastResort, true)
	})
}

func count(key string, ref []byte) int { return bytes.Count([]byte(key), ref) }

func keyPackageOf(t *testing.T, raw []byte, lastResort bool) *mls.KeyPackage {
	t.Helper()
	kp, err := mls.ParseKeyPackage(raw)
	if err != nil {
		t.Fatal(err)
	}
	if kp.LastResort() != lastResort {
		t.Errorf("a key package says %t of being of last resort", kp.LastResort())
	}
	return kp
}
