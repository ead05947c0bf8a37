package testnet

import (
	"os"
	"path/filepath"
	"testing"

	"sconce/client/clienttest"
)

// Snapshot is a network at rest, from which others begin: making people costs
// more than anything they do after.
type Snapshot struct {
	dir      string
	postgres *Postgres
	clock    Clock
	devices  []savedDevice
}

type savedDevice struct {
	name, person string
	disk         *clienttest.Disk
}

// Save takes a snapshot into dir. Nothing may be going on. Of a network on a
// PostgreSQL the server's part stays there, so it must not be used any more.
func (n *Net) Save(dir string) (*Snapshot, error) {
	s := &Snapshot{dir: dir, postgres: n.postgres}
	s.clock.now = n.Clock.Now()
	for _, d := range n.Devices {
		s.devices = append(s.devices, savedDevice{d.Name, d.Person, d.Disk.Clone()})
	}
	return s, n.server.Snapshot(dir)
}

// Resume starts a network where the snapshot was taken.
func (s *Snapshot) Resume(t testing.TB, seed uint64) *Net {
	t.Helper()
	return start(t, seed, s.postgres, s, discard)
}

func (s *Snapshot) restore(t testing.TB, n *Net) {
	t.Helper()
	n.Clock.now = s.clock.now
	if err := os.CopyFS(n.home(), os.DirFS(s.dir)); err != nil {
		t.Fatal(err)
	}
	for _, saved := range s.devices {
		d := n.device(saved.person, saved.name)
		d.Disk = saved.disk.Clone()
		n.Devices = append(n.Devices, d)
	}
}

func mkdir(path string) error { return os.MkdirAll(filepath.Clean(path), 0o700) }
