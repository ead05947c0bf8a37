package mls

import (
	"bytes"
	"time"
)

// Authority is the one door to the application's Authentication Service
// (RFC 9420, Section 5.3.1): it judges each credential that comes into a group,
// of whatever type. It runs on what we send and on what we receive, and must be
// a pure function of its arguments where all members are to agree. Package
// mls/certificate has one for X.509.
type Authority interface {
	// Validate says whether a credential speaks for a signature key. now is as
	// for [Group.Process]: the zero time asks for no expiry.
	Validate(c Credential, signatureKey []byte, now time.Time) error

	// Succeeds says whether a member who showed the old credential may show
	// the next in its place. Both were validated.
	Succeeds(old, next Credential) error
}

// checkCredential asks the authority about a leaf that takes the place of old,
// or of nobody. A member who keeps credential and key is known already.
func (c *Config) checkCredential(old, leaf *LeafNode, now time.Time) error {
	if c.Authority == nil {
		return nil
	}
	if old != nil && old.Credential.equal(leaf.Credential) && bytes.Equal(old.SignatureKey, leaf.SignatureKey) {
		return nil
	}
	if err := c.Authority.Validate(leaf.Credential, leaf.SignatureKey, now); err != nil {
		return invalidBy("5.3.1", err, "credential is not accepted")
	}
	if old == nil {
		return nil
	}
	if err := c.Authority.Succeeds(old.Credential, leaf.Credential); err != nil {
		return invalidBy("5.3.1", err, "credential does not succeed the one before")
	}
	return nil
}

// checkSenders asks the authority about external senders that a group gets.
// Those it has already, as the extension before says, are known.
func (c *Config) checkSenders(before, ext Extensions, now time.Time) error {
	list, ok := ext.Find(ExtensionExternalSenders)
	if c.Authority == nil || !ok {
		return nil
	}
	if was, _ := before.Find(ExtensionExternalSenders); bytes.Equal(was, list) {
		return nil
	}
	senders, err := parseExternalSenders(list)
	if err != nil {
		return err
	}
	for i, s := range senders {
		if err := c.Authority.Validate(s.Credential, s.SignatureKey, now); err != nil {
			return invalidBy("5.3.1", err, "credential of external sender %d is not accepted", i)
		}
	}
	return nil
}

// checkEveryone asks about all who are in a group that is joined or followed.
func (c *Config) checkEveryone(t *tree, ext Extensions, now time.Time) error {
	if c.Authority == nil {
		return nil
	}
	for _, l := range t.leaves() {
		if err := c.checkCredential(nil, l, now); err != nil {
			return err
		}
	}
	return c.checkSenders(nil, ext, now)
}

// checkCommitter asks about the leaf that a commit's path brings: that of who
// commits, or of who joins, perhaps in place of its former leaf.
func (t *transition) checkCommitter() error {
	leaf := t.tree.leaf(t.committer.leaf())
	if !t.view.External {
		return t.from.cfg.checkCredential(t.view.CommitterLeaf, leaf, t.now)
	}
	if err := t.from.cfg.checkCredential(nil, leaf, t.now); err != nil {
		return err
	}
	for _, r := range t.view.Removed {
		if !r.SelfRemoved {
			return t.from.cfg.checkCredential(r.Old, leaf, t.now)
		}
	}
	return nil
}
