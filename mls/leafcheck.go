package mls

import "slices"

// What a leaf must be able to do to stand in a group: RFC 9420, Sections 7.3,
// 11.1 and 13.4. That leaves fit each other is checked with the tree.

// checkAlone checks a leaf for a suite, without its signature.
func (l *LeafNode) checkAlone(s *suite) error {
	if err := l.checkSuite(s); err != nil {
		return err
	}
	if !s.sig.valid(l.SignatureKey) {
		return invalid("7.3", "signature key is not a key of %v", s.id)
	}
	if err := l.checkCapabilities(); err != nil {
		return err
	}
	return s.checkPublicKey(l.EncryptionKey)
}

// checkSuite is RFC 9420, Section 7.2: versions and cipher suites have no defaults.
func (l *LeafNode) checkSuite(s *suite) error {
	switch {
	case !slices.Contains(l.Capabilities.Versions, versionMLS10):
		return invalid("7.2", "leaf does not list protocol version mls10")
	case !slices.Contains(l.Capabilities.CipherSuites, s.id):
		return invalid("7.2", "leaf does not list the group's cipher suite")
	}
	return nil
}

// groupDemands is what a group context asks of each leaf.
type groupDemands struct {
	extensions []ExtensionType // that stand in the group context
	required   RequiredCapabilities
}

func demandsOf(ext Extensions) (*groupDemands, error) {
	g := &groupDemands{}
	for _, e := range ext {
		g.extensions = append(g.extensions, e.Type)
	}
	b, ok := ext.Find(ExtensionRequiredCapabilities)
	if !ok {
		return g, nil
	}
	var err error
	g.required, err = parseRequiredCapabilities(b)
	g.required.Extensions = distinct(g.required.Extensions)
	g.required.Proposals = distinct(g.required.Proposals)
	g.required.Credentials = distinct(g.required.Credentials)
	return g, err
}

// distinct drops repetitions, which each leaf would be held against anew.
func distinct[T ~uint16](ids []T) []T {
	slices.Sort(ids)
	return slices.Compact(ids)
}

// check checks one leaf (RFC 9420, Sections 7.3 and 13.4).
func (g *groupDemands) check(l *LeafNode) error {
	c := &l.Capabilities
	for _, t := range g.extensions {
		if !c.supportsExtension(t) {
			return invalid("13.4", "leaf does not support the group's extension %d", t)
		}
	}
	if t, ok := lacking(g.required.Extensions, c.Extensions, ExtensionType.isDefault); ok {
		return invalid("7.3", "leaf does not support required extension %d", t)
	}
	if t, ok := lacking(g.required.Proposals, c.Proposals, ProposalType.isDefault); ok {
		return invalid("7.3", "leaf does not support required proposal %d", t)
	}
	if t, ok := lacking(g.required.Credentials, c.Credentials, func(CredentialType) bool { return false }); ok {
		return invalid("7.3", "leaf does not support required credential type %d", t)
	}
	return nil
}

// lacking gives the first id that is required and neither listed nor a default.
// Both lists are others' to make as long as a message: the work is their sum,
// not their product.
func lacking[T ~uint16](required, listed []T, isDefault func(T) bool) (T, bool) {
	const few = 8
	var set [1 << 16 / 64]uint64
	if len(required) > few {
		for _, t := range listed {
			set[t/64] |= 1 << (t % 64)
		}
	}
	for _, t := range required {
		has := set[t/64]&(1<<(t%64)) != 0
		if len(required) <= few {
			has = slices.Contains(listed, t)
		}
		if !has && !isDefault(t) {
			return t, true
		}
	}
	return 0, false
}

func (c *Capabilities) supportsExtension(t ExtensionType) bool {
	return t.isDefault() || slices.Contains(c.Extensions, t)
}

func (c *Capabilities) supportsProposal(t ProposalType) bool {
	return t.isDefault() || slices.Contains(c.Proposals, t)
}

// isDefault reports whether every client understands the proposal, so that
// none lists it (RFC 9420, Section 7.2).
func (t ProposalType) isDefault() bool {
	return t >= ProposalAdd && t <= ProposalGroupContextExtensions
}

// checkGroupExtensions checks the form of the extensions that this package
// reads itself.
func checkGroupExtensions(ext Extensions) error {
	if b, ok := ext.Find(ExtensionRequiredCapabilities); ok {
		if _, err := parseRequiredCapabilities(b); err != nil {
			return err
		}
	}
	if b, ok := ext.Find(ExtensionExternalSenders); ok {
		if _, err := parseExternalSenders(b); err != nil {
			return err
		}
	}
	if b, ok := ext.Find(ExtensionAppDataDictionary); ok {
		if _, err := ParseAppData(b); err != nil {
			return err
		}
	}
	return nil
}
