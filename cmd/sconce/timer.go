package main

import "sconce/cmd/sconce/plain"

// timer is a flag for how long a message stays: "30s", "10m", "1h", "7d", "2w",
// or "off".
type timer struct {
	seconds int
	set     bool
}

func (t *timer) String() string { return "" }

// Set implements flag.Value.
func (t *timer) Set(s string) error {
	n, err := plain.ParseTimer(s)
	if err != nil {
		return err
	}
	t.seconds, t.set = n, true
	return nil
}
