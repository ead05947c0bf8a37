package mls

import (
	"fmt"
	"strings"
)

// InvalidError says that an input breaks a rule of the protocol. It is the
// sender's fault, never the network's: the same bytes will be refused by every
// member.
type InvalidError struct {
	Section string // of RFC 9420, such as "12.2", or a draft's name and section
	Rule    string

	cause error // what the application said, if it was asked
}

// Unwrap gives what the application's [Authority] said.
func (e *InvalidError) Unwrap() error { return e.cause }

func (e *InvalidError) Error() string {
	if e.cause != nil {
		return fmt.Sprintf("mls: %s: %v (RFC 9420, Section %s)", e.Rule, e.cause, e.Section)
	}
	if strings.HasPrefix(e.Section, "draft-") {
		return fmt.Sprintf("mls: %s (%s)", e.Rule, e.Section)
	}
	return fmt.Sprintf("mls: %s (RFC 9420, Section %s)", e.Rule, e.Section)
}

func invalid(section, format string, args ...any) error {
	return &InvalidError{Section: section, Rule: fmt.Sprintf(format, args...)}
}

// invalidBy is invalid on the application's word.
func invalidBy(section string, cause error, format string, args ...any) error {
	return &InvalidError{Section: section, Rule: fmt.Sprintf(format, args...), cause: cause}
}
