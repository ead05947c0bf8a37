package duty

import (
	"net/netip"
	"sync"

	"sconce/api"
)

// Crowd bounds how many of each key are there at once. It is safe for concurrent
// use.
type Crowd[K comparable] struct {
	most int

	mu    sync.Mutex
	there map[K]int // guarded by mu; no zeros
}

// NewCrowd lets in most of each key at once.
func NewCrowd[K comparable](most int) *Crowd[K] { return &Crowd[K]{most: most, there: map[K]int{}} }

// Enter lets one of key in until leave is called, once. If there are too many it
// returns an [api.Error] of code RateLimited.
func (c *Crowd[K]) Enter(key K) (leave func(), err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.there[key] >= c.most {
		e := api.Errorf(api.RateLimited, "%d requests at once are too many: wait for the first to be answered", c.most+1)
		e.RetryAfter = 1000
		return nil, e
	}
	c.there[key]++
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.there[key]--; c.there[key] == 0 {
			delete(c.there, key)
		}
	}, nil
}

// OriginCrowd is a [Crowd] by where callers are, for what needs no login. It
// leaves loopback alone, for the reasons of [OriginLimiter].
type OriginCrowd struct{ crowd *Crowd[netip.Prefix] }

// NewOriginCrowd is [NewCrowd] for origins.
func NewOriginCrowd(most int) OriginCrowd { return OriginCrowd{NewCrowd[netip.Prefix](most)} }

// Enter is [Crowd.Enter] for one at an address.
func (c OriginCrowd) Enter(remote netip.Addr) (leave func(), err error) {
	if remote.Unmap().IsLoopback() {
		return func() {}, nil
	}
	return c.crowd.Enter(Origin(remote))
}
