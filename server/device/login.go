package device

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"sconce/api"
	"sconce/identity"
	"sconce/internal/duty"
	"sconce/server/device/db"
)

const (
	challengeLifetime = 60 * time.Second
	tokenLifetime     = 24 * time.Hour
	tokenSize         = 32
	tokensPerDevice   = 8

	// tokenCached is how long a node takes a token's word without asking the
	// database, and so how long a device that another node removed can still call.
	tokenCached = 30 * time.Second

	maxCached = 1 << 16
)

// Challenge gives something to sign. It is stored nowhere: it carries its own
// expiry and a MAC for the device that asked, so that asking costs the server
// nothing and any node can check the answer. Unknown devices get one too, which
// tells a stranger nothing.
func (s *Service) Challenge(_ context.Context, c duty.Caller, req *api.ChallengeRequest) (*api.ChallengeResponse, error) {
	if err := s.look.Take(c); err != nil {
		return nil, err
	}
	b := binary.BigEndian.AppendUint64(nil, uint64(s.Clock.Millis()+challengeLifetime.Milliseconds()))
	nonce := make([]byte, 16)
	_, _ = rand.Read(nonce) // never fails
	b = append(b, nonce...)
	return &api.ChallengeResponse{Challenge: s.sealChallenge(b, req.User, req.Device)}, nil
}

const challengeSize = 8 + 16 + sha256.Size

func (s *Service) sealChallenge(b []byte, user api.UserID, device api.DeviceID) []byte {
	mac := hmac.New(sha256.New, s.challengeKey)
	mac.Write(b)
	mac.Write(user[:])
	mac.Write(device[:])
	return mac.Sum(b)
}

// checkChallenge reports whether the challenge is one of ours for this device,
// and gives its expiry.
func (s *Service) checkChallenge(req *api.LoginRequest) (expires int64, ok bool) {
	if len(req.Challenge) != challengeSize {
		return 0, false
	}
	want := s.sealChallenge(slices.Clone(req.Challenge[:challengeSize-sha256.Size]), req.User, req.Device)
	expires = int64(binary.BigEndian.Uint64(req.Challenge))
	return expires, hmac.Equal(want, req.Challenge) && expires > s.Clock.Millis()
}

// Login turns a signed challenge into a token.
func (s *Service) Login(ctx context.Context, c duty.Caller, req *api.LoginRequest) (*api.LoginResponse, error) {
	if err := s.open.Take(c); err != nil {
		return nil, err
	}
	expires, ok := s.checkChallenge(req)
	if !ok {
		return nil, api.Errorf(api.Unauthenticated, "the challenge has expired or is not for this device: ask for a new one")
	}
	log, err := s.Log(ctx, req.User)
	if err != nil {
		return nil, err
	}
	if log == nil || !log.Active(req.Device) {
		return nil, api.Errorf(api.Forbidden, "the device is not active: it was removed, or never added")
	}
	device, _ := log.Device(req.Device)
	if err := identity.VerifyLogin(device.Keys, s.network, req.Challenge, req.Signature); err != nil {
		return nil, api.Errorf(api.Unauthenticated, "%v", err)
	}
	if !s.used.use([sha256.Size]byte(req.Challenge[challengeSize-sha256.Size:]), expires, s.Clock.Millis()) {
		return nil, api.Errorf(api.Unauthenticated, "the challenge was used already: ask for a new one")
	}
	return s.newToken(ctx, req.User, req.Device, log)
}

