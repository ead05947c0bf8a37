package mls

import (
	"bytes"
	"errors"
	"testing"

	"pgregory.net/rapid"
)

// exportedByHand walks down from the root as the draft draws the tree.
func exportedByHand(s *suite, root Secret, c ComponentID) Secret {
	secret := root
	for bit := 15; bit >= 0; bit-- {
		side := "left"
		if c>>bit&1 == 1 {
			side = "right"
		}
		secret = s.expandWithLabel(secret, "tree", []byte(side), s.nh)
	}
	return secret
}

func TestExporterTreeGivesEachComponentItsLeaf(t *testing.T) {
	s, _ := X25519AES128.suite()
	rapid.Check(t, func(t *rapid.T) {
		root := Secret(rapid.SliceOfN(rapid.Byte(), s.nh, s.nh).Draw(t, "root"))
		tree := newExporterTree(s, bytes.Clone(root), nil)
		taken := map[ComponentID]bool{}
		for range 20 {
			c := ComponentID(rapid.Uint16().Draw(t, "component"))
			got, err := tree.take(c)
			if taken[c] {
				if !errors.Is(err, ErrExported) {
					t.Fatalf("component %#04x again: %v", c, err)
				}
				continue
			}
			if err != nil || !got.Equal(exportedByHand(s, root, c)) {
				t.Fatalf("component %#04x: %v", c, err)
			}
			taken[c] = true
		}
	})
}

func TestMembersExportTheSameSecretOnceAnEpoch(t *testing.T) {
	everySuite(t, func(t *testing.T, suite CipherSuite) {
		r := newRoom(t, suite, 3, Config{})
		for range 2 {
			var first Secret
			for _, c := range r.clients {
				got, err := c.SafeExport(testComponent)
				if err != nil {
					t.Fatal(err)
				}
				if first == nil {
					first = got
				}
				if !got.Equal(first) {
					t.Error("members export different secrets")
				}
				if other, err := c.SafeExport(testComponent + 1); err != nil || other.Equal(first) {
					t.Errorf("another component has the same secret, or none: %v", err)
				}
				restart(t, c)
				if _, err := c.SafeExport(testComponent); !errors.Is(err, ErrExported) {
					t.Errorf("a secret is exported twice: %v", err)
				}
			}
			r.commit(r.clients[1], CommitOptions{})
		}
		r.agree()
	})
}

func TestExportedSecretCannotBeWorkedOutAgain(t *testing.T) {
	r := newRoom(t, X25519AES128, 2, Config{})
	c := r.clients[1]
	c.disk.save(c.Drain())
	root := bytes.Clone(c.exporter.frontier[exporterRoot])
	secret, err := c.SafeExport(testComponent)
	if err != nil {
		t.Fatal(err)
	}
	c.disk.save(c.Drain())
	for k, v := range c.disk {
		if bytes.Contains(v, root) || bytes.Contains(v, secret) {
			t.Errorf("record %q leads to the secret", k[:1])
		}
	}
	for n := range c.exporter.frontier {
		if n.covers(LeafIndex(testComponent)) {
			t.Errorf("node %d is above the component's leaf", n)
		}
	}
}
