package interop

import (
	"crypto/rand"
	"testing"
)

// TestBothSidesCreateAddAndJoin has each side create groups and add both its
// own and the other's clients, two to fifty at once.
func TestBothSidesCreateAddAndJoin(t *testing.T) {
	eachSuite(t, func(t *testing.T, s suite) {
		sizes := []int{2, 5}
		if full {
			sizes = []int{2, 3, 10, 50}
		}
		for _, theyCreate := range []bool{false, true} {
			for _, n := range sizes {
				g := newGroup(t, s, theyCreate)
				// The one who creates is alone on its side in a group of two.
				theirs := n / 2
				if theyCreate {
					theirs = (n - 1) / 2
				}
				g.add(g.members[0], n-1-theirs, theirs)
				g.agree()
				g.talk()
			}
		}
	})
}

func TestEachSideRenewsItsKeysAndTheOtherFollows(t *testing.T) {
	eachSuite(t, func(t *testing.T, s suite) {
		g := newGroup(t, s, false)
		g.add(g.members[0], 1, 2)
		for _, c := range g.members {
			g.commit(c, nil, false)
			g.agree()
			g.talk()
		}
	})
}

func TestEachSideRemovesMembersOfTheOther(t *testing.T) {
	eachSuite(t, func(t *testing.T, s suite) {
		g := newGroup(t, s, true)
		g.add(g.members[0], 3, 2)
		we, they := g.members[1], g.members[0]
		g.remove(we, g.members[4])
		g.agree()
		g.remove(they, g.members[2])
		g.agree()
		g.talk()
		// The freed leaves are used again, in the same order by both.
		g.add(they, 1, 1)
		g.agree()
		g.talk()
	})
}

func TestEachSideJoinsByExternalCommit(t *testing.T) {
	eachSuite(t, func(t *testing.T, s suite) {
		g := newGroup(t, s, false)
		g.add(g.members[0], 0, 1)
		we, they := g.members[0], g.members[1]
		g.enter(g.newOurs(), they)
		g.agree()
		g.enter(g.newTheirs(), we)
		g.agree()
		g.talk()
	})
}

func TestBothSidesMixInTheSamePSK(t *testing.T) {
	eachSuite(t, func(t *testing.T, s suite) {
		g := newGroup(t, s, false)
		g.add(g.members[0], 1, 2)
		for _, c := range g.members {
			// The nonce has the length of the suite's hash.
			nonce := make([]byte, len(g.follower.Context().TreeHash))
			rand.Read(nonce)
			g.commit(c, []change{{psk: nonce}}, false)
			g.agree()
		}
		g.talk()
	})
}

func TestCommitsMayBeEncrypted(t *testing.T) {
	eachSuite(t, func(t *testing.T, s suite) {
		g := newGroup(t, s, true)
		g.sealed = true
		g.add(g.members[0], 2, 1)
		for _, c := range g.members {
			g.commit(c, nil, true)
			g.agree()
		}
		g.talk()
	})
}

// TestBothSidesCommitInRandomTurns plays a long random history: 200 epochs at
// full length.
func TestBothSidesCommitInRandomTurns(t *testing.T) {
	eachSuite(t, func(t *testing.T, s suite) {
		epochs := 8
		if full {
			epochs = 200
		}
		g := newGroup(t, s, false)
		g.add(g.members[0], 1, 2)
		for range epochs {
			g.turn()
			g.agree()
			if g.rnd.IntN(4) == 0 {
				g.talk()
			}
		}
	})
}

// turn has anyone do anything that opens an epoch.
func (g *group) turn() {
	g.t.Helper()
	by := g.pick()
	g.sealed = g.rnd.IntN(3) == 0
	switch n := len(g.members); g.rnd.IntN(8) {
	case 0, 1:
		if n < 12 {
			g.add(by, g.rnd.IntN(2), 1+g.rnd.IntN(2))
			return
		}
		g.shrink(by)
	case 2:
		g.shrink(by)
	case 3:
		if n >= 12 {
			g.shrink(by)
			return
		}
		if g.rnd.IntN(2) == 0 {
			g.enter(g.newOurs(), by)
		} else {
			g.enter(g.newTheirs(), by)
		}
	case 4:
		g.commit(by, nil, true)
	default:
		g.commit(by, nil, false)
	}
}

// shrink removes anyone whose side has others, or else renews keys.
func (g *group) shrink(by member) {
	g.t.Helper()
	gone := g.pick()
	same := 0
	_, our := gone.(*ours)
	for _, c := range g.members {
		if _, ok := c.(*ours); ok == our {
			same++
		}
	}
	if gone == by || same < 2 {
		g.commit(by, nil, false)
		return
	}
	g.remove(by, gone)
}
