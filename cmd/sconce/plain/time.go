package plain

import (
	"fmt"
	"strconv"
	"time"
)

const day = 24 * time.Hour

const longestTimer = 366 * day // as long as a message can say

// ParseTimer reads how long a message stays, in seconds: "30s", "10m", "1h",
// "7d", "2w", or "off", which is 0.
func ParseTimer(s string) (seconds int, err error) {
	if s == "off" || s == "0" {
		return 0, nil
	}
	d, err := time.ParseDuration(s)
	if last := len(s) - 1; last > 0 && (s[last] == 'd' || s[last] == 'w') {
		length := day
		if s[last] == 'w' {
			length = 7 * day
		}
		var n uint64
		if n, err = strconv.ParseUint(s[:last], 10, 16); err == nil {
			d = time.Duration(n) * length
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

// Timer writes a time as [ParseTimer] reads it, in the largest unit that fits.
func Timer(seconds int) string {
	for _, u := range []struct {
		length int
		name   string
	}{{86400, "d"}, {3600, "h"}, {60, "m"}} {
		if seconds >= u.length && seconds%u.length == 0 {
			return strconv.Itoa(seconds/u.length) + u.name
		}
	}
	return strconv.Itoa(seconds) + "s"
}

// Left names a time that runs down by its two largest units.
func Left(d time.Duration) string {
	switch {
	case d >= 2*day:
		return fmt.Sprintf("%dd", d/day)
	case d >= time.Hour:
		return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
	case d >= time.Minute:
		return fmt.Sprintf("%dm%02ds", d/time.Minute, d%time.Minute/time.Second)
	}
	return fmt.Sprintf("%ds", d/time.Second)
}
