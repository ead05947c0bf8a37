package mls

import (
	"fmt"
	"slices"
)

// ExtensionType names an extension (RFC 9420, Section 17.3, and
// draft-ietf-mls-extensions).
type ExtensionType uint16

const (
	ExtensionApplicationID        ExtensionType = 1
	ExtensionRatchetTree          ExtensionType = 2
	ExtensionRequiredCapabilities ExtensionType = 3
	ExtensionExternalPub          ExtensionType = 4
	ExtensionExternalSenders      ExtensionType = 5
	ExtensionAppDataDictionary    ExtensionType = 6
)

// Extension is one typed, opaque value.
type Extension struct {
	Type ExtensionType
	Data []byte
}

func readExtension(r *reader) Extension {
	return Extension{Type: ExtensionType(r.u16()), Data: r.vec()}
}

func (e Extension) appendTo(b []byte) []byte {
	return appendVec(appendU16(b, uint16(e.Type)), e.Data)
}

// Extensions is a list in which each type stands at most once
// (RFC 9420, Section 13.4).
type Extensions []Extension

func readExtensions(r *reader) Extensions {
	e := Extensions(list(r, readExtension))
	for i := range e {
		for j := range i {
			if e[i].Type == e[j].Type {
				r.fail(invalid("13.4", "extension %d stands twice", e[i].Type))
				return nil
			}
		}
		if i >= 64 {
			r.fail(invalid("13.4", "more than 64 extensions"))
			return nil
		}
	}
	return e
}

func (e Extensions) appendTo(b []byte) []byte { return appendList(b, e) }

// Find gives the data of the extension of type t.
func (e Extensions) Find(t ExtensionType) ([]byte, bool) {
	for _, x := range e {
		if x.Type == t {
			return x.Data, true
		}
	}
	return nil, false
}

// With gives a copy in which the extension of type t has this data.
func (e Extensions) With(t ExtensionType, data []byte) Extensions {
	out := slices.Clone(e)
	for i := range out {
		if out[i].Type == t {
			out[i].Data = data
			return out
		}
	}
	return append(out, Extension{t, data})
}

// RequiredCapabilities is what every member must understand
// (RFC 9420, Section 11.1).
type RequiredCapabilities struct {
	Extensions  []ExtensionType
	Proposals   []ProposalType
	Credentials []CredentialType
}

// Extension gives the value as an extension of the group context.
func (c RequiredCapabilities) Extension() Extension {
	b := appendIDs(nil, c.Extensions)
	b = appendIDs(b, c.Proposals)
	return Extension{ExtensionRequiredCapabilities, appendIDs(b, c.Credentials)}
}

func parseRequiredCapabilities(b []byte) (RequiredCapabilities, error) {
	return parse(b, "required capabilities", func(r *reader) RequiredCapabilities {
		return RequiredCapabilities{
			Extensions:  listIDs[ExtensionType](r),
			Proposals:   listIDs[ProposalType](r),
			Credentials: listIDs[CredentialType](r),
		}
	})
}

// ExternalSender may send proposals without being a member
// (RFC 9420, Section 12.1.8.1).
type ExternalSender struct {
	SignatureKey []byte
	Credential   Credential
}

// ExternalSendersExtension gives the senders as an extension of the group context.
func ExternalSendersExtension(senders ...ExternalSender) Extension {
	return Extension{ExtensionExternalSenders, appendNested(nil, func(b []byte) []byte {
		for _, s := range senders {
			b = appendVec(b, s.SignatureKey)
			b = s.Credential.appendTo(b)
		}
		return b
	})}
}

func parseExternalSenders(b []byte) ([]ExternalSender, error) {
	return parse(b, "external senders", func(r *reader) []ExternalSender {
		return list(r, func(r *reader) ExternalSender {
			return ExternalSender{SignatureKey: r.vec(), Credential: readCredential(r)}
		})
	})
}

// ComponentID names an application's part of the app data dictionary
// (draft-ietf-mls-extensions, app_data_dictionary). Private ids are 0x8000 to 0xFFFF.
type ComponentID uint16

// AppData is the app data dictionary: one opaque value a component.
type AppData map[ComponentID][]byte

// ParseAppData reads an app_data_dictionary extension.
func ParseAppData(b []byte) (AppData, error) {
	return parse(b, "app data dictionary", func(r *reader) AppData {
		d := AppData{}
		last := -1
		s := r.sub()
		for s.more() {
			id := s.u16()
			if int(id) <= last {
				s.fail(invalid("draft-ietf-mls-extensions app_data_dictionary", "components are not in ascending order"))
			}
			last = int(id)
			d[ComponentID(id)] = s.vec()
		}
		if s.err != nil {
			r.fail(s.err)
		}
		return d
	})
}

// Extension gives the dictionary as an extension.
func (d AppData) Extension() Extension {
	ids := make([]ComponentID, 0, len(d))
	for id := range d {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return Extension{ExtensionAppDataDictionary, appendNested(nil, func(b []byte) []byte {
		for _, id := range ids {
			b = appendU16(b, uint16(id))
			b = appendVec(b, d[id])
		}
		return b
	})}
}

// GroupContext is what all members of an epoch agree on (RFC 9420, Section 8.1).
type GroupContext struct {
	Version                 uint16
	CipherSuite             CipherSuite
	GroupID                 []byte
	Epoch                   uint64
	TreeHash                []byte
	ConfirmedTranscriptHash []byte
	Extensions              Extensions
}

func readGroupContext(r *reader) GroupContext {
	return GroupContext{
		Version:                 r.u16(),
		CipherSuite:             CipherSuite(r.u16()),
		GroupID:                 r.vec(),
		Epoch:                   r.u64(),
		TreeHash:                r.vec(),
		ConfirmedTranscriptHash: r.vec(),
		Extensions:              readExtensions(r),
	}
}

func (c *GroupContext) appendTo(b []byte) []byte {
	b = appendU16(b, c.Version)
	b = appendU16(b, uint16(c.CipherSuite))
	b = appendVec(b, c.GroupID)
	b = appendU64(b, c.Epoch)
	b = appendVec(b, c.TreeHash)
	b = appendVec(b, c.ConfirmedTranscriptHash)
	return c.Extensions.appendTo(b)
}

// AppData gives the group's app data dictionary, empty if it has none.
func (c *GroupContext) AppData() (AppData, error) {
	b, ok := c.Extensions.Find(ExtensionAppDataDictionary)
	if !ok {
		return AppData{}, nil
	}
	d, err := ParseAppData(b)
	if err != nil {
		return nil, fmt.Errorf("group context: %w", err)
	}
	return d, nil
}
