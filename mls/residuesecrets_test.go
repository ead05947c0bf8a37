package mls

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// What [TestErasedSecretsAreNowhereInMemory] looks for: all that an epoch holds,
// derives, and passes through on its way to the next.

// transients are what a member derives on its way from a commit to the next
// epoch, and keeps none of.
func transients(t *testing.T, g *Group, message []byte) map[string]Secret {
	t.Helper()
	out := map[string]Secret{}
	s, m := g.public.s, mustParse(t, message)
	ac := m.public.authenticated()
	tr, err := g.public.receiveCommit(ac, now)
	if err != nil {
		t.Fatal(err)
	}
	path := ac.content.commit.path
	provisional := tr.ctx.appendTo(nil)
	steps := tr.tree.filteredDirectPath(tr.committer.leaf())
	at := stepOver(steps, g.own)
	to := tr.tree.recipients(steps[at].copath, tr.exclude)
	i, key := g.secrets.recipient(g.own, to)
	secret, err := s.decryptWithLabel(key, "UpdatePathNode", provisional, path.nodes[at].secrets[i])
	if err != nil {
		t.Fatal(err)
	}
	for i := range steps[at:] {
		out[fmt.Sprintf("path secret %d from the top", len(steps[at:])-i)] = secret
		secret = s.nextPathSecret(secret)
	}
	out["commit secret"] = secret
	psk, err := g.pskSecret(tr.psks)
	if err != nil {
		t.Fatal(err)
	}
	out["PSK secret"] = psk
	out["extracted PSK"] = s.extract(s.zero(), residuePSK)
	out["PSK input"] = s.expandWithLabel(out["extracted PSK"], "derived psk", pskLabel(tr.psks[0], 0, 1), s.nh)
	encoded := tr.stage(ac, now).encoded
	out["init and commit secret"] = s.extract(g.epoch.init, secret)
	out["joiner secret"] = s.expandWithLabel(out["init and commit secret"], "joiner", encoded, s.nh)
	out["joiner and PSK secret"] = s.extract(out["joiner secret"], psk)
	out["epoch secret"] = s.expandWithLabel(out["joiner and PSK secret"], "epoch", encoded, s.nh)
	out["welcome secret"] = s.deriveSecret(out["joiner and PSK secret"], "welcome")
	return out
}

// derivable are the secrets that an epoch's secret tree gives, as far as the
// fifth message of each leaf, and what exporting leads through. The keys of the
// messages that are heard are left out.
func derivable(g *Group) map[string]Secret {
	out := map[string]Secret{}
	s, t := g.public.s, g.messages
	walk := func(id ratchetID, generation uint32, secret Secret) {
		for generation < 5 {
			if id != (ratchetID{1, applicationRatchet}) || generation == 1 {
				out[fmt.Sprintf("key %d of leaf %d at %d", id.kind, id.leaf, generation)] = s.deriveTreeSecret(secret, "key", generation, s.nk)
			}
			secret = s.deriveTreeSecret(secret, "secret", generation, s.nh)
			generation++
			out[fmt.Sprintf("ratchet %d of leaf %d at %d", id.kind, id.leaf, generation)] = secret
		}
	}
	var descend func(n nodeIndex, half uint32, secret Secret)
	descend = func(n nodeIndex, half uint32, secret Secret) {
		out[fmt.Sprintf("secret of node %d", n)] = slices.Clone(secret)
		if half > 0 {
			descend(n-nodeIndex(half), half/2, s.expandWithLabel(secret, "tree", []byte("left"), s.nh))
			descend(n+nodeIndex(half), half/2, s.expandWithLabel(secret, "tree", []byte("right"), s.nh))
			return
		}
		for kind, label := range []string{"handshake", "application"} {
			id := ratchetID{n.leaf(), ratchetKind(kind)}
			first := s.expandWithLabel(secret, label, nil, s.nh)
			out[fmt.Sprintf("ratchet %d of leaf %d at 0", kind, id.leaf)] = first
			walk(id, 0, first)
		}
	}
	for n, secret := range t.frontier {
		half := uint32(0)
		for !n.isLeaf() && n.left() != n-nodeIndex(half) {
			half++
		}
		descend(n, half, secret)
	}
	for id, r := range t.ratchets {
		walk(id, r.generation, r.secret)
	}
	out["exporter with its label"] = s.deriveSecret(g.epoch.exporter, residueLabel)
	at, secret := exporterRoot, g.exporter.frontier[exporterRoot]
	for half := uint32(exporterWidth / 2); half > 0; half /= 2 {
		left, right := s.expandWithLabel(secret, "tree", []byte("left"), s.nh), s.expandWithLabel(secret, "tree", []byte("right"), s.nh)
		next, _ := towards(at, LeafIndex(testComponent).node(), half)
		if next > at {
			left = right
		}
		at, secret = next, left
		out[fmt.Sprintf("exporter's node %d", at)] = secret
	}
	return out
}

// standing are the secrets that a group holds, but for keys of which the standard
// library has copies where they were made or put to use.
func standing(g *Group, when string, used ...string) map[string]Secret {
	out := map[string]Secret{}
	for _, f := range secretsIn(g) {
		if slices.ContainsFunc(append(used, ".signer", ".key"), func(part string) bool { return strings.Contains(f.path, part) }) {
			continue
		}
		out[fmt.Sprintf("%s: %s (%d)", when, f.path, len(out))] = slices.Clone(f.secret)
	}
	return out
}
