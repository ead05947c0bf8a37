package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// timer is a flag for how long a message stays: "30s", "10m", "1h", "7d", "2w",
// or "off".
type timer struct {
	seconds int
	set     bool
}

func (t *timer) String() string { return "" }

// Set implements flag.Value.
func (t *timer) Set(s string) error {
	n, err := parseTimer(s)
	if err != nil {
		return err
	}
	t.seconds, t.set = n, true
	return nil
}

const longestTimer = 366 * 24 * time.Hour // as long as a message can say

func parseTimer(s string) (seconds int, err error) {
	if s == "off" || s == "0" {
		return 0, nil
	}
	d, err := time.ParseDuration(s)
	for unit, length := range map[string]time.Duration{"d": 24 * time.Hour, "w": 7 * 24 * time.Hour} {
		if number, ok := strings.CutSuffix(s, unit); ok {
			var n uint64
			if n, err = strconv.ParseUint(number, 10, 16); err == nil {
				d = time.Duration(n) * length
			}
		}
	}
	switch {
	case err != nil:
		return 0, fmt.Errorf("want a time such as 30s, 10m, 1h, 7d, or off")
	case d < time.Second || d%time.Second != 0 || d > longestTimer:
		return 0, fmt.Errorf("want whole seconds, from 1s to 366d")
	}
	return int(d / time.Second), nil
}

// seconds writes a time as parseTimer reads it, in the largest unit that fits.
func seconds(n int) string {
	for _, u := range []struct {
		length int
		name   string
	}{{86400, "d"}, {3600, "h"}, {60, "m"}} {
		if n >= u.length && n%u.length == 0 {
			return strconv.Itoa(n/u.length) + u.name
		}
	}
	return strconv.Itoa(n) + "s"
}
