package duty

import (
	"net/netip"
	"sync"
	"time"

	"sconce/api"
)

// maxLimited is how many keys a [Limiter] remembers. Each takes about 100 bytes.
const maxLimited = 1 << 16

// Limiter bounds how often each of many may do something: at once up to a
// burst, and at a steady rate after. It is safe for concurrent use, and forgets
// everything when the process ends.
type Limiter[K comparable] struct {
	clock Clock
	step  time.Duration // in which one more is granted
	burst int

	mu   sync.Mutex
	full map[K]time.Time // when the key will have its whole burst again; guarded by mu
}

// NewLimiter grants each key burst at once, and burst more every period.
func NewLimiter[K comparable](clock Clock, burst int, period time.Duration) *Limiter[K] {
	return &Limiter[K]{clock: clock, step: period / time.Duration(burst), burst: burst, full: map[K]time.Time{}}
}

// Take counts n for key. If that is too many it counts nothing, and returns an
// [api.Error] of code RateLimited that says when to try again. More than a
// whole burst at once counts as a burst.
func (l *Limiter[K]) Take(key K, n int) error {
	n = min(n, l.burst)
	now := l.clock()
	l.mu.Lock()
	defer l.mu.Unlock()
	full := l.full[key]
	if full.Before(now) {
		full = now
	}
	// Later than this it is only if the clock was put back, which must not lock
	// anybody out for as long as it was ahead.
	if latest := now.Add(time.Duration(l.burst) * l.step); full.After(latest) {
		full = latest
		l.full[key] = latest
	}
	full = full.Add(time.Duration(n) * l.step)
	if wait := full.Sub(now) - time.Duration(l.burst)*l.step; wait > 0 {
		e := api.Errorf(api.RateLimited, "too many requests: try again in %v", max(wait.Round(time.Second), time.Second))
		e.RetryAfter = max(wait.Milliseconds(), 1)
		return e
	}
	if _, known := l.full[key]; !known && len(l.full) >= maxLimited {
		l.forget(now)
	}
	l.full[key] = full
	return nil
}

// forget makes room. Keys that have their whole burst lose nothing; if there are
// none, an attacker with very many addresses is at work, and some keys get a
// new burst: better than growing without bound or refusing everyone.
func (l *Limiter[K]) forget(now time.Time) {
	for key, full := range l.full {
		if !full.After(now) {
			delete(l.full, key)
		}
	}
	for key := range l.full {
		if len(l.full) < maxLimited*3/4 {
			return
		}
		delete(l.full, key)
	}
}

// OriginLimiter is a [Limiter] by where calls come from, for endpoints that need
// no login. It leaves loopback alone: those calls are the operator's, or come
// through a proxy that hides the callers, who must not share one allowance. See
// [Remote] for a proxy that does not.
type OriginLimiter struct{ limiter *Limiter[netip.Prefix] }

// NewOriginLimiter is [NewLimiter] for origins.
func NewOriginLimiter(clock Clock, burst int, period time.Duration) OriginLimiter {
	return OriginLimiter{NewLimiter[netip.Prefix](clock, burst, period)}
}

// Take counts one call of the caller: see [Limiter.Take].
func (l OriginLimiter) Take(c Caller) error {
	if c.Remote.Unmap().IsLoopback() {
		return nil
	}
	return l.limiter.Take(Origin(c.Remote), 1)
}

// Origin is what an address counts as: itself, or of IPv6 the /64, since that is
// what one customer gets.
func Origin(remote netip.Addr) netip.Prefix {
	remote = remote.Unmap()
	bits := remote.BitLen()
	if remote.Is6() {
		bits = 64
	}
	p, _ := remote.WithZone("").Prefix(bits) // the zero Addr has the zero Prefix
	return p
}