// newToken stores a token, and drops all but the newest of the device. The log
// is compared once more within the transaction: a device that is removed at
// this moment must not come out of it with a token.
func (s *Service) newToken(ctx context.Context, user api.UserID, device api.DeviceID, log *identity.Log) (*api.LoginResponse, error) {
	token := make([]byte, tokenSize)
	_, _ = rand.Read(token) // never fails
	hash := sha256.Sum256(token)
	expires := s.Clock.Millis() + tokenLifetime.Milliseconds()
	head := log.Head()
	err := s.DB.Tx(ctx, func(tx *sql.Tx) error {
		q := s.queries.WithTx(tx)
		// An update to what it is takes the row's lock in both databases.
		n, err := q.HoldLog(ctx, db.HoldLogParams{UserID: user[:], Head: head[:]})
		if err != nil {
			return err
		}
		if n == 0 {
			return api.Errorf(api.Conflict, "the device log changed at this moment: try again")
		}
		err = q.AddToken(ctx, db.AddTokenParams{Token: hash[:], UserID: user[:], DeviceID: device[:], Expires: expires})
		if err != nil {
			return err
		}
		return q.DropOldTokens(ctx, db.DropOldTokensParams{Device: device[:], Most: tokensPerDevice})
	})
	if err != nil {
		return nil, fmt.Errorf("storing login: %w", err)
	}
	return &api.LoginResponse{Token: token, Expires: expires}, nil
}

// Authenticate gives the device that a token was made for. Remote is for the
// caller to fill in. Its error is an [api.Error] if the token is no good.
func (s *Service) Authenticate(ctx context.Context, token []byte) (duty.Caller, error) {
	if len(token) != tokenSize {
		return duty.Caller{}, errToken()
	}
	hash := sha256.Sum256(token)
	now := s.Clock.Millis()
	if c, ok := s.tokens.find(hash, now); ok {
		return c, nil
	}
	era := s.tokens.now()
	row, err := s.reads.TokenOwner(ctx, hash[:])
	if errors.Is(err, sql.ErrNoRows) || err == nil && row.Expires <= now {
		return duty.Caller{}, errToken()
	}
	if err != nil {
		return duty.Caller{}, fmt.Errorf("reading login: %w", err)
	}
	c := duty.Caller{User: api.UserID(row.UserID), Device: api.DeviceID(row.DeviceID)}
	s.tokens.add(era, hash, c, min(row.Expires, now+tokenCached.Milliseconds()))
	return c, nil
}

func errToken() *api.Error {
	return api.Errorf(api.Unauthenticated, "the login is not valid any more: log in again")
}

// tokenCache saves a look into the database for each call. The era counts
// removals, so that what was read before one is not put in after it.
type tokenCache struct {
	mu     sync.Mutex
	era    int
	tokens map[[sha256.Size]byte]cachedToken
}

type cachedToken struct {
	caller duty.Caller
	until  int64
}

func (t *tokenCache) now() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.era
}

func (t *tokenCache) find(hash [sha256.Size]byte, now int64) (duty.Caller, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e, ok := t.tokens[hash]
	return e.caller, ok && e.until > now
}

func (t *tokenCache) add(era int, hash [sha256.Size]byte, c duty.Caller, until int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if era != t.era {
		return
	}
	if t.tokens == nil || len(t.tokens) >= maxCached {
		t.tokens = make(map[[sha256.Size]byte]cachedToken)
	}
	t.tokens[hash] = cachedToken{c, until}
}

func (t *tokenCache) drop(devices []identity.DeviceID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.era++
	for hash, e := range t.tokens {
		if slices.Contains(devices, identity.DeviceID(e.caller.Device)) {
			delete(t.tokens, hash)
		}
	}
}

// usedChallenges makes challenges single-use on this node, for as long as it
// runs and remembers. That is enough: a signature is for one device's login and
// nothing else, so repeating one within its minute takes having broken TLS.
type usedChallenges struct {
	mu   sync.Mutex
	used map[[sha256.Size]byte]int64 // until when
}

func (u *usedChallenges) use(challenge [sha256.Size]byte, expires, now int64) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if _, ok := u.used[challenge]; ok {
		return false
	}
	if u.used == nil {
		u.used = make(map[[sha256.Size]byte]int64)
	}
	if len(u.used) >= maxCached {
		for c, until := range u.used {
			if until <= now {
				delete(u.used, c)
			}
		}
	}
	if len(u.used) < maxCached {
		u.used[challenge] = expires
	}
	return true
}
