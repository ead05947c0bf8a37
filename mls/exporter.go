package mls

import (
	"encoding/binary"
	"errors"
	"maps"
	"slices"
)

// The safe exporter of draft-ietf-mls-extensions: a tree of secrets with a leaf
// for each component id. What a component was given once is gone, so that who
// takes the device later cannot work it out again, as it can with
// [Group.Export].

// ErrExported says that a component's secret of this epoch was given out
// before, or that the epoch began with a version that had none.
var ErrExported = errors.New("mls: the component's secret of this epoch is gone")

// SafeExport gives a component's secret of this epoch, once: it has the length
// of the suite's hash, is equal for all members, and is the caller's to erase.
// What [Group.Drain] gives must be stored before the secret is put to use.
func (g *Group) SafeExport(c ComponentID) (Secret, error) {
	if g.removed {
		return nil, ErrRemoved
	}
	return g.exporter.take(c)
}

// exporterTree holds the frontier of node secrets whose leaves were not taken.
type exporterTree struct {
	hidden
	suite    *suite
	frontier map[nodeIndex]Secret
	dirty    map[nodeIndex]struct{}
}

const (
	exporterWidth = 1 << 16
	exporterRoot  = nodeIndex(exporterWidth - 1)
)

// newExporterTree starts an epoch's tree, and takes over its root. The tree of
// the epoch before is erased, its records too.
func newExporterTree(s *suite, root Secret, before *exporterTree) *exporterTree {
	t := &exporterTree{suite: s, frontier: map[nodeIndex]Secret{}, dirty: map[nodeIndex]struct{}{}}
	if before != nil {
		before.erase()
		t.dirty = before.dirty
	}
	if root != nil {
		t.set(exporterRoot, root)
	}
	return t
}

func (t *exporterTree) set(n nodeIndex, secret Secret) {
	t.frontier[n] = secret
	t.dirty[n] = struct{}{}
}

// erase overwrites every secret. What is stored of them goes with the next drain.
func (t *exporterTree) erase() {
	for n, secret := range t.frontier {
		secret.erase()
		t.dirty[n] = struct{}{}
	}
	clear(t.frontier)
}

// take walks from the frontier down to a component's leaf, and puts the nodes
// beside the way in place of the one it started from.
func (t *exporterTree) take(c ComponentID) (Secret, error) {
	s, target := t.suite, LeafIndex(c).node()
	at, half := exporterRoot, uint32(exporterWidth/2)
	secret, ok := t.frontier[at]
	for ; !ok && half > 0; half /= 2 {
		at, _ = towards(at, target, half)
		secret, ok = t.frontier[at]
	}
	if !ok {
		return nil, ErrExported
	}
	delete(t.frontier, at)
	t.dirty[at] = struct{}{}
	for ; half > 0; half /= 2 {
		next, sibling := towards(at, target, half)
		left, right := s.expandWithLabel(secret, "tree", []byte("left"), s.nh), s.expandWithLabel(secret, "tree", []byte("right"), s.nh)
		secret.erase()
		if next > at {
			left, right = right, left
		}
		t.set(sibling, right)
		at, secret = next, left
	}
	return secret, nil
}

const exporterVersion = 1

func (t *exporterTree) drain() []Record {
	var out []Record
	for _, n := range slices.Sorted(maps.Keys(t.dirty)) {
		var value []byte
		if secret, ok := t.frontier[n]; ok {
			value = appendVec([]byte{exporterVersion}, secret)
		}
		out = append(out, Record{Key: appendU32([]byte{keyExporter}, uint32(n)), Value: value, Secret: true})
	}
	clear(t.dirty)
	return out
}

// parseExporterTree restores a tree from the records of its nodes.
func parseExporterTree(s *suite, records []record) (*exporterTree, error) {
	t := newExporterTree(s, nil, nil)
	for _, rec := range records {
		if len(rec.key) != 4 {
			return nil, errRecord
		}
		n := nodeIndex(binary.BigEndian.Uint32(rec.key))
		if n > 2*exporterRoot {
			return nil, errRecord
		}
		secret, err := parse(rec.value, "record of an exporter tree node", func(r *reader) Secret {
			r.version(exporterVersion)
			return r.secret(s.nh)
		})
		if err != nil {
			return nil, err
		}
		t.frontier[n] = secret
	}
	return t, nil
}
