package identity

import "fmt"

// Pin is how much of a log a room has seen: its length and the hash of its last
// entry. The zero Pin has seen nothing.
type Pin struct {
	Length int
	Head   Hash
}

// PinError says that a pin does not fit a log.
type PinError struct {
	User   UserID
	Pin    Pin
	Length int  // of the log or view it was held against
	Other  bool // the log has that length, but with another history
}

func (e *PinError) Error() string {
	if e.Other {
		return fmt.Sprintf("log of %s has another entry than the one pinned at length %d", e.User, e.Pin.Length)
	}
	return fmt.Sprintf("log of %s has %d entries and was pinned at length %d", e.User, e.Length, e.Pin.Length)
}

// View is a log as it stood at a pin. It is small, never changes, and is safe
// for concurrent use, also while the log grows. Making one costs nothing.
// The zero View is of nobody.
type View struct {
	user   UserID
	hashes []Hash
	state  *state
}

// View returns the log at a pin, or a [*PinError] if it is too short for it or
// has another history.
func (l *Log) View(pin Pin) (View, error) {
	if pin.Length < 1 || pin.Length > l.Length() {
		return View{}, &PinError{User: l.user, Pin: pin, Length: l.Length()}
	}
	if l.hashes[pin.Length-1] != pin.Head {
		return View{}, &PinError{User: l.user, Pin: pin, Length: l.Length(), Other: true}
	}
	return l.at(pin.Length), nil
}

func (l *Log) at(length int) View {
	return View{user: l.user, hashes: l.hashes[:length:length], state: l.states[length-1]}
}

// User is the person whose log it is.
func (v View) User() UserID { return v.user }

// Pin returns what the view was made from.
func (v View) Pin() Pin {
	if len(v.hashes) == 0 {
		return Pin{}
	}
	return Pin{Length: len(v.hashes), Head: v.hashes[len(v.hashes)-1]}
}

// Devices lists the devices active in the view, in the order of their admission.
func (v View) Devices() []Device {
	if v.state == nil {
		return nil
	}
	devices := make([]Device, len(v.state.devices))
	for i, d := range v.state.devices {
		devices[i] = *d
	}
	return devices
}

// Active reports whether a device is active in the view.
func (v View) Active(id DeviceID) bool {
	_, ok := v.Device(id)
	return ok
}

// Device returns a device that is active in the view.
func (v View) Device(id DeviceID) (Device, bool) {
	if v.state == nil {
		return Device{}, false
	}
	if d := v.state.device(id); d != nil {
		return *d, true
	}
	return Device{}, false
}

// Extends checks that a room may move its pin from old to the view: the view is
// at least as long and has the same history up to there. Otherwise it returns a
// [*PinError].
func (v View) Extends(old Pin) error {
	switch {
	case old == Pin{}:
		return nil
	case old.Length < 1 || old.Length > len(v.hashes):
		return &PinError{User: v.user, Pin: old, Length: len(v.hashes)}
	case v.hashes[old.Length-1] != old.Head:
		return &PinError{User: v.user, Pin: old, Length: len(v.hashes), Other: true}
	}
	return nil
}
